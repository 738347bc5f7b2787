#pragma once
// One call of `reproduce`: which runs its tables need, which of them this machine makes, and what
// came out.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "seawall/study/grid_folder.hpp"
#include "seawall/study/tasks.hpp"

namespace seawall {

struct GridRequest {
  std::int64_t seeds = 3;
  std::string only = {};   // tables, separated by commas; empty: all
  std::string shard = {};  // i/n
};

class GridJob {
 public:
  /// Errors: UsageError for a table that there is not, or a shard that cannot be read.
  GridJob(const Grid& grid, const GridRequest& request);

  std::size_t size() const { return tasks_.size(); }  // runs, of every shard
  std::size_t cells() const;
  /// What a comparison is tested at: 0.05, in an arena divided by those that it plans.
  double alpha() const;
  /// Finds every run's key, so that its file has a name before anything trains, and writes
  /// `folder`/grid.json. `key` is asked with the words of a run, in forked workers. The exit code.
  int address(const std::filesystem::path& folder, const WorkOptions& work,
              const std::function<std::string(const std::vector<std::string>& words)>& key);
  /// Makes the runs of this shard that are not there yet, arms side by side, each in a process of
  /// its own. The exit code; after a signal no lock of a run that was starting is left.
  int run(const std::filesystem::path& folder, const WorkOptions& work) const;
  /// Writes `folder`/results.csv if every run is there; the tables, or what is missing, as text.
  std::string conclude(const std::filesystem::path& folder) const;
  /// Why not every run is there.
  std::string unfinished(const std::filesystem::path& folder) const;

 private:
  std::string name(std::size_t task) const;
  void drop_locks(const std::filesystem::path& folder) const;

  std::vector<GridTask> tasks_;
  GridFolder content_;
  std::vector<std::size_t> mine_;  // tasks of this shard
  mutable bool stopped_ = false;   // by a signal
};

}  // namespace seawall
