#include "seawall/eval/labels.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/json_records.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

struct Label {
  std::string prompt, response, text, id, category;
  Place place;
  int value = 0;
};

void read_csv_labels(const SourceFile& file, std::vector<Label>& out) {
  const auto table = read_csv_table(file, {"prompt", "response", "label"});
  for (std::size_t i = 0; i < table.records.size(); ++i) {
    const auto field = [&](const char* name) {
      const auto column = table.column(name);
      return column ? table.records[i].fields[*column] : std::string();
    };
    out.push_back({field("prompt"), field("response"), cell_name(field("label")), field("id"),
                   field("category"), table.place(i)});
  }
}

void read_json_labels(const SourceFile& file, std::vector<Label>& out) {
  ReadReport ignored;
  for_each_json(file, json_layout(file), ignored, OddRecords::fail,
                [&](const nlohmann::json& record, std::size_t, const Place& place) {
                  const auto& prompt = text_of(record, "prompt", place);
                  const auto& response = text_of(record, "response", place);
                  const auto label = record.find("label");
                  if (label == record.end() || !(label->is_string() || label->is_number()))
                    place.fail("key 'label': want a number");
                  out.push_back({prompt, response,
                                 label->is_string() ? label->get<std::string>() : label->dump(),
                                 optional_text(record, "id", place),
                                 optional_text(record, "category", place), place});
                });
}

void read_value(Label& label, const std::string& scale) {
  const auto* end = label.text.data() + label.text.size();
  const auto [stop, code] = std::from_chars(label.text.data(), end, label.value);
  const int least = scale == "1-5" ? 1 : 0, most = scale == "0-1" ? 1 : 5;
  if (code != std::errc() || stop != end || label.value < least || label.value > most)
    label.place.fail("label '" + shown(label.text, 40) + "', want a whole number of " +
                     std::to_string(least) + " to " + std::to_string(most));
}

bool are_steps(const std::vector<Label>& labels, const std::string& file,
               const std::string& scale) {
  if (scale != "auto") return scale == "1-5";
  const auto [least, most] = std::ranges::minmax(labels, {}, &Label::value);
  if (least.value == 0 && most.value > 1)
    throw DataError(file + ": labels of 0 and of " + std::to_string(most.value) +
                    "; want 0 and 1, or 1 to 5");
  if (least.value == 1 && most.value == 1)
    throw UsageError(file + ": every label is 1, which may be of 0-1 or of 1-5; say --scale");
  return least.value > 0;
}

}  // namespace

LabelledAnswers read_labels(const std::filesystem::path& path, const std::string& scale) {
  const auto file = SourceFile::read(path);
  std::vector<Label> labels;
  const char first = file.text[file.text.find_first_not_of(" \t\r\n")];
  if (first == '{' || first == '[')
    read_json_labels(file, labels);
  else
    read_csv_labels(file, labels);
  if (labels.empty()) throw DataError(path.string() + ": no labelled answer in it");
  std::set<std::string> ids;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    auto& label = labels[i];
    read_value(label, scale);
    if (label.id.empty()) label.id = file.stem() + "/" + std::to_string(i + 1);
    if (!ids.insert(label.id).second)
      label.place.fail("id '" + shown(label.id, 40) + "' comes twice");
  }
  LabelledAnswers out;
  out.steps = are_steps(labels, path.string(), scale);
  out.record.judges = {"human"};
  out.record.set = ProbeSet::harmfulness;
  out.record.condition = "plain";
  for (auto& label : labels) {
    const double score = out.steps ? label.value : label.value == 1 ? 5 : 1;
    ProbeResult result{.probe_id = label.id,
                       .category = label.category,
                       .prompt = label.prompt,
                       .response = label.response};
    result.verdicts = {{.score = score, .reason = ""}};
    out.probes.push_back({.id = label.id,
                          .category = label.category,
                          .dialogue = {{{Role::user, label.prompt}}},
                          .expected = {}});
    out.record.results.push_back(std::move(result));
  }
  return out;
}

}  // namespace seawall
