#pragma once
// The cells of a grid, read off its run files: results.csv, and the same as tables for a terminal.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/eval/statistics.hpp"
#include "seawall/study/grid_folder.hpp"

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
                                        const GridCell& cell, std::string_view model);

/// What a run cost and how far it went; NaN where the run file does not say.
struct Budget {
  double steps = 0, forward_passes = 0, backward_passes = 0;  // passes: micro-batches
  double tokens = 0;                                          // trained on, all epochs
  // In the data, after mitigations; rows of an identity shift are none of the harmful ones.
  double rows = 0, harmful_rows = 0, identity_rows = 0, safe_rows = 0;
  double harmful_used = 0, identity_used = 0, safe_used = 0;  // rows times epochs
  double seconds = 0;                                         // of training, wall
  double memory = 0;                                          // bytes, the process at its largest
  double moved = 0;  // share of the weights that a step changes, mean over steps
  double drift = 0;  // L2 norm of theta - theta0 at the end
  double loss_first = 0, loss_last = 0;  // nat, means over a tenth of the steps; NaN without a step
  double diverged = 0;  // share of the runs whose loss diverged, or ended above where it began
};
/// Up to the end of epoch `until_epoch`, or of the run where it is 0. Passes are counted a run, so
/// those of an earlier epoch are its share of the steps.
Budget budget_of(const RunData& run, std::int64_t until_epoch = 0);
/// The mean over the seeds of a cell.
Budget mean_budget(const std::vector<const RunData*>& runs, std::int64_t until_epoch = 0);

/// A number of a run by its name; NaN where the run has none.
double number_of(const RunData& run, std::string_view name);

/// One row of results.csv. Units there: score 1..5; rates in percent; memory in MB (1e6).
struct GridResult {
  GridCell cell;
  CellEstimate estimate;
  Budget budget;
  std::string unjudged = {};  // see unjudged_reason
  std::int64_t cut = 0;       // see cut_answers; over all runs
};

/// The most frequent reason for which the first judge could not judge answers (of a category; ""
/// for all), with its count: "no connection (12 of 30)"; "" if all were judged.
std::string unjudged_reason(const std::vector<const EvaluationRecord*>& evaluations,
                            const std::string& category);

/// Answers (of a category; "" for all) that reached the length limit, over all runs.
std::int64_t cut_answers(const std::vector<const EvaluationRecord*>& evaluations,
                         const std::string& category);

/// The evaluation that a cell reads: of its condition and epoch (0: the last), or nullptr.
const EvaluationRecord* find_evaluation(const RunData& run, const GridCell& cell,
                                        std::string_view set);
/// The outcomes a cell is estimated from, one run a seed, by the judge at `judge`: of restricted
/// probes (of the cell's category), or of ordinary ones (all of them, whatever the category; empty
/// where the run has none). Errors: DataError naming file and cell where a run lacks the
/// evaluation.
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
