// `reproduce`: the tables of a program's study, over cores and over machines.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"
#include "seawall/eval/power.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/study/results.hpp"
#include "seawall/study/tasks.hpp"
#include "seawall/train/signals.hpp"

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
    field(self.only, OptionInfo{.name = "only", .help = "tables, separated by commas; empty: all"});
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

/// The tables that `only` names, or all, with the arms that they need.
Grid chosen(const Grid& grid, const std::string& only) {
  const auto wanted = split_list(only);
  std::string known;
  for (const Table& t : grid.tables) known += (known.empty() ? "" : ", ") + t.name;
  for (const auto& w : wanted)
    if (std::ranges::find(grid.tables, w, &Table::name) == grid.tables.end())
      throw UsageError("--only " + w + ": no such table; there are " + known);
  Grid out = grid;
  std::erase_if(out.tables, [&](const Table& t) {
    return !wanted.empty() && std::ranges::find(wanted, t.name) == wanted.end();
  });
  std::set<std::string> needed;
  for (const Table& table : out.tables)
    for (const GridCell& cell : table.cells) needed.insert(cell.arm);
  std::erase_if(out.arms, [&](const GridArm& arm) { return !needed.contains(arm.name); });
  return out;
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
  Job job;
  auto& content = job.content;
  content.grid = chosen(program.grid, options.only);
  content.grid.command += " --seeds " + std::to_string(options.seeds) +
                          (options.only.empty() ? "" : " --only " + options.only);
  content.version = program_version;
  content.seeds = options.seeds;
  job.tasks = grid_tasks(content.grid, options.seeds);
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
  const StudyReading study = read_study(load_grid({folder}));
  const std::size_t all = job.tasks.size(), missing = study.grid.missing.size();
  if (missing > 0) {
    if (!quiet)
      std::printf(
          "%zu of %zu runs are in %s; the other shards bring the rest, and `seawall "
          "report` merges their folders\n",
          all - missing, all, folder.c_str());
    return;
  }
  write_file_atomically(folder / "results.csv", std::string_view(results_csv(study)));
  if (quiet) return;
  std::printf("%s\nwrote %s from %zu run files in %s\n", results_table(study).c_str(),
              (folder / "results.csv").c_str(), all, (folder / "arms").c_str());
}

/// An arm that a signal ends while it starts leaves its lock; one that another process holds stays.
void drop_locks(const Job& job, const fs::path& folder) {
  for (const std::size_t task : job.mine) {
    const fs::path lock = RunPaths(folder / job.content.runs[task].file).lock;
    if (!fs::exists(lock)) continue;
    try {
      const RunLock taken(lock);  // removes it
    } catch (const Error&) {
    }
  }
}

/// Says why not every run is there.
void say_stopped(const Job& job, const fs::path& folder) {
  if (stop_signal() == 0) {
    std::fprintf(stderr,
                 "seawall: reproduce stopped before all arms were done; the same command continues "
                 "with the rest\n");
    return;
  }
  drop_locks(job, folder);
  const auto there = std::ranges::count_if(
      job.mine, [&](std::size_t task) { return is_done(folder / job.content.runs[task].file); });
  std::fprintf(stderr, "seawall: stopped; %td of %zu runs are there, the same command continues\n",
               there, job.mine.size());
}

/// Runs what this shard has to, arms side by side. The exit code.
int run_arms(const Job& job, const fs::path& folder, int workers, bool quiet) {
  const SignalGuard signals;
  const int code = run_programs(
      job.mine.size(),
      {.what = "arms", .workers = workers, .quiet = quiet, .stopped = [] { return stop_signal(); }},
      [&](std::size_t i) -> Words {
        const std::size_t task = job.mine[i];
        const fs::path file = folder / job.content.runs[task].file;
        if (is_done(file)) return {};
        Words words = words_of(job.tasks[task], file);
        words.insert(words.begin(), "run");
        return words;
      },
      [&](std::size_t i) { return job.name(job.mine[i]); });
  if (code != 0) say_stopped(job, folder);
  return code;
}

}  // namespace

int reproduce(const Program& program, const Words& words) {
  ReproduceOptions options;
  CommandLine line(program.grid.command + " [--only TABLE,TABLE] [--seeds 3] [--out DIR] [options]",
                   "Runs the tables of a study, arms side by side on the cores. Interrupted, the "
                   "same command continues; changed, it runs what changed.");
  line.add(options, "Options");
  line.add_list("only", "tables; all if it is not given", options.only);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (program.grid.tables.empty())
    throw UsageError(
        "reproduce: this program has no tables; give its Program a `grid` (docs/extending.md), or "
        "use `seawall reproduce`");
  Job job = make_job(program, options);
  if (options.plan) {
    std::size_t cells = 0;
    for (const Table& table : job.content.grid.tables) cells += table.cells.size();
    std::printf("%zu cells from %zu runs\n\n%s", cells, job.tasks.size(),
                plan_table({.seeds = options.seeds}).c_str());
    return 0;
  }
  const fs::path folder = options.out;
  prepare_folder(folder / "arms");
  const int workers = static_cast<int>(options.workers > 0 ? options.workers : available_cores());
  if (const int code = address(program, job, folder, workers); code != 0) return code;
  write_grid(folder, job.content);
  if (const int code = run_arms(job, folder, workers, options.quiet); code != 0) return code;
  conclude(job, folder, options.quiet);
  return 0;
}

}  // namespace seawall::commands
