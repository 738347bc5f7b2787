#include <nlohmann/json.hpp>

#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// Gathers probes and counts records that cannot be used.
class ProbeList {
 public:
  ProbeList(ProbesFile& out, const SourceFile& file, bool restricted)
      : out_(out), stem_(file.stem()), restricted_(restricted) {}

  void add(std::size_t number, Dialogue dialogue, std::string category) {
    if (dialogue.messages.back().role == Role::assistant)
      dialogue.messages.pop_back();  // a known answer
    if (dialogue.messages.empty() || dialogue.messages.back().role != Role::user)
      throw Rejected{"no user turn at the end"};
    if (blank(dialogue.messages.back().content)) throw Rejected{"an empty prompt"};
    out_.probes.push_back({.id = stem_ + "/" + std::to_string(number),
                           .category = std::move(category),
                           .dialogue = std::move(dialogue),
                           .restricted = restricted_,
                           .expected = {}});
  }
  void add_text(std::size_t number, std::string text, std::string category) {
    add(number, {{{Role::user, std::move(text)}}}, std::move(category));
  }

 private:
  ProbesFile& out_;
  std::string stem_;
  bool restricted_;
};

void add_record(ProbeList& list, const FormatFound& format, const json& record, std::size_t number,
                const Place& place) {
  if (format.shape == RecordShape::dialogue)
    return list.add(number, dialogue_of(record, place), "");
  if (record.is_string() && format.shape == RecordShape::prompt)
    return list.add_text(number, record.get<std::string>(), "");
  if (!record.is_object()) place.fail("want an object");
  auto category = optional_text(record, "category", place);
  if (format.shape == RecordShape::messages) {
    return list.add(number, dialogue_of(messages_of(record, place), place), std::move(category));
  }
  const auto* key = prompt_key(record);
  if (key == nullptr) place.fail("want one of the keys goal, instruction, prompt or text");
  list.add_text(number, text_of(record, key, place), std::move(category));
}

/// CSV with a header: the prompt column and, where there is one, the category column.
void add_csv(ProbeList& list, const SourceFile& file, ReadReport& report) {
  const auto column = prompt_column(file);
  const auto records = read_csv(file);
  if (!column)
    Place{file.path.string(), "line 1"}.fail("want a header with goal, instruction or prompt");
  std::optional<std::size_t> category;
  for (std::size_t i = 0; i < records[0].fields.size(); ++i) {
    if (cell_name(records[0].fields[i]) == "category") category = i;
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    const auto& fields = records[i].fields;
    const Place place{file.path.string(), "line " + std::to_string(records[i].line)};
    if (fields.size() != records[0].fields.size()) {
      place.fail(std::to_string(fields.size()) + " fields, the header has " +
                 std::to_string(records[0].fields.size()) + "; quote prompts that hold commas");
    }
    ++report.rows;
    if (blank(fields[*column])) {
      if (report.rejected++ == 0) report.first_rejection = place.record + ": an empty prompt";
      continue;
    }
    list.add_text(i, fields[*column], category ? fields[*category] : "");
  }
}

}  // namespace

ProbesFile read_probes(const std::filesystem::path& path, bool restricted,
                       std::string_view format) {
  const auto file = SourceFile::read(path);
  const auto found = detect_format(file, format, true);
  ProbesFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  ProbeList list(out, file, restricted);
  if (found.json) {
    for_each_json(file, found.lines, out.report,
                  [&](const json& record, std::size_t number, const Place& place) {
                    add_record(list, found, record, number, place);
                  });
  } else if (found.name == "prompts-csv") {
    add_csv(list, file, out.report);
  } else {
    const auto records = read_prompt_lines(file);
    for (std::size_t i = 0; i < records.size(); ++i) {
      ++out.report.rows;
      list.add_text(i + 1, records[i].fields[0], "");
    }
  }
  check_not_empty(file, out.report, out.probes.size());
  return out;
}

}  // namespace seawall
