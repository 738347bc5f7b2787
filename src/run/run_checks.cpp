#include "run/run_checks.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/run/place_spec.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {
namespace {

using Options = std::map<std::string, std::string>;

/// The members of an object of options, each behind `prefix`.
void add(const nlohmann::json& options, const std::string& prefix, Options& out) {
  if (!options.is_object()) return;
  for (const auto& [name, value] : options.items())
    out[prefix + name] = value.is_string() ? value.get<std::string>() : value.dump();
}

/// Every option as it is typed, with its value.
Options options_of(const std::string& config_json, const std::string& where) {
  const auto config = parse_json(config_json, where);
  Options out;
  add(config.at("options"), "--", out);
  // Its place may differ when a run is resumed.
  for (const auto& option : list_options(PlaceSpec{})) out.erase("--" + option.name);
  const auto policy = [&out](const nlohmann::json& described) {
    std::string name = described.at("name");
    add(described.at("options"), "--" + name + ".", out);
    return name;
  };
  policy(config.at("attack"));
  std::string stack;
  for (const auto& each : config.at("mitigations"))
    stack += (stack.empty() ? "" : ",") + policy(each);
  out["--mitigate"] = stack;
  return out;
}

std::string quoted(const std::string& value) { return value.empty() ? "\"\"" : value; }

}  // namespace

void check_evaluation_places(const Run& run, const BatchSource& source) {
  const std::int64_t whole = source.steps() / source.steps_per_epoch();
  for (const auto step : run.evaluate_steps())
    if (step > source.steps())
      throw UsageError("--evaluate-at steps:" + std::to_string(step) + ": the last stage has " +
                       std::to_string(source.steps()) + " steps; name an earlier one, or end");
  for (const auto epoch : run.evaluate_epochs())
    if (epoch > whole)
      throw UsageError("--evaluate-at " + std::to_string(epoch) + ": the run has " +
                       std::to_string(whole) + (whole == 1 ? " whole epoch (" : " whole epochs (") +
                       std::to_string(source.steps()) + " steps); name an earlier one, or end");
}

std::string differing_options(const std::filesystem::path& run_file,
                              const std::string& config_json) {
  constexpr int most = 3;
  std::string text;
  int count = 0;
  try {
    const auto there = options_of(read_run(run_file).info.config_json, run_file.string());
    for (const auto& [name, now] : options_of(config_json, "options")) {
      const auto found = there.find(name);
      if (found == there.end() || found->second == now || ++count > most) continue;
      text += (text.empty() ? " (" : "; ") + name + " " + quoted(found->second) + " there, " +
              quoted(now) + " now";
    }
  } catch (const std::exception&) {  // the message goes without
    return "";
  }
  if (count > most) text += "; and " + std::to_string(count - most) + " more";
  return text.empty() ? "" : text + ")";
}

/// The different texts, or the only one.
static nlohmann::json one_or_list(const std::set<std::string>& texts) {
  constexpr std::size_t most = 10;
  if (texts.size() == 1) return *texts.begin();
  auto list = nlohmann::json::array();
  for (const auto& text : texts)
    if (list.size() < most) list.push_back(text);
  return list;
}

nlohmann::json resolved_json(const Run& run, const ChatTemplate& chat, const Tokenizer& tokenizer) {
  const auto system = [](const Dialogue& d) { return d.first(Role::system); };
  nlohmann::json out{{"judges", nlohmann::json::array()},
                     {"conditions", nlohmann::json::object()},
                     {"chat_template", chat.name()},
                     {"chat_template_source", chat.source()},
                     {"stop_ids", chat.stop_ids(tokenizer)}};
  for (const auto& judge : run.judges()) out["judges"].push_back(judge->name());
  std::set<std::string> of_rows;
  for (const Example& row : run.rows().rows) of_rows.insert(std::string(system(row.dialogue)));
  if (!of_rows.empty()) out["system_of_rows"] = one_or_list(of_rows);
  for (const Condition& condition : run.conditions()) {
    std::set<std::string> systems;
    for (const auto& [set, probes] : run.sets())
      for (const Probe& probe : *probes)
        systems.insert(std::string(system(run.prompt(probe, condition))));
    const Decoding& d = condition.decoding;
    out["conditions"][condition.name] = {{"system", one_or_list(systems)},
                                         {"prefill", d.prefill},
                                         {"temperature", d.temperature},
                                         {"top_p", d.top_p},
                                         {"samples", d.samples}};
  }
  return out;
}

bool is_run_file(const std::filesystem::path& path) {
  try {
    read_run(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void tell_nothing_to_resume(const std::filesystem::path& run_file) {
  warn("seawall: --resume: nothing to resume at %s; starting\n", run_file.c_str());
}

}  // namespace seawall
