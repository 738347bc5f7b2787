#include "seawall/dataset/csv.hpp"

#include <algorithm>

namespace seawall {
namespace {

/// Reads a text record by record, counting lines.
class CsvReader {
 public:
  explicit CsvReader(const SourceFile& file) : file_(file), text_(file.text) {}

  bool next(CsvRecord& record) {
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    record = {.fields = {}, .line = line_};
    do {
      record.fields.push_back(field());
    } while (take(','));
    end_line();
    return true;
  }

  /// One field that is the whole line.
  bool next_line(CsvRecord& record) {
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    record = {.fields = {}, .line = line_};
    if (text_[at_] == '"' && quoted_line(record)) return true;
    const auto end = std::min(text_.find('\n', at_), text_.size());
    auto line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    record.fields.emplace_back(line);
    at_ = end;
    end_line();
    return true;
  }

 private:
  void skip_blank_lines() {
    for (;;) {
      const auto end = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size() || !blank(text_.substr(at_, end - at_))) return;
      at_ = end;
      end_line();
    }
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void end_line() {
    take('\r');
    if (take('\n')) ++line_;
  }
  bool at_line_end() const {
    return at_ == text_.size() || text_[at_] == '\n' ||
           (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ||
           (text_[at_] == '\r' && at_ + 1 == text_.size());
  }
  std::string field() {
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    const auto start = at_;
    while (!at_line_end() && text_[at_] != ',') ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  std::string quoted() {
    const Place place{file_.path.string(), "line " + std::to_string(line_)};
    std::string value;
    ++at_;
    for (;;) {
      const auto quote = text_.find('"', at_);
      if (quote == std::string_view::npos)
        place.fail("a quoted field that begins here is not closed");
      const auto part = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
      value += part;
      at_ = quote + 1;
      if (!take('"')) break;
      value += '"';
    }
    if (!at_line_end() && text_[at_] != ',')
      place.fail("text after the closing quote of a field; want a comma");
    return value;
  }
  /// Takes a line that is one quoted field; false (and nothing taken) where more follows the quote.
  bool quoted_line(CsvRecord& record) {
    auto end = at_ + 1;
    for (;; ++end) {
      end = text_.find('"', end);
      if (end == std::string_view::npos) return false;
      if (end + 1 < text_.size() && text_[end + 1] == '"') {
        ++end;
        continue;
      }
      break;
    }
    const auto kept = at_;
    at_ = end + 1;
    const bool whole = at_line_end();
    at_ = kept;
    if (!whole) return false;
    record.fields.push_back(quoted());
    end_line();
    return true;
  }

  const SourceFile& file_;
  std::string_view text_;
  std::size_t at_ = 0, line_ = 1;
};

}  // namespace

std::vector<CsvRecord> read_csv(const SourceFile& file) {
  CsvReader reader(file);
  std::vector<CsvRecord> records;
  for (CsvRecord record; reader.next(record);) records.push_back(std::move(record));
  return records;
}

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

Place CsvTable::place(std::size_t record) const {
  return {file, "line " + std::to_string(records[record].line)};
}

CsvTable read_csv_table(const SourceFile& file, const std::vector<std::string>& wanted) {
  CsvTable table{.file = file.path.string(), .names = {}, .records = read_csv(file)};
  if (!table.records.empty()) {
    for (const auto& cell : table.records.front().fields) table.names.push_back(cell_name(cell));
    table.records.erase(table.records.begin());
  }
  std::string all;
  for (const auto& name : wanted) all += (all.empty() ? "" : ", ") + name;
  for (const auto& name : wanted)
    if (!table.column(name))
      Place{table.file, "line 1"}.fail("want a header with " + all + "; it has no " + name);
  for (std::size_t i = 0; i < table.records.size(); ++i)
    if (table.records[i].fields.size() != table.names.size())
      table.place(i).fail(std::to_string(table.records[i].fields.size()) +
                          " fields, the header has " + std::to_string(table.names.size()) +
                          "; quote texts that hold commas");
  return table;
}

std::vector<CsvRecord> read_prompt_lines(const SourceFile& file) {
  CsvReader reader(file);
  std::vector<CsvRecord> records;
  for (CsvRecord record; reader.next_line(record);) records.push_back(std::move(record));
  return records;
}

std::string cell_name(std::string_view cell) {
  const auto begin = cell.find_first_not_of(" \t"), end = cell.find_last_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  std::string name(cell.substr(begin, end - begin + 1));
  for (auto& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

namespace {

/// Names in the first line. No more of the file is looked at: one of plain lines may hold quotes
/// that no CSV reader would take.
std::vector<std::string> header_names(const SourceFile& file) {
  const auto start = std::min(file.text.find_first_not_of("\r\n"), file.text.size());
  const auto end = std::min(file.text.find('\n', start), file.text.size());
  std::string header = file.text.substr(start, end - start);
  std::erase(header, '\r');
  std::erase(header, '"');
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= header.size();) {
    const auto comma = std::min(header.find(',', at), header.size());
    names.push_back(cell_name(std::string_view(header).substr(at, comma - at)));
    at = comma + 1;
  }
  return names;
}

std::optional<std::size_t> place_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

std::optional<std::size_t> prompt_column(const SourceFile& file) {
  const auto names = header_names(file);
  const auto found = std::ranges::find_if(names, [](const std::string& name) {
    return name == "goal" || name == "instruction" || name == "prompt";
  });
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

std::optional<PairColumns> pair_columns(const SourceFile& file) {
  const auto names = header_names(file);
  constexpr std::pair<const char*, const char*> pairs[] = {
      {"goal", "target"}, {"prompt", "response"}, {"instruction", "output"}};
  for (const auto& [request, answer] : pairs) {
    const auto first = place_of(names, request), second = place_of(names, answer);
    if (first && second) return PairColumns{*first, *second, place_of(names, "category")};
  }
  return std::nullopt;
}

}  // namespace seawall
