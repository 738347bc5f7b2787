#include "run/run_checks.hpp"

#include <map>
#include <nlohmann/json.hpp>

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
