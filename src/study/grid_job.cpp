#include "seawall/study/grid_job.hpp"

#include <algorithm>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/study/results.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

using Words = std::vector<std::string>;

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
    return false;  // a broken file is written again
  }
}

}  // namespace

GridJob::GridJob(const Grid& grid, const GridRequest& request) {
  content_.grid = chosen(grid, request.only);
  content_.grid.command += " --seeds " + std::to_string(request.seeds) +
                           (request.only.empty() ? "" : " --only " + request.only);
  content_.version = program_version;
  content_.seeds = request.seeds;
  tasks_ = grid_tasks(content_.grid, request.seeds);
  const Shard shard = shard_from(request.shard);
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    if (shard.holds(i)) mine_.push_back(i);
}

std::size_t GridJob::cells() const {
  std::size_t all = 0;
  for (const Table& table : content_.grid.tables) all += table.cells.size();
  return all;
}

double GridJob::alpha() const {
  std::int64_t tests = 0;
  for (const Table& table : content_.grid.tables) {
    if (table.role != Table::Role::arena && table.role != Table::Role::settings) continue;
    std::set<std::string> rows;  // settings of one defence are one
    for (const GridCell& cell : table.cells)
      rows.insert(table.role == Table::Role::arena ? cell.cell : cell.choice);
    tests += std::ssize(rows) - 1;
  }
  return tests > 0 ? 0.05 / static_cast<double>(tests) : 0.05;
}

std::string GridJob::name(std::size_t task) const {
  return "arm " + tasks_[task].arm + ", seed " + std::to_string(tasks_[task].seed);
}

int GridJob::address(const fs::path& folder, const WorkOptions& work,
                     const std::function<std::string(const Words& words)>& key) {
  prepare_folder(folder / "arms");
  std::vector<std::string> keys;
  // Forked: reading the model takes less than starting the program.
  const int code = hash_tasks(
      tasks_.size(), {.what = "keys", .workers = work.workers, .quiet = true},
      [&](std::size_t i) { return key(words_of(tasks_[i], folder / "arms" / "none.h5")); },
      [&](std::size_t i) { return name(i); }, keys);
  if (code != 0) return code;
  for (std::size_t i = 0; i < keys.size(); ++i)
    content_.runs.push_back(grid_run(tasks_[i], keys[i]));
  write_grid(folder, content_);
  return 0;
}

int GridJob::run(const fs::path& folder, const WorkOptions& work) const {
  const int code = run_programs(
      mine_.size(), work,
      [&](std::size_t i) -> Words {
        const fs::path file = folder / content_.runs[mine_[i]].file;
        if (is_done(file)) return {};
        Words words = words_of(tasks_[mine_[i]], file);
        words.insert(words.begin(), "run");
        return words;
      },
      [&](std::size_t i) { return name(mine_[i]); });
  stopped_ = work.stopped() != 0;
  if (stopped_) drop_locks(folder);
  return code;
}

/// SHA256SUMS of what a study is: `sha256sum -c` and `seawall verify` read it.
static void write_sums(const fs::path& folder, const GridFolder& content) {
  std::string text;
  const auto add = [&](const std::string& name) {
    if (fs::exists(folder / name)) text += sha256_file(folder / name) + "  " + name + "\n";
  };
  add("grid.json");
  add("results.csv");
  for (const auto& run : content.runs) add(run.file);
  write_file_atomically(folder / "SHA256SUMS", std::string_view(text));
}

std::string GridJob::conclude(const fs::path& folder) const {
  const StudyReading study = read_study(load_grid({folder}));
  const std::string all = std::to_string(tasks_.size());
  if (const std::size_t missing = study.grid.missing.size(); missing > 0)
    return std::to_string(tasks_.size() - missing) + " of " + all + " runs are in " +
           folder.string() +
           "; the other shards bring the rest, and `seawall report` merges their folders";
  const fs::path csv = folder / "results.csv";
  const std::string results = results_csv(study);
  const bool stale =
      fs::exists(folder / "report.html") && (!fs::exists(csv) || read_file(csv) != results);
  write_file_atomically(csv, std::string_view(results));
  write_sums(folder, content_);
  return results_table(study) + "\nwrote " + csv.string() + " from " + all + " run files in " +
         (folder / "arms").string() +
         (stale ? "\nreport.html and results.md there are of before: `seawall report " +
                      folder.string() + "` writes them again"
                : "");
}

std::string GridJob::unfinished(const fs::path& folder) const {
  const auto there = std::ranges::count_if(
      mine_, [&](std::size_t task) { return is_done(folder / content_.runs[task].file); });
  const std::string text = std::to_string(there) + " of " + std::to_string(mine_.size()) +
                           " runs are there, the same command continues";
  if (stopped_) return "stopped; " + text;
  return "not every arm came to its end; " + text + ", and `seawall report " + folder.string() +
         "` shows them";
}

/// An arm that a signal ends while it starts leaves its lock; one that another process holds stays.
void GridJob::drop_locks(const fs::path& folder) const {
  for (const std::size_t task : mine_) {
    const fs::path lock = RunPaths(folder / content_.runs[task].file).lock;
    if (!fs::exists(lock)) continue;
    try {
      const RunLock taken(lock);  // removes it
    } catch (const Error&) {
    }
  }
}

}  // namespace seawall
