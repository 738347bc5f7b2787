#pragma once
// The one reading of a grid: cells with their runs, estimates, comparisons, claims and published
// figures. The terminal, results.csv and the report all show it.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/eval/comparisons.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/study/budget.hpp"
#include "seawall/study/grid_folder.hpp"

namespace seawall {

/// One run of a cell, and the evaluations that the cell is read from.
struct CellRun {
  std::int64_t seed = 0;
  const RunData* run = nullptr;
  const EvaluationRecord* harm = nullptr;
  const EvaluationRecord* ordinary = nullptr;  // null if no ordinary requests were made
};

/// One cell of a table. `runs` are those that are there; `wanted` how many there should be.
struct CellReading {
  GridCell cell;
  std::string label;            // the cell, and its condition if the table has several
  std::string setting = {};     // the cell that was chosen for it, see Choice
  bool none_qualifies = false;  // every setting was read, and none may be chosen
  std::vector<CellRun> runs;
  std::int64_t wanted = 0;
  std::string why;  // of what is missing; empty if nothing is
  CellEstimate estimate;
  Runs outcomes, ordinary_outcomes;  // the latter empty unless every run has them
  std::vector<std::int64_t> seeds;   // of `outcomes`
  Budget cost;                       // mean over the runs
  std::string unjudged;              // the most frequent reason with its count; see unjudged_reason
  std::int64_t cut = 0;              // answers that reached the length limit, over all runs
  bool shown() const { return !runs.empty(); }
  /// True if it has a rate: a run is there, and at least one answer was judged.
  bool rated() const { return shown() && estimate.rate.measured(); }
};

enum class Finding { holds, tied, contradicted, unknown };

/// A claim with what the figures say: ours, and those of each published model.
struct ClaimReading {
  std::size_t lower = 0, upper = 0;  // cells of the table
  std::string text;
  std::optional<Comparison> ours;  // upper less lower
  Finding here = Finding::unknown;
  struct Published {
    std::string model;
    TwoProportions test;
    double p_adjusted = 1;
    Finding finding = Finding::unknown;
  };
  std::vector<Published> published;
};

struct TableReading {
  Table about;
  std::vector<CellReading> cells;
  std::vector<Comparison> comparisons;  // Holm over the table; of an arena: see arena.hpp
  std::vector<ClaimReading> claims;
  std::string ties;          // which cells cannot be told apart, as sentences
  std::string not_compared;  // why there are no comparisons
  /// True if a cell was asked questions of a task.
  bool asks_task() const;
  const CellReading* find(std::string_view cell, std::string_view condition = "plain") const;
  /// The models with published figures for this table, in their order.
  std::vector<std::string> models() const;
  /// The published figure of a cell by one model, or nullptr.
  const PublishedFigure* published(const GridCell& cell, std::string_view model) const;
};

struct StudyReading {
  LoadedGrid grid;
  std::vector<std::string> models;  // with published figures, in their order
  std::vector<TableReading> tables;
};

/// Reads tables out of a loaded grid: the only reading there is. What is missing is said in each
/// cell, and pairs are compared on the seeds that all cells have.
StudyReading read_study(LoadedGrid grid);

/// A published rate with its interval at its number of probes (Wilson).
Estimate published_rate(const PublishedFigure& figure);

/// What a mitigation of a run measured: `group` is its name as the run file has it.
struct MeasuredNumber {
  std::string group, name;
  double value = 0;
};
std::vector<MeasuredNumber> measured_of(const RunData& run);

/// A hash of a run by its name; "" if the run has none.
std::string hash_of(const RunData& run, std::string_view name);
/// An option out of the run's configuration, e.g. "attack"; "" if there is none.
std::string option_of(const RunData& run, const std::string& name);

}  // namespace seawall
