// `judge`: verdicts on the answers that a run file holds, without training or asking again.
#include <cstdio>

#include "cli/policy_words.hpp"
#include "cli/print_run.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_spec.hpp"
#include "seawall/run/judged_run.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/place_spec.hpp"

namespace seawall::commands {
namespace {

namespace fs = std::filesystem;

struct JudgeOptions : NewOutputSpec, ThreadsSpec {
  std::string judge, write_outputs, probes, utility_probes, device = "cpu";
  static constexpr void visit(auto& self, auto&& field) {
    NewOutputSpec::visit(self, field, "run file to write, e.g. judged.h5",
                         "replace what is at --out");
    field(self.write_outputs,
          OptionInfo{.name = "write-outputs",
                     .help = "the answers as JSONL, for a tool that grades elsewhere"});
    field(self.probes,
          OptionInfo{.name = "probes",
                     .help = "the run's probes, for judges that read the bare request"});
    field(self.utility_probes,
          OptionInfo{.name = "utility-probes", .help = "the run's ordinary requests"});
    ModelSpec::visit_device(self, field);
    ThreadsSpec::visit(self, field);
  }
};

}  // namespace

int judge(const Program& program, const Words& words) {
  JudgeOptions options;
  std::string input;
  CommandLine line(
      program.name + " judge RUN.h5 [options]",
      "Judges the answers of a run file again, into another run file; nothing is trained "
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
  check_outputs_path(options.write_outputs,
                     {input, options.out.empty() ? fs::path() : RunPaths(options.out).file});
  set_threads(options.threads);
  RunData run = read_run(input, true);
  if (run.evaluations.empty()) throw DataError(input + ": the run has no evaluation to judge");
  if (!options.write_outputs.empty()) {
    const auto written = write_outputs(options.write_outputs, run);
    std::printf("wrote        %s, %s\n", options.write_outputs.c_str(), written.text().c_str());
  }
  if (judge_words.empty()) return 0;
  const auto scenario = scenario_of_run(
      run, {.probes = options.probes, .utility_probes = options.utility_probes}, program.readers);
  const Judges judges = judging.judges(*scenario, options.device);
  judge_anew(run, *scenario, judges);
  check_judged(run, judges);
  name_judged_run(run, input, options.out);
  write_run(options.out, run);
  if (!options.quiet) print_run(run, RunPaths(options.out).file);
  return 0;
}

}  // namespace seawall::commands
