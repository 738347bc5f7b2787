#include "cli/run_command.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/json.hpp"
#include "seawall/core/options.hpp"
#include "seawall/core/text.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {
namespace {

using Defaults = std::map<std::string, std::string>;

void add(Defaults& defaults, const std::vector<OptionValue>& options) {
  for (const auto& option : options) defaults.emplace(option.name, option.value);
}

using Options = std::vector<std::pair<std::string, std::string>>;

/// Options that differ from their defaults; those of a policy as POLICY.name. `switches` takes the
/// names of those that are given without a value.
void differing(const nlohmann::json& options, const Defaults& defaults, const std::string& policy,
               Options& out, std::set<std::string>& switches) {
  static const std::set<std::string> elsewhere{"attack", "mitigate",    "out",
                                               "resume", "tensorboard", "overwrite",
                                               "quiet",  "dry-run",     "threads"};
  for (const auto& [name, json] : options.items()) {
    const std::string value = json.is_string() ? json.get<std::string>() : json.dump();
    const auto found = defaults.find(name);
    if (found == defaults.end() || found->second == value) continue;  // no option, or as it is
    if (policy.empty() && elsewhere.contains(name)) continue;
    out.emplace_back(policy + name, value);
    // A switch of a run takes no value, that of a policy does.
    if (policy.empty() && name.find('.') == std::string::npos && found->second == "false")
      switches.insert(name);
  }
}

void of_policy(const auto& catalogue, const nlohmann::json& policy, Options& out,
               std::set<std::string>& switches) {
  if (!policy.is_object()) return;
  const std::string name = policy.value("name", "");
  Defaults defaults;
  for (const auto& entry : catalogue.entries())
    if (entry.name == name) add(defaults, entry.options({}));
  differing(policy.value("options", nlohmann::json::object()), defaults, name + ".", out, switches);
}

Options options_of(const Program& program, const RunInfo& info, std::set<std::string>& switches) {
  const auto config = parse_json(info.config_json, "configuration of the run");
  const RunSpec spec;
  Defaults defaults;
  add(defaults, list_options(spec));
  add(defaults, list_options(spec.task));
  add(defaults, list_options(spec.endpoint));
  add(defaults, list_options(spec.remote));
  add(defaults, list_options(spec.rubric));
  add(defaults, list_options(spec.plug_ins));
  const auto add_options = [&](const auto& catalogue) {
    for (const auto& entry : catalogue.entries())
      for (const auto& option : entry.options({}))
        defaults.emplace(std::string(entry.name) + "." + option.name, option.value);
  };
  add_options(program.judges);
  add_options(program.scenarios);
  Options out{{"attack", info.attack}};
  if (!info.mitigations.empty()) out.emplace_back("mitigate", info.mitigations);
  if (config.contains("attack")) of_policy(program.attacks, config["attack"], out, switches);
  for (const auto& policy : config.value("mitigations", nlohmann::json::array()))
    of_policy(program.mitigations, policy, out, switches);
  differing(config.value("options", nlohmann::json::object()), defaults, "", out, switches);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> run_options(const Program& program,
                                                             const RunInfo& info) {
  std::set<std::string> switches;
  return options_of(program, info, switches);
}

std::string run_command(const Program& program, const RunInfo& info) {
  std::set<std::string> switches;
  std::string text = program.name + " run";
  for (const auto& [name, value] : options_of(program, info, switches)) {
    text += " --" + name;
    if (!switches.contains(name)) text += " " + shell_word(value);
  }
  return text;
}

}  // namespace seawall
