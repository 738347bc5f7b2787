#pragma once
// A grid run arm by arm on the cores.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "seawall/study/grid_folder.hpp"

namespace seawall {

/// One arm under one seed: the words `seawall run` is given, --seed included, --out not.
struct GridTask {
  std::string arm;
  std::int64_t seed = 0;
  std::vector<std::string> words;
};
/// Every arm of the grid once for each seed; an arm without training once.
std::vector<GridTask> grid_tasks(const Grid& grid, std::int64_t seeds);
/// The run that a task makes, once its key is known.
GridRun grid_run(const GridTask& task, const std::string& key);

/// Shard `index` of `count`: the tasks whose number modulo count is index - 1.
struct Shard {
  std::size_t index = 1, count = 1;
  bool holds(std::size_t task) const { return task % count == index - 1; }
};
/// Reads `i/n`, 1 <= i <= n; empty is 1/1. Errors: UsageError.
Shard shard_from(const std::string& text);

/// What a run of tasks is told of.
struct WorkOptions {
  std::string what = "arms";  // on the progress bar
  int workers = 1;
  bool quiet = false;
  std::string program = "/proc/self/exe";  // what run_programs executes
  /// GPUs by the names that CUDA_VISIBLE_DEVICES has for them: run_programs gives each process one,
  /// and the processes take turns where there are more of them. Empty: leaves the variable alone.
  std::vector<std::string> cards = {};
  /// A signal that came, else 0: run_programs then ends its processes, and says nothing of them.
  std::function<int()> stopped = [] { return 0; };
};
/// The GPUs that a program started here would see: those of CUDA_VISIBLE_DEVICES, else all of the
/// driver's. CUDA is not asked, which does not survive a fork.
std::vector<std::string> visible_cards();
/// Executes the program again for each i in 0..count, with `words(i)` (`run` and the arm's words),
/// so many at once as there are workers: an arm's memory is its own, and it may use a GPU. No
/// words: the task is done already. What a process prints on stderr is printed with `name(i)`. One
/// that fails does not keep the others from their turn, unless three fail one after the other; the
/// first one's exit code comes back. The processes end with this one. 0 when all were done; 128 +
/// the signal if one stopped it.
int run_programs(std::size_t count, const WorkOptions& options,
                 const std::function<std::vector<std::string>(std::size_t)>& words,
                 const std::function<std::string(std::size_t)>& name);
/// Runs `work(i)` for i in 0..count on forked processes, for short tasks that share this one's
/// start; the caller has not used libtorch's threads. What it throws ends the others after their
/// current one, is printed with `name(i)`, and its exit code comes back. 0 when all were done.
int run_tasks(std::size_t count, const WorkOptions& options,
              const std::function<void(std::size_t)>& work,
              const std::function<std::string(std::size_t)>& name);
/// The same for tasks that answer a SHA-256 in hex; `out` has one a task.
int hash_tasks(std::size_t count, const WorkOptions& options,
               const std::function<std::string(std::size_t)>& work,
               const std::function<std::string(std::size_t)>& name, std::vector<std::string>& out);

}  // namespace seawall
