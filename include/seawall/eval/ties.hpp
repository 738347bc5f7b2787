#pragma once
// The sentences under a table: which of its cells cannot be told apart, why, and whether there is a
// trend over them.
#include <string>
#include <vector>

#include "seawall/eval/comparisons.hpp"

namespace seawall {

/// Which cells of a table cannot be told apart.
struct Ties {
  std::vector<std::string> apart;                // differ from every other cell
  std::vector<std::vector<std::string>> groups;  // sets in which no two differ, as large as they go
  bool complete = true;                          // every pair was compared
  /// "10-shot differs from 50-shot and 100-shot; 50-shot and 100-shot are not told
  /// apart." Empty without
  /// cells.
  std::string sentence() const;
};
/// `names` in the order of the table; pairs that were not compared count as not
/// told apart.
Ties tied_sets(const std::vector<std::string>& names, const std::vector<Comparison>& comparisons);
/// Why two cells are not told apart: "3-epochs and 5-epochs: +26.9 points, but not alike in all
/// seeds (p 0.052)". Empty where they are different.
std::string why_not_told_apart(const Comparison& comparison);

/// Page's test of a trend over cells in their order, seeds as blocks: does the rate rise (or fall)
/// with the cell's place? Exact by enumeration up to 8 cells, normal beyond; ranks of equal rates
/// are averaged. Finds an order that no two neighbours show. Source: Page 1963.
struct Trend {
  double l = 0;  // Page's L of the direction below
  double p = 1;  // one-sided, doubled for choosing the direction
  bool rises = true;
  bool found = false;  // p < 0.05
};
/// Errors: UsageError for fewer than three cells, or other numbers of runs (one run is paired with
/// every seed).
Trend page_trend(const std::vector<ArmRuns>& cells, Measure measure = Measure::success);

/// The cells that are not told apart from `name`, itself left out.
std::vector<std::string> tied_with(const std::string& name,
                                   const std::vector<Comparison>& comparisons);

}  // namespace seawall
