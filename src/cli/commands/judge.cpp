// `judge`: verdicts on the answers that a run file holds, without training or asking again.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/policy_words.hpp"
#include "cli/print_run.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/judged_run.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall::commands {
namespace {

namespace fs = std::filesystem;

struct JudgeOptions {
  std::string judge, out, write_outputs, probes, utility_probes, device = "cpu";
  std::int64_t threads = 0;
  bool overwrite = false, quiet = false;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.judge, OptionInfo{.name = "judge", .help = "judges; the first decides the table"});
    field(self.out, OptionInfo{.name = "out", .help = "run file to write, e.g. judged.h5"});
    field(self.write_outputs,
          OptionInfo{.name = "write-outputs",
                     .help = "the answers as JSONL, for a tool that grades elsewhere"});
    field(self.probes,
          OptionInfo{.name = "probes",
                     .help = "the run's probes, for judges that read the bare request"});
    field(self.utility_probes,
          OptionInfo{.name = "utility-probes", .help = "the run's ordinary requests"});
    field(self.device, OptionInfo{.name = "device", .help = "cpu, cuda or cuda:N, of classifiers"});
    field(
        self.threads,
        OptionInfo{.name = "threads", .help = "CPU threads; 0: all cores", .min = 0, .max = 4096});
    field(self.overwrite, OptionInfo{.name = "overwrite", .help = "replace what is at --out"});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no table"});
  }
};

/// The organism's world where the run was of it, else the probes that are given.
std::unique_ptr<Scenario> scenario_of(const RunData& run, const JudgeOptions& options,
                                      const ReaderCatalogue& readers) {
  const auto config = parse_json(run.info.config_json, "configuration of the run");
  const auto used = config.value("options", nlohmann::json::object());
  const bool own = !used.value("data", "").empty() || !used.value("probes", "").empty();
  if (options.probes.empty() && options.utility_probes.empty() && !own &&
      used.value("model", "") == "organism")
    return std::make_unique<OrganismScenario>();
  // Read as the run read them.
  const auto word = [&used](const char* name) {
    const std::string text = used.value(name, "");
    return text == "auto" ? std::string() : text;
  };
  FileScenarioOptions files;
  files.probe_options.readers = readers;
  files.probes_format = word("probes-format");
  files.utility_format = word("utility-probes-format");
  files.probe_options.column = word("probes-column");
  files.utility_column = word("utility-probes-column");
  files.probe_options.prefill = word("prefill") == "put";
  if (const auto context = word("probes-context"); !context.empty())
    files.probe_options.context = context_use_from(context);
  if (!options.probes.empty()) files.probes = options.probes;
  if (!options.utility_probes.empty()) files.utility_probes = options.utility_probes;
  return std::make_unique<FileScenario>(files);
}

/// Errors: DataError if no answer could be judged by any of the judges.
void check_judged(const RunData& run, const Judges& judges) {
  CommonReason why;
  for (const auto& e : run.evaluations)
    for (std::size_t j = 0; j < judges.size(); ++j) {
      const CommonReason here = invalid_reason(e, j);
      if (static_cast<std::size_t>(here.all) < e.results.size()) return;
      if (here.count > why.count) why = here;
    }
  throw DataError("--judge " + std::string(judges.front()->name()) +
                  ": none of the run's answers could be judged, most often: " + why.text +
                  "; nothing was written");
}

}  // namespace

int judge(const Program& program, const Words& words) {
  JudgeOptions options;
  std::string input;
  CommandLine line(
      "seawall judge RUN.h5 [options]",
      "Judges the answers of a run file anew into another run file; nothing is trained "
      "or asked again.");
  line.add(options, "Options");
  Judging judging(line, program, "judges; the first decides the table", options.judge);
  line.positional("RUN.h5", "a run file", input);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const auto judge_words = split_list(options.judge);
  if (judge_words.empty() && options.write_outputs.empty())
    throw UsageError("judge: want --judge and --out, or --write-outputs FILE.jsonl");
  if (judge_words.empty() != options.out.empty())
    throw UsageError("judge: --judge and --out go together");
  if (!options.out.empty()) {
    const auto out = RunPaths(options.out).file;
    std::error_code ignored;
    if (fs::equivalent(out, input, ignored))
      throw UsageError("--out " + out.string() + ": is the run file itself; want another file");
    if (fs::exists(out) && !options.overwrite)
      throw UsageError("--out " + out.string() + ": is there already; give --overwrite or another");
  }
  set_threads(options.threads);
  RunData run = read_run(input, true);
  if (run.evaluations.empty()) throw DataError(input + ": the run has no evaluation to judge");
  if (!options.write_outputs.empty()) {
    const auto written = write_outputs(options.write_outputs, run);
    std::printf("wrote        %s, %s\n", options.write_outputs.c_str(), written.text().c_str());
  }
  if (judge_words.empty()) return 0;
  const auto scenario = scenario_of(run, options, program.readers);
  const Judges judges = judging.judges(*scenario, options.device);
  judge_anew(run, *scenario, judges);
  check_judged(run, judges);
  name_judged_run(run, input, options.out);
  write_run(options.out, run);
  if (!options.quiet) print_run(run, RunPaths(options.out).file);
  return 0;
}

}  // namespace seawall::commands
