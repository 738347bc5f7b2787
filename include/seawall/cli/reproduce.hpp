#pragma once
// A grid run arm by arm on the cores, and its cells as a table and results.csv.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "seawall/cli/grid.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {

/// A published figure beside one of ours; NaN where the paper prints none.
struct PublishedFigure {
  std::string table, cell, condition, model;
  double score = 0, rate = 0;  // 1..5; percent
};
/// Reads data/paper/qi2023.csv. Errors: IoError; DataError naming the line.
std::vector<PublishedFigure> read_published(const std::filesystem::path& file);

/// One row of results.csv. Units there: score 1..5; rate and utility in percent.
struct GridResult {
  GridCell cell;
  CellEstimate estimate;
};

/// One arm under one seed, and where its run file goes.
struct GridTask {
  std::string arm;
  std::vector<std::string> words;  // what `seawall run` is given, --seed and --out included
  std::filesystem::path out;
};
/// The arms that `cells` need, once for each seed (an arm without training once, whatever the
/// seeds).
std::vector<GridTask> grid_tasks(const Grid& grid, const std::vector<GridCell>& cells,
                                 std::int64_t seeds, const std::filesystem::path& folder);

/// Runs `work(task)` for every task on `workers` processes (forked, so that one arm is one core and
/// HDF5 stays in one thread each). A task that throws ends the others after their current one; its
/// exit code comes back. 0 when all were done.
int run_tasks(const std::vector<GridTask>& tasks, int workers, bool quiet,
              const std::function<void(const GridTask&)>& work);

/// Reads the run files and estimates every cell. Errors: DataError where a run lacks the evaluation
/// a cell names.
std::vector<GridResult> collect(const std::vector<GridCell>& cells,
                                const std::vector<GridTask>& tasks);

std::string results_csv(const std::vector<GridResult>& results);
/// The tables for a terminal, the paper's figures beside ours.
std::string results_table(const std::vector<GridResult>& results,
                          const std::vector<PublishedFigure>& published);

}  // namespace seawall
