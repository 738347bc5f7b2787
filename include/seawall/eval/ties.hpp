#pragma once
// The sentence under a table: which of its cells cannot be told apart.
#include <string>
#include <vector>

#include "seawall/eval/comparisons.hpp"

namespace seawall {

/// Which cells of a table cannot be told apart.
struct Ties {
  std::vector<std::string> apart;                // differ from every other cell
  std::vector<std::vector<std::string>> groups;  // sets in which no two differ, as large as they go
  bool complete = true;                          // every pair was compared
  /// "10-shot differs from 50-shot and 100-shot; 50-shot and 100-shot are tied." Empty without
  /// cells.
  std::string sentence() const;
};
/// `names` in the order of the table; pairs that were not compared count as tied.
Ties tied_sets(const std::vector<std::string>& names, const std::vector<Comparison>& comparisons);
/// The cells tied with `name`, itself left out.
std::vector<std::string> tied_with(const std::string& name,
                                   const std::vector<Comparison>& comparisons);

}  // namespace seawall
