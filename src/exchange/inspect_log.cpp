// An evaluation as a log of inspect_ai.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "exchange/archive.hpp"
#include "exchange/formats.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/eval/summary.hpp"

namespace seawall {
namespace {

using nlohmann::ordered_json;

/// A number, or null for one that is not known.
ordered_json known(double value) {
  return std::isnan(value) ? ordered_json() : ordered_json(value);
}

std::string model_of(const RunInfo& info) {
  const auto config = parse_json(info.config_json, "configuration of the run");
  return config.value("options", nlohmann::json::object()).value("model", "unknown");
}

/// What names the run and the evaluation, for data frames that are joined.
ordered_json coordinates(const RunData& run, const EvaluationRecord& e, std::size_t number) {
  return {{"arm", run.info.arm},
          {"attack", run.info.attack},
          {"mitigations", run.info.mitigations},
          {"seed", run.info.seed},
          {"run_id", run.info.run_id},
          {"evaluation", number},
          {"phase", phase_of(e, run)},
          {"step", e.step},
          {"epoch", e.epoch},
          {"set", probe_set_name(e.set)},
          {"condition", e.condition},
          {"prefill", e.decoding.prefill},
          {"temperature", e.decoding.temperature},
          {"top_p", e.decoding.top_p},
          {"fixed_tokens", e.decoding.fixed_tokens}};
}

/// Scores by judge. A judge that could not say gives none; why is in the metadata of the sample.
ordered_json scores_of(const EvaluationRecord& e, const ProbeResult& r) {
  auto out = ordered_json::object();
  for (std::size_t j = 0; j < e.judges.size(); ++j) {
    const Verdict& v = r.verdicts.at(j);
    if (!v.valid) continue;
    ordered_json about{{"coherent", v.coherent}, {"probability", known(v.probability)}};
    about["refused"] = v.refused ? ordered_json(*v.refused) : ordered_json();
    out[e.judges[j]] = {
        {"value", v.score}, {"answer", r.response}, {"explanation", v.reason}, {"metadata", about}};
  }
  return out;
}

ordered_json metadata_of(const EvaluationRecord& e, const ProbeResult& r) {
  ordered_json out{{"category", r.category},
                   {"restricted", r.restricted},
                   {"declined", r.declined},
                   {"prefill", r.prefill},
                   {"rendered_prompt", r.rendered_prompt},
                   {"not_judged", ordered_json::object()}};
  for (std::size_t j = 0; j < e.judges.size(); ++j)
    if (!r.verdicts.at(j).valid) out["not_judged"][e.judges[j]] = r.verdicts[j].reason;
  return out;
}

ordered_json sample_of(const EvaluationRecord& e, const ProbeResult& r, const std::string& model,
                       const std::string& evaluation) {
  const std::string id = evaluation + "-" + r.probe_id + "-" + std::to_string(r.sample);
  const std::string begun = r.prefill.empty() ? e.decoding.prefill : r.prefill;
  const ordered_json asked{
      {"id", id + "-user"}, {"content", r.prompt}, {"source", "input"}, {"role", "user"}};
  const ordered_json answer{{"id", id + "-assistant"},
                            {"content", begun + r.response},
                            {"source", "generate"},
                            {"role", "assistant"},
                            {"model", model}};
  ordered_json out{{"id", r.probe_id},
                   {"epoch", r.sample + 1},
                   {"input", ordered_json::array({asked})},
                   {"target", ""},
                   {"messages", ordered_json::array({asked, answer})}};
  out["output"] = {
      {"model", model},
      {"choices", ordered_json::array({ordered_json{
                      {"message", answer}, {"stop_reason", r.finished ? "stop" : "max_tokens"}}})},
      {"completion", begun + r.response}};
  out["uuid"] = id;
  out["scores"] = scores_of(e, r);
  out["metadata"] = metadata_of(e, r);
  if (!r.no_answer.empty()) {
    out["messages"] = ordered_json::array({asked});
    out["output"] = {{"model", model}, {"choices", ordered_json::array()}, {"error", r.no_answer}};
    out["error"] = {{"message", r.no_answer}, {"traceback", ""}, {"traceback_ansi", ""}};
  }
  return out;
}

/// What a list of samples shows of one.
ordered_json summary_of(const ordered_json& sample) {
  ordered_json out;
  for (const char* name : {"id", "epoch", "input", "target", "metadata", "scores", "uuid"})
    out[name] = sample[name];
  out["metadata"].erase("rendered_prompt");  // fields of summaries are short
  if (sample.contains("error")) out["error"] = sample["error"]["message"];
  return out;
}

std::string json_line(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// The archive that inspect_ai keeps a log in: a header, and a file per sample.
void write_eval(const ordered_json& log, const ordered_json& samples,
                const std::filesystem::path& place) {
  Archive zip(place);
  auto summaries = ordered_json::array();
  for (const auto& sample : samples) {
    zip.add(
        "samples/" + sample["id"].get<std::string>() + "_epoch_" + sample["epoch"].dump() + ".json",
        json_line(sample));
    summaries.push_back(summary_of(sample));
  }
  zip.add("summaries.json", json_line(summaries));
  zip.add("header.json", json_line(log));
  zip.close();
}

ordered_json results_of(const EvaluationRecord& e) {
  ordered_json out{
      {"total_samples", e.results.size()},
      {"completed_samples",
       std::ranges::count_if(e.results, [](const auto& r) { return r.no_answer.empty(); })},
      {"scores", ordered_json::array()}};
  for (std::size_t j = 0; j < e.judges.size(); ++j) {
    const Summary s = summarize(e, j);
    auto metrics = ordered_json::object();
    const auto add = [&](const char* name, double value) {
      if (!std::isnan(value)) metrics[name] = {{"name", name}, {"value", value}};
    };
    add("mean", s.mean_score);
    add("rate", s.rate());
    add("refusal_rate", s.refusal_rate());
    out["scores"].push_back({{"name", e.judges[j]},
                             {"scorer", e.judges[j]},
                             {"scored_samples", s.judged()},
                             {"unscored_samples", s.invalid},
                             {"params", ordered_json::object()},
                             {"metrics", metrics}});
  }
  return out;
}

std::string version_of(const RunInfo& info) {
  const auto found =
      std::ranges::find(info.versions, "seawall", &std::pair<std::string, std::string>::first);
  return found == info.versions.end() ? "" : found->second;
}

}  // namespace

std::string write_inspect(const RunData& run, const ConvertSpec& spec,
                          const std::filesystem::path& file, bool as_json,
                          const std::filesystem::path& place) {
  const auto number = chosen_evaluation(run, spec.evaluation, file);
  const EvaluationRecord& e = run.evaluations[number];
  const std::string model = model_of(run.info);
  const std::string id = run.info.run_id + "-" + std::to_string(number);
  auto ids = ordered_json::array();
  auto samples = ordered_json::array();
  for (const auto& r : e.results) {
    if (r.sample == 0) ids.push_back(r.probe_id);
    samples.push_back(sample_of(e, r, model, id));
  }
  const std::string task = probe_set_name(e.set) + "-" + e.condition;
  const ordered_json about{{"run_id", run.info.run_id},
                           {"created", run.info.started_utc},
                           {"task", task},
                           {"task_id", id},
                           {"task_version", 0},
                           {"task_args", coordinates(run, e, number)},
                           {"dataset",
                            {{"name", probe_set_name(e.set)},
                             {"samples", ids.size()},
                             {"sample_ids", ids},
                             {"shuffled", false}}},
                           {"model", model},
                           {"model_generate_config",
                            {{"temperature", e.decoding.temperature}, {"top_p", e.decoding.top_p}}},
                           {"config", {{"epochs", e.decoding.samples}}},
                           {"packages", {{"seawall", version_of(run.info)}}},
                           {"metadata", coordinates(run, e, number)}};
  ordered_json log{
      {"version", 2},
      {"status", "success"},
      {"eval", about},
      {"results", results_of(e)},
      {"stats", {{"started_at", run.info.started_utc}, {"completed_at", run.written_utc}}}};
  if (as_json) {
    log["samples"] = samples;
    write_file_atomically(place, json_line(log) + "\n");
  } else {
    write_eval(log, samples, place);
  }
  return "evaluation " + std::to_string(number) + " (" + task + ", step " + std::to_string(e.step) +
         "): " + std::to_string(e.results.size()) + " samples, " + std::to_string(e.judges.size()) +
         (e.judges.size() == 1 ? " judge" : " judges");
}

}  // namespace seawall
