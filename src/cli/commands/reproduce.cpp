// `reproduce`: the paper's grid, over cores and over machines.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"
#include "seawall/eval/power.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/study/results.hpp"
#include "seawall/study/table_ties.hpp"
#include "seawall/study/tasks.hpp"

namespace seawall::commands {
namespace fs = std::filesystem;
namespace {

struct ReproduceOptions {
  std::string out = "results", only, shard;
  std::int64_t seeds = 3, workers = 0;
  bool plan = false, quiet = false;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.out,
          OptionInfo{.name = "out", .help = "folder for grid.json, results.csv and the run files"});
    field(self.only, OptionInfo{.name = "only",
                                .help = "tables and figures, separated by commas; empty: all"});
    field(self.seeds,
          OptionInfo{.name = "seeds", .help = "runs of every trained arm", .min = 1, .max = 10000});
    field(self.shard, OptionInfo{.name = "shard",
                                 .help = "i/n: the i-th of n parts, for as many machines; `seawall "
                                         "report` merges the folders"});
    field(self.workers,
          OptionInfo{.name = "workers",
                     .help = "arms side by side, one core each; 0: as many as there are cores",
                     .min = 0,
                     .max = 4096});
    field(self.plan, OptionInfo{.name = "plan",
                                .help = "print the runs and the smallest differences that so many "
                                        "probes and seeds detect, and train nothing"});
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

/// What an arm's process is given after `run`. An arm whose evaluation failed left its state, and
/// goes on from it.
Words words_of(const GridTask& task, const fs::path& out) {
  Words words = task.words;
  const bool goes_on = is_checkpoint(RunPaths(out).checkpoints);
  for (const char* w : {"--quiet", "--no-checkpoint", goes_on ? "--resume" : "--overwrite"})
    words.emplace_back(w);
  words.insert(words.end(), {"--threads", "1", "--out", out.string()});
  return words;
}

/// A run file that is whole and came to its end.
bool is_done(const fs::path& file) {
  if (!fs::exists(file)) return false;
  try {
    return read_run(file).complete;
  } catch (const DataError&) {
    return false;  // a broken file is made anew
  }
}

/// The grid of one call: its cells, its runs, and which of them this shard makes.
struct Job {
  std::vector<GridTask> tasks;
  GridFolder content;
  std::vector<std::size_t> mine;  // tasks of this shard

  std::string name(std::size_t task) const {
    return "arm " + tasks[task].arm + ", seed " + std::to_string(tasks[task].seed);
  }
};

Job make_job(const Program& program, const ReproduceOptions& options) {
  const Grid& grid = program.grid;
  Job job;
  auto& content = job.content;
  content.command = program.grid_command + " --seeds " + std::to_string(options.seeds) +
                    (options.only.empty() ? "" : " --only " + options.only);
  content.version = kVersion;
  content.seeds = options.seeds;
  content.grid.cells = choose_cells(grid, options.only);
  job.tasks = grid_tasks(grid, content.grid.cells, options.seeds);
  for (const auto& arm : grid.arms)
    if (std::any_of(job.tasks.begin(), job.tasks.end(),
                    [&](const GridTask& t) { return t.arm == arm.name; }))
      content.grid.arms.push_back(arm);
  const Shard shard = shard_from(options.shard);
  for (std::size_t i = 0; i < job.tasks.size(); ++i)
    if (shard.holds(i)) job.mine.push_back(i);
  return job;
}

/// Every run's key, so that its file has a name before anything trains; in forked workers, since
/// reading the model takes less than starting the program.
int address(const Program& program, Job& job, const fs::path& folder, int workers) {
  std::vector<std::string> keys;
  const int code = hash_tasks(
      job.tasks.size(), {.what = "keys", .workers = workers, .quiet = true},
      [&](std::size_t i) {
        CommandLine::Outcome outcome;
        RunRequest request =
            parse_run(program, "run", words_of(job.tasks[i], folder / "arms" / "none.h5"), outcome);
        return run_key(request.attack, request.stack, request.spec);
      },
      [&](std::size_t i) { return job.name(i); }, keys);
  for (std::size_t i = 0; i < keys.size(); ++i)
    job.content.runs.push_back(grid_run(job.tasks[i], keys[i]));
  return code;
}

/// What came out, once every run of the grid is there.
void conclude(const Job& job, const fs::path& folder, bool quiet) {
  const LoadedGrid grid = load_grid({folder});
  const std::size_t all = job.tasks.size(), missing = grid.missing.size();
  if (missing > 0) {
    if (!quiet)
      std::printf(
          "%zu of %zu runs are in %s; the other shards bring the rest, and `seawall "
          "report` merges their folders\n",
          all - missing, all, folder.c_str());
    return;
  }
  const auto results = collect(grid);
  write_file_atomically(folder / "results.csv", std::string_view(results_csv(results)));
  if (quiet) return;
  const auto published = read_published(data_folder() / "paper" / "qi2023.csv");
  std::printf("%s\nwrote %s from %zu run files in %s\n",
              results_table(results, published, ties_of_tables(grid)).c_str(),
              (folder / "results.csv").c_str(), all, (folder / "arms").c_str());
}

}  // namespace

int reproduce(const Program& program, const Words& words) {
  ReproduceOptions options;
  CommandLine line(
      "seawall reproduce [--only table1,figure2] [--seeds 3] [--out DIR] [options]",
      "Runs the paper's tables and figures on the organism, arms side by side on the "
      "cores. Interrupted, the same command continues; changed, it runs what changed.");
  line.add(options, "Options");
  line.add_list("only", "tables and figures; all where it is not given", options.only);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  Job job = make_job(program, options);
  if (options.plan) {
    std::printf("%zu cells from %zu runs\n\n%s", job.content.grid.cells.size(), job.tasks.size(),
                plan_table({.seeds = options.seeds}).c_str());
    return 0;
  }
  const fs::path folder = options.out;
  prepare_folder(folder / "arms");
  const int workers = static_cast<int>(options.workers > 0 ? options.workers : available_cores());
  if (const int code = address(program, job, folder, workers); code != 0) return code;
  write_grid(folder, job.content);
  const int code = run_programs(
      job.mine.size(), {.what = "arms", .workers = workers, .quiet = options.quiet},
      [&](std::size_t i) -> Words {
        const std::size_t task = job.mine[i];
        const fs::path file = folder / job.content.runs[task].file;
        if (is_done(file)) return {};
        Words words = words_of(job.tasks[task], file);
        words.insert(words.begin(), "run");
        return words;
      },
      [&](std::size_t i) { return job.name(job.mine[i]); });
  if (code != 0) {
    std::fprintf(stderr,
                 "seawall: reproduce stopped before all arms were done; the same command continues "
                 "with the rest\n");
    return code;
  }
  conclude(job, folder, options.quiet);
  return 0;
}

}  // namespace seawall::commands
