#pragma once
// A grid folder read for a page: cells with their runs, estimates, comparisons and the paper's
// figures.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/eval/comparisons.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/study/grid_folder.hpp"
#include "seawall/study/results.hpp"

namespace seawall::report {

/// One run of a cell, and the evaluations that the cell is read from.
struct CellRun {
  std::int64_t seed = 0;
  const RunData* run = nullptr;
  const EvaluationRecord* harm = nullptr;
  const EvaluationRecord* ordinary = nullptr;  // null where no ordinary requests were asked
};

/// One cell of a table. `runs` are those that are there; `wanted` how many there should be.
struct CellReading {
  GridCell cell;
  std::string label;  // as the page calls it: the cell, and the condition where a table has several
  std::vector<CellRun> runs;
  std::int64_t wanted = 0;
  std::string why;  // of what is missing; empty where nothing is
  CellEstimate estimate;
  Runs outcomes;
  std::vector<std::int64_t> seeds;  // of `outcomes`
  Budget cost;                      // mean over the runs
  std::string unjudged;             // see unjudged_reason
  std::int64_t cut = 0;             // see cut_answers
  bool shown() const { return !runs.empty(); }
  /// True if it has a rate: a run is there, and at least one answer was judged.
  bool rated() const { return shown() && estimate.rate.measured(); }
};

/// An ordering that the paper reports, or that a defence is meant to bring: `lower` has less harm
/// than `upper`.
struct Claim {
  std::size_t lower = 0, upper = 0;  // cells of the table
  std::string text;
};
enum class Verdict3 { holds, tied, contradicted, unknown };

/// A claim with what the figures say: ours, and each model of the paper at its n = 330.
struct ClaimReading {
  Claim claim;
  std::optional<Comparison> ours;  // upper less lower
  Verdict3 here = Verdict3::unknown;
  struct Paper {
    std::string model;
    TwoProportions test;
    double p_adjusted = 1;
    Verdict3 verdict = Verdict3::unknown;
  };
  std::vector<Paper> paper;
};

struct TableReading {
  std::string name, title, lead;
  std::vector<CellReading> cells;
  std::vector<Comparison> comparisons;  // Holm over the table
  std::vector<ClaimReading> claims;
  std::string ties;          // which cells cannot be told apart, as sentences
  std::string not_compared;  // why there are no comparisons
  const CellReading* find(std::string_view cell, std::string_view condition = "plain") const;
};

/// Everything the page shows.
struct Reading {
  LoadedGrid grid;
  std::vector<PublishedFigure> published;
  std::vector<std::string> models;  // of the paper, in the order of its file
  std::vector<TableReading> tables;
  const TableReading* table(std::string_view name) const;
  /// The paper's rate for a cell in percent, or NaN.
  const PublishedFigure* paper(const GridCell& cell, std::string_view model) const;
};

/// Reads cells, estimates and comparisons out of a loaded grid. Missing runs are said in each cell.
Reading read_cells(LoadedGrid grid, std::vector<PublishedFigure> published);

/// Title and lead of a table of the paper; of another one its name.
std::pair<std::string, std::string> table_words(const std::string& name);
/// The attack whose defences a cell stands among: "benign" for benign/safe-3, and for `benign`
/// itself beside it; "" in a table without such groups.
std::string group_of(const TableReading& table, const CellReading& cell);
/// True for a table of sweeps, where neighbours are compared and not every pair.
bool swept(const TableReading& table);
/// The orderings of a table among its cells, and the pairs that are compared.
std::vector<Claim> claims_of(const TableReading& table);
std::vector<std::pair<std::size_t, std::size_t>> pairs_of(const TableReading& table);

/// A hash of a run by its name; "" where the run has none.
std::string hash_of(const RunData& run, std::string_view name);
/// An option out of the run's configuration, e.g. "attack"; "" where there is none.
std::string option_of(const RunData& run, const std::string& name);

}  // namespace seawall::report
