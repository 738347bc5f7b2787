// `reproduce`: the tables of a program's study, over cores and over machines.
#include <algorithm>
#include <cstdio>

#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/power.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/run_key.hpp"
#include "seawall/study/arm.hpp"
#include "seawall/study/grid_job.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

struct ReproduceOptions : OutputSpec {
  ReproduceOptions() { out = "results"; }
  std::string study, only, shard, model, data, probes, device = "cpu";
  std::int64_t seeds = 3, workers = 0;
  bool plan = false;
  static constexpr void visit(auto& self, auto&& field) {
    OutputSpec::visit(self, field, "folder for grid.json, results.csv and the run files");
    field(self.study, OptionInfo{.name = "study",
                                 .help = "another study than the one that is usual; see below"});
    field(self.only, OptionInfo{.name = "only", .help = "tables, separated by commas; empty: all"});
    field(self.seeds,
          OptionInfo{.name = "seeds", .help = "runs of every trained arm", .min = 1, .max = 10000});
    field(self.shard, OptionInfo{.name = "shard",
                                 .help = "i/n: the i-th of n parts, for as many machines; `seawall "
                                         "report` merges the folders"});
    field(self.workers,
          OptionInfo{.name = "workers",
                     .help = "arms side by side; 0: as many as there are cores, or GPUs with "
                             "--device cuda",
                     .min = 0,
                     .max = 4096});
    field(self.model, OptionInfo{.name = "model",
                                 .help = "every arm on this model, in place of the study's own"});
    field(self.data,
          OptionInfo{.name = "data",
                     .help = "every arm's rows from this file; with --model, see `seawall "
                             "run --help`"});
    field(self.probes, OptionInfo{.name = "probes", .help = "every arm's probes from this file"});
    field(self.device,
          OptionInfo{.name = "device",
                     .help = "cpu, or cuda: each arm on a GPU of its own, or sharing one where "
                             "there are more workers"});
    field(self.plan, OptionInfo{.name = "plan",
                                .help = "print the runs and the smallest differences that so many "
                                        "probes and seeds detect, and train nothing"});
  }
};

std::string studies_text(const Program& program) {
  std::string text;
  for (const NamedStudy& study : program.studies)
    text += "\n--study " + study.name + ": " + study.summary;
  return text;
}

/// The study that is asked for, on the model that is. Errors: UsageError naming those that there
/// are.
Grid grid_of(const Program& program, const ReproduceOptions& options) {
  Grid grid = program.grid;
  if (!options.study.empty()) {
    const auto found = std::ranges::find(program.studies, options.study, &NamedStudy::name);
    std::string known;
    for (const auto& study : program.studies) known += (known.empty() ? "" : ", ") + study.name;
    if (found == program.studies.end())
      throw UsageError("--study " + options.study + ": no such study; there " +
                       (known.empty() ? "is none besides the usual" : "are " + known));
    grid = found->grid();
    grid.command += " --study " + options.study;
  }
  if (constexpr std::string_view shipped = "seawall "; grid.command.starts_with(shipped))
    grid.command.replace(0, shipped.size(), program.name + " ");
  if (options.device != "cpu") {
    const std::string words = " " + quoted({"--device", options.device});
    grid.command += words;
    for (GridArm& arm : grid.arms) arm.words += words;
  }
  std::vector<std::string> words;
  for (const auto& [name, value] : {std::pair("--model", &options.model),
                                    {"--data", &options.data},
                                    {"--probes", &options.probes}})
    if (!value->empty()) words.insert(words.end(), {name, *value});
  if (words.empty()) return grid;
  grid.command += " " + quoted(words);
  for (GridArm& arm : grid.arms) {
    arm.words += " " + quoted(words);
    arm.values.reset();
  }
  return grid;
}

}  // namespace

int reproduce(const Program& program, const Words& words) {
  ReproduceOptions options;
  CommandLine line(
      program.name + " reproduce [--only TABLE,TABLE] [--seeds 3] [--out DIR] [options]",
      "Runs the tables of a study, arms side by side on the cores. Interrupted, the "
      "same command continues; changed, it runs what changed." +
          studies_text(program));
  line.add(options, "Options");
  line.add_list("only", "tables; all if it is not given", options.only);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const Grid grid = grid_of(program, options);
  if (grid.tables.empty())
    throw UsageError(
        "reproduce: this program has no usual study; name one with --study, give its Program a "
        "`grid` (docs/extending.md), or use `seawall reproduce`");
  GridJob job(grid, {.seeds = options.seeds, .only = options.only, .shard = options.shard});
  if (options.plan) {
    std::printf("%zu cells from %zu runs\n\n%s", job.cells(), job.size(),
                plan_table({.seeds = options.seeds, .alpha = job.alpha()}).c_str());
    return 0;
  }
  if (options.device.starts_with("cuda:"))
    throw UsageError("--device " + options.device +
                     ": want cpu or cuda; CUDA_VISIBLE_DEVICES=N chooses cards");
  WorkOptions work{.quiet = options.quiet, .stopped = [] { return stop_signal(); }};
  if (options.device == "cuda") work.cards = visible_cards();
  if (options.device == "cuda" && work.cards.empty())
    throw UsageError(
        "--device cuda: no GPU is there for the arms (/dev/nvidia0, or those that "
        "CUDA_VISIBLE_DEVICES names)");
  work.workers = static_cast<int>(options.workers > 0  ? options.workers
                                  : work.cards.empty() ? available_cores()
                                                       : std::ssize(work.cards));
  const auto key = [&](const Words& run_words) {
    CommandLine::Outcome outcome;
    RunRequest request = parse_run(program, "run", run_words, outcome);
    return run_key(request.attack, request.stack, request.spec);
  };
  if (const int code = job.address(options.out, work, key); code != 0) return code;
  const SignalGuard signals;
  const int code = job.run(options.out, work);
  const std::string text = code == 0 ? job.conclude(options.out) : job.unfinished(options.out);
  if (code != 0)
    std::fprintf(stderr, "seawall: %s\n", text.c_str());
  else if (!options.quiet)
    std::printf("%s\n", text.c_str());
  return code;
}

}  // namespace seawall::commands
