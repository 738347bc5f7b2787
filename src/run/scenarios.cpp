#include "seawall/run/scenarios.hpp"

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall {
namespace {

std::optional<std::filesystem::path> path_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::filesystem::path(text);
}

/// What a file was read as, and what of it is left out.
void say_read(const FileRead& file, const RunSpec& run) {
  const auto path = file.path.string();
  if (file.report.rejected > 0)
    warn("seawall: %s: %zu of %zu records rejected (first: %s)\n", path.c_str(),
         file.report.rejected, file.report.rows, file.report.first_rejection.c_str());
  if (run.place.quiet) return;
  tell("read         %s\n", file.summary().c_str());
  for (const auto& line : file.notes()) tell("             %s\n", line.c_str());
  if (file.report.prefilled == 0) return;
  tell("             prefilled answers are continued, and the continuation is judged%s\n",
       remote_model_name(run).empty()
           ? ""
           : "; they are sent as the last message, which not every endpoint continues");
}

FileScenarioOptions options_of(const RunSpec& run, const AnyAttack& attack) {
  FileScenarioOptions options;
  options.attack_rows = path_of(run.data.rows);
  options.attack_pool = pool_of(attack.needs());
  options.safe_rows = path_of(run.data.safe_rows);
  options.probes = path_of(run.data.probes);
  options.utility_probes = path_of(run.data.utility_probes);
  options.task_rows = path_of(run.task.rows);
  options.task_probes = path_of(run.task.probes);
  options.task_answer_after = run.task.answer_after;
  options.images = run.data.images;
  options.default_system = run.data.system;
  const auto format = [](const std::string& word) { return word == "auto" ? "" : word; };
  options.attack_format = format(run.data.rows_format);
  options.safe_format = format(run.data.safe_rows_format);
  options.probes_format = format(run.data.probes_format);
  options.utility_format = format(run.data.utility_probes_format);
  options.task_format = format(run.task.rows_format);
  options.task_probes_format = format(run.task.probes_format);
  options.filter = row_filter(run.data);
  options.filter.readers = options.probe_options.readers = run.plug_ins.readers;
  options.probe_options.column = run.data.probes_column;
  options.utility_column = run.data.utility_probes_column;
  options.probe_options.context = context_use_from(run.data.probes_context);
  options.probe_options.prefill = run.data.prefill == "put";
  options.probe_options.max_rejected = run.data.max_rejected;
  return options;
}

/// Asked after the files that are given were read, so that a missing one is named first.
void check_all_there(const RunSpec& run, const AnyAttack& attack) {
  const bool built_in = is_built_in_model(run.model.name);
  constexpr Need rows =
      Need::harmful_data | Need::safe_data | Need::benign_data | Need::identity_data;
  if (run.data.rows.empty() && !run.training.none && has(attack.needs(), rows))
    throw UsageError(
        built_in ? "the probes come from files, so the rows do too: give --data FILE (or "
                   "--no-training, or no files at all for the built-in world)"
                 : "--model " + run.model.name +
                       ": a model of your own needs rows to be attacked with; give --data FILE (or "
                       "--no-training)");
  if (run.data.probes.empty() && !run.evaluation.none)
    throw UsageError(
        built_in ? "the rows come from files, so the probes do too: want --probes FILE to evaluate "
                   "with (or --no-evaluation)"
                 : "--model " + run.model.name +
                       ": want --probes FILE to evaluate with (or --no-evaluation)");
  if (has(attack.needs(), Need::task_data) && run.task.probes.empty() && !run.evaluation.none)
    throw UsageError("--attack " + std::string(attack.name()) +
                     ": want --task-probes FILE to grade the task with (or --no-evaluation)");
}

}  // namespace

std::unique_ptr<Scenario> BuiltInWorld::make(const ScenarioSetting& setting) const {
  if (setting.run.from_files())
    throw UsageError(
        "--scenario organism: has rows and probes of its own; leave the files out, or give "
        "--scenario files");
  return std::make_unique<OrganismScenario>();
}

std::unique_ptr<Scenario> OwnFiles::make(const ScenarioSetting& setting) const {
  const RunSpec& run = setting.run;
  auto scenario = std::make_unique<FileScenario>(options_of(run, setting.attack));
  check_all_there(run, setting.attack);
  for (const auto& file : scenario->files()) say_read(file, run);
  flush_listener();
  return scenario;
}

const ScenarioCatalogue& scenario_catalogue() {
  static constexpr ScenarioCatalogue all = scenario_catalogue_of(Scenarios{});
  return all;
}

}  // namespace seawall
