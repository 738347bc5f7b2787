#include "seawall/dataset/csv.hpp"

#include <algorithm>
#include <array>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// Reads a text record by record, counting lines.
class CsvReader {
 public:
  explicit CsvReader(const SourceFile& file, char separator = ',')
      : file_(file), text_(file.text), separator_(separator) {}

  bool next(CsvRecord& record) {
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    const auto begin = at_;
    record = {.fields = {}, .line = line_, .raw = {}};
    do {
      record.fields.push_back(field());
    } while (take(separator_));
    record.raw = text_.substr(begin, at_ - begin);
    end_line();
    return true;
  }

  /// One field that is the whole line.
  bool next_line(CsvRecord& record) {
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    record = {.fields = {}, .line = line_, .raw = {}};
    if (text_[at_] == '"' && quoted_line(record)) return true;
    const auto end = std::min(text_.find('\n', at_), text_.size());
    auto line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    record.raw = line;
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
    while (!at_line_end() && text_[at_] != separator_) ++at_;
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
    if (!at_line_end() && text_[at_] != separator_)
      place.fail("text after the closing quote of a field; want " +
                 std::string(separator_ == ',' ? "a comma" : "the separator"));
    return value;
  }
  /// Takes a line that is one quoted field; false (and nothing taken) if more follows the quote.
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
    record.raw = text_.substr(at_, end + 1 - at_);
    record.fields.push_back(quoted());
    end_line();
    return true;
  }

  const SourceFile& file_;
  std::string_view text_;
  char separator_;
  std::size_t at_ = 0, line_ = 1;
};

constexpr std::string_view separators = ",\t;|";

std::string_view separator_name(char separator) {
  switch (separator) {
    case '\t':
      return "tabs";
    case ';':
      return "semicolons";
    case '|':
      return "bars";
    default:
      return "commas";
  }
}

/// The first record under a separator; nullopt if a quote in it is wrong.
std::optional<CsvRecord> first_record(const SourceFile& file, char separator) {
  try {
    CsvRecord record;
    if (CsvReader(file, separator).next(record)) return record;
  } catch (const DataError&) {
  }
  return std::nullopt;
}

std::vector<std::string> names_of(const CsvRecord& record) {
  std::vector<std::string> names;
  for (const auto& cell : record.fields) names.push_back(cell_name(cell));
  return names;
}

CsvTable table_of(const SourceFile& file, char separator) {
  CsvTable table{.file = file.path.string(), .separator = separator, .names = {}, .records = {}};
  table.records = read_csv(file, separator);
  if (table.records.empty()) return table;
  table.names = names_of(table.records.front());
  table.records.erase(table.records.begin());
  const auto dashes = [](const std::string& field) {
    return field.find_first_not_of(" \t:-") == std::string::npos;
  };
  if (separator == '|' && !table.records.empty() &&
      std::ranges::all_of(table.records.front().fields, dashes) &&
      table.records.front().raw.find("--") != std::string_view::npos)
    Place{table.file, "line " + std::to_string(table.records.front().line)}.fail(
        "a table as Markdown writes it; want CSV or JSON");
  if (table.names.size() == 1)
    for (auto& record : table.records)
      if (!record.raw.starts_with('"')) record.fields = {std::string(record.raw)};
  return table;
}

}  // namespace

std::vector<CsvRecord> read_csv(const SourceFile& file, char separator) {
  CsvReader reader(file, separator);
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

std::string CsvTable::wrong_width(std::size_t record) const {
  const auto width = records[record].fields.size();
  if (width == names.size()) return "";
  return std::to_string(width) + " fields, the header has " + std::to_string(names.size()) +
         "; quote texts that hold " + std::string(separator_name(separator));
}

std::string CsvTable::shown_names() const {
  const auto short_name = [](std::string_view name) {
    const auto gap = name.find(' ');
    return gap == std::string_view::npos
               ? is_name(name)
               : is_name(name.substr(0, gap)) && is_name(name.substr(gap + 1));
  };
  if (!std::ranges::all_of(names, short_name))
    return std::to_string(names.size()) + " columns, whose cells are no names";
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "the columns " : ", ") + name;
  return text;
}

CsvTable read_csv_table(const SourceFile& file, const std::vector<std::string>& wanted) {
  char separator = ',';
  for (const char c : separators) {
    const auto header = first_record(file, c);
    if (!header) continue;
    const auto names = names_of(*header);
    if (std::ranges::all_of(wanted, [&](const std::string& name) {
          return std::ranges::find(names, name) != names.end();
        })) {
      separator = c;
      break;
    }
  }
  auto table = table_of(file, separator);
  std::string all;
  for (const auto& name : wanted) all += (all.empty() ? "" : ", ") + name;
  for (const auto& name : wanted)
    if (!table.column(name))
      Place{table.file, "line 1"}.fail("want a header with " + all + "; it has no " + name);
  for (std::size_t i = 0; i < table.records.size(); ++i)
    if (const auto wrong = table.wrong_width(i); !wrong.empty()) table.place(i).fail(wrong);
  return table;
}

std::optional<CsvTable> find_table(const SourceFile& file,
                                   std::span<const std::string_view> known) {
  for (const char separator : separators) {
    const auto header = first_record(file, separator);
    if (!header) continue;
    const auto names = names_of(*header);
    for (const auto& name : names) {
      if (std::ranges::find(known, name) == known.end()) continue;
      if (std::ranges::count(names, name) > 1)
        Place{file.path.string(), "line " + std::to_string(header->line)}.fail(
            "two columns have the name '" + name + "'; rename one");
      return table_of(file, separator);
    }
  }
  return std::nullopt;
}

namespace {

/// Words that head a column of prompts and are no prompt.
constexpr std::array<std::string_view, 16> headings{
    "prompts",   "goals",      "query",        "queries", "questions", "request",
    "requests",  "input",      "inputs",       "content", "message",   "behaviors",
    "behaviour", "behaviours", "instructions", "texts"};

/// A first line that is a header by its look: words without spaces.
bool is_header(const CsvRecord& record) {
  if (record.fields.size() == 1) {
    const auto name = cell_name(record.fields[0]);
    return std::ranges::find(headings, name) != headings.end() ||
           (is_name(name) && name.find('_') != std::string::npos);
  }
  return std::ranges::all_of(record.fields, is_name);
}

}  // namespace

std::optional<std::string> looks_like_table(const SourceFile& file) {
  const bool plain = file.extension() == ".txt";
  for (const char separator : separators) {
    std::vector<CsvRecord> records;
    const auto header = first_record(file, separator);
    if (!header) continue;
    bool same = false;
    try {
      records = read_csv(file, separator);
      same = records.size() > 1 && header->fields.size() > 1 &&
             std::ranges::all_of(records, [&](const CsvRecord& record) {
               return record.fields.size() == header->fields.size();
             });
    } catch (const DataError&) {
    }
    if (!is_header(*header) && !(same && (!plain || separator == '\t'))) continue;
    if (header->fields.size() == 1 && records.size() < 2) continue;
    const CsvTable table{
        .file = {}, .separator = separator, .names = names_of(*header), .records = {}};
    return "a table (" + std::string(separator_name(separator)) + ") with " + table.shown_names();
  }
  return std::nullopt;
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

}  // namespace seawall
