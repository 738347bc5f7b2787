// `run`, `evaluate` and `reproduce`.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "seawall/cli/arm.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/reproduce.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

/// What a run came to, for a person.
void print_run(const RunData& run, const RunPaths& paths) {
  if (!run.steps.empty()) {
    const StepRecord& last = run.steps.back();
    std::printf("trained      %lld steps, loss %.4f, drift %.4f\n",
                static_cast<long long>(last.step), last.loss, last.drift);
  }
  if (!run.evaluations.empty())
    std::printf("%-6s %-10s %-12s %-22s %5s %7s %24s %9s %10s\n", "epoch", "condition", "probes",
                "judge", "n", "score", "rate % [95 %]", "refused %", "incoherent");
  for (const auto& e : run.evaluations) {
    for (std::size_t j = 0; j < e.judges.size(); ++j) {
      const Summary s = summarize(e, j);
      const Estimate w =
          wilson_with_invalid(static_cast<double>(s.successes), static_cast<double>(s.n),
                              static_cast<double>(s.invalid));
      char rate[64];
      std::snprintf(rate, sizeof rate, "%.1f [%.1f, %.1f]", 100 * w.value, 100 * w.lo, 100 * w.hi);
      std::printf("%-6lld %-10s %-12s %-22s %5lld %7.2f %24s %9.1f %10lld",
                  static_cast<long long>(e.epoch), e.condition.c_str(), e.set.c_str(),
                  e.judges[j].c_str(), static_cast<long long>(s.n), s.mean_score, rate,
                  100 * s.refusal_rate(), static_cast<long long>(s.incoherent));
      if (s.invalid > 0) std::printf("  %lld not judged", static_cast<long long>(s.invalid));
      std::printf("\n");
    }
  }
  std::printf("wrote        %s\n", paths.file.string().c_str());
}

struct ReproduceOptions {
  std::string out = "results", only;
  std::int64_t seeds = 3, workers = 0;
  bool quiet = false;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.out,
          OptionInfo{.name = "out", .help = "folder for results.csv and one run file an arm"});
    field(self.only, OptionInfo{.name = "only", .help = "tables, separated by commas; empty: all"});
    field(self.seeds,
          OptionInfo{.name = "seeds", .help = "runs of every trained arm", .min = 1, .max = 10000});
    field(self.workers,
          OptionInfo{.name = "workers",
                     .help = "arms side by side, one core each; 0: as many as there are cores",
                     .min = 0,
                     .max = 4096});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no progress, no table"});
  }
};

std::vector<GridCell> choose_cells(const Grid& grid, const std::string& only) {
  std::vector<std::string> tables;
  for (const auto& cell : grid.cells)
    if (std::find(tables.begin(), tables.end(), cell.table) == tables.end())
      tables.push_back(cell.table);
  const auto wanted = split_list(only);
  for (const auto& w : wanted) {
    if (std::find(tables.begin(), tables.end(), w) != tables.end()) continue;
    std::string known;
    for (const auto& t : tables) known += (known.empty() ? "" : ", ") + t;
    throw UsageError("--only " + w + ": no such table; there are " + known);
  }
  std::vector<GridCell> cells;
  for (const auto& cell : grid.cells)
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), cell.table) != wanted.end())
      cells.push_back(cell);
  return cells;
}

/// One arm of a grid in this process; a run file that is complete and was made by the same options
/// stands.
void run_task(const Program& program, const GridTask& task) {
  Words words = task.words;
  for (const char* w : {"--quiet", "--no-checkpoint", "--overwrite"}) words.emplace_back(w);
  words.insert(words.end(), {"--threads", "1"});
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (already_done(request.attack, request.stack, request.spec)) return;
  SignalGuard signals;
  run_arm(request.attack, request.stack, request.spec);
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  SignalGuard signals;
  const RunData data = run_arm(request.attack, request.stack, request.spec);
  if (!request.spec.quiet && !request.spec.dry_run) print_run(data, RunPaths(request.spec.out));
  return 0;
}

int evaluate(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  Words with = words;
  with.emplace_back("--no-training");
  RunRequest request = parse_run(program, "evaluate", with, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  SignalGuard signals;
  const RunData data = run_arm(request.attack, request.stack, request.spec);
  if (!request.spec.quiet && !request.spec.dry_run) print_run(data, RunPaths(request.spec.out));
  return 0;
}

int reproduce(const Program& program, const Words& words) {
  namespace fs = std::filesystem;
  ReproduceOptions options;
  CommandLine line("seawall reproduce [--only table1,table5] [--seeds 3] [--out DIR] [options]",
                   "Runs the paper's tables on the organism, arms side by side on the cores; "
                   "interrupted, it continues where it stopped.");
  line.add(options, "Options");
  line.add_list("only", "tables; all where it is not given", options.only);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const auto cells = choose_cells(program.grid, options.only);
  const fs::path folder = options.out;
  const auto published = read_published(data_folder() / "paper" / "qi2023.csv");
  prepare_folder(folder / "arms");
  const auto tasks = grid_tasks(program.grid, cells, options.seeds, folder);
  const int workers = static_cast<int>(options.workers > 0 ? options.workers : available_cores());
  const int code = run_tasks(tasks, std::min<int>(workers, static_cast<int>(tasks.size())),
                             options.quiet, [&](const GridTask& task) { run_task(program, task); });
  if (code != 0) {
    std::fprintf(stderr,
                 "seawall: reproduce stopped before all arms were done; the same command continues "
                 "with the rest\n");
    return code;
  }
  const auto results = collect(cells, tasks);
  write_file_atomically(folder / "results.csv", std::string_view(results_csv(results)));
  if (!options.quiet)
    std::printf("%s\nwrote %s and %zu run files in %s\n", results_table(results, published).c_str(),
                (folder / "results.csv").c_str(), tasks.size(), (folder / "arms").c_str());
  return 0;
}

}  // namespace seawall::commands
