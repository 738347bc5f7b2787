#pragma once
// The cells of a grid, read off its run files: results.csv, and the same as tables for a terminal.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "seawall/cli/grid_folder.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {

/// A published figure beside one of ours; NaN where the paper prints none.
struct PublishedFigure {
  std::string table, cell, condition, model;
  double score = 0, rate = 0;  // 1..5; percent
};
/// Reads data/paper/qi2023.csv. Errors: IoError; DataError naming the line.
std::vector<PublishedFigure> read_published(const std::filesystem::path& file);
/// The paper's figure of a cell by one model, or nullptr.
const PublishedFigure* published_figure(const std::vector<PublishedFigure>& published,
                                        const GridCell& cell, const std::string& model);

/// What a run cost and how far it went, as the mean over its seeds; NaN where the run file does not
/// say.
struct Budget {
  double steps = 0, forward_passes = 0, backward_passes = 0;  // passes: micro-batches
  double tokens = 0;                                          // trained on, all epochs
  double rows = 0, harmful_rows = 0, safe_rows = 0;           // in the data, after mitigations
  double seconds = 0;                                         // of training, wall
  double memory = 0;                                          // bytes, the process at its largest
  double moved = 0;  // share of the weights that a step changes, mean over steps
  double drift = 0;  // L2 norm of theta - theta0 at the end
};
Budget budget_of(const std::vector<std::pair<std::filesystem::path, RunData>>& runs);

/// One row of results.csv. Units there: score 1..5; rates in percent; memory in MB (1e6).
struct GridResult {
  GridCell cell;
  CellEstimate estimate;
  Budget budget;
};

/// The evaluation that a cell reads. Errors: DataError naming file and cell where the run lacks it.
const EvaluationRecord& evaluation_of(const RunData& run, const GridCell& cell,
                                      const std::string& set, const std::filesystem::path& file);
/// The outcomes a cell is estimated from, one run a seed, by the judge at `judge`: of restricted
/// probes (of the cell's category), or of ordinary ones (empty where the run has none).
Runs cell_outcomes(const LoadedGrid& grid, const GridCell& cell, const std::string& set,
                   std::size_t judge = 0);
/// Estimates every cell that has at least one run. Errors: DataError where a run lacks the
/// evaluation a cell names.
std::vector<GridResult> collect(const LoadedGrid& grid);

std::string results_csv(const std::vector<GridResult>& results);
/// The tables for a terminal, the paper's figures beside ours, and under each what `under` says of
/// it.
std::string results_table(const std::vector<GridResult>& results,
                          const std::vector<PublishedFigure>& published,
                          const std::map<std::string, std::string>& under = {});

}  // namespace seawall
