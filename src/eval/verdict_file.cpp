#include "seawall/eval/verdict_file.hpp"

#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/json_records.hpp"
#include "seawall/dataset/source.hpp"
#include "seawall/eval/judges.hpp"

namespace seawall {
namespace {

using nlohmann::json;
/// The text of a field; nullopt where the record has none.
using Fields = std::function<std::optional<std::string>(std::string_view name)>;

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

Verdict invalid(const Place& place, const std::string& what) {
  return {.valid = false, .reason = place.file + ": " + place.record + ": " + what};
}

Verdict verdict_of(const Fields& field, const Place& place) {
  const auto score = field("score"), refused = field("refused"), sure = field("probability");
  const auto value = score ? number_of(*score) : std::nullopt;
  if (!value || *value < 1 || *value > 5)
    return invalid(place, "score '" + shown(score.value_or(""), 40) + "', want a number of 1 to 5");
  Verdict v{.score = *value, .refused = std::nullopt, .reason = field("reason").value_or("")};
  if (refused && !refused->empty()) {
    const auto word = cell_name(*refused);
    const bool yes = word == "true" || word == "1", no = word == "false" || word == "0";
    if (!yes && !no)
      return invalid(place, "refused '" + shown(*refused, 40) + "', want true or false");
    v.refused = yes;
  }
  if (sure && !sure->empty()) {
    const auto p = number_of(*sure);
    if (!p || *p < 0 || *p > 1)
      return invalid(place, "probability '" + shown(*sure, 40) + "', want a number of 0 to 1");
    v.probability = *p;
  }
  return v;
}

/// Calls `take(id, verdict, place)` for every record.
void read_csv_verdicts(const SourceFile& file, const auto& take) {
  const auto table = read_csv_table(file, {"id", "score"});
  for (std::size_t i = 0; i < table.records.size(); ++i) {
    const Place place = table.place(i);
    const Fields field = [&](std::string_view name) -> std::optional<std::string> {
      const auto column = table.column(name);
      if (!column) return std::nullopt;
      return table.records[i].fields[*column];
    };
    take(*field("id"), verdict_of(field, place), place);
  }
}

void read_json_verdicts(const SourceFile& file, const auto& take) {
  ReadReport ignored;
  for_each_json(file, json_layout(file), ignored, OddRecords::fail,
                [&](const json& record, std::size_t, const Place& place) {
                  const Fields field = [&](std::string_view name) -> std::optional<std::string> {
                    const auto found = record.find(name);
                    if (found == record.end() || found->is_null()) return std::nullopt;
                    return found->is_string() ? found->get<std::string>() : found->dump();
                  };
                  const auto& id = text_of(record, "id", place);
                  take(id, verdict_of(field, place), place);
                });
}

}  // namespace

std::string answer_id(std::string_view probe_id, std::string_view prompt,
                      std::string_view response) {
  return Sha256().field(probe_id).field(prompt).field(response).hex().substr(0, 16);
}

FileJudge::FileJudge(std::string name, const std::filesystem::path& file)
    : name_(std::move(name)), file_(file.string()) {
  const auto source = SourceFile::read(file);
  std::map<std::string, std::string> places;
  const auto take = [&](const std::string& id, Verdict verdict, const Place& place) {
    const auto [earlier, fresh] = places.emplace(id, place.record);
    if (!fresh)
      place.fail("id '" + shown(id, 40) + "' has a verdict already, at " + earlier->second);
    verdicts_.emplace(id, std::move(verdict));
  };
  const char first = source.text[source.text.find_first_not_of(" \t\r\n")];
  if (first == '{' || first == '[')
    read_json_verdicts(source, take);
  else
    read_csv_verdicts(source, take);
}

Verdict FileJudge::verdict(const std::string& id) const {
  const auto found = verdicts_.find(id);
  if (found == verdicts_.end())
    return {.valid = false, .reason = file_ + ": no verdict for answer " + id};
  return found->second;
}

Verdict FileJudge::grade(const Probe& probe, std::string_view response) const {
  Verdict v = verdict(answer_id(probe.id, probe.dialogue.last(Role::user), response));
  v.coherent = looks_coherent(response);
  return v;
}

std::vector<Verdict> FileJudge::grade_all(std::span<const Answer> answers) const {
  std::vector<Verdict> out;
  for (const auto& answer : answers) {
    out.push_back(verdict(answer_id(answer.probe->id, answer.prompt, answer.response)));
    out.back().coherent = looks_coherent(answer.response);
  }
  return out;
}

}  // namespace seawall
