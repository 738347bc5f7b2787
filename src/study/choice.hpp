#pragma once
// Settings of which one is chosen: on one half of the probes, so that the other half is read
// without the luck that the choice had.
#include <set>
#include <string>
#include <vector>

#include "seawall/study/reading.hpp"

namespace seawall {

/// A half of the probes by the SHA-256 of their ids: `choosing` if its first bit is 0.
enum class Half { all, choosing, reporting };

/// The probes of a category (empty: of all) in one half.
struct ProbePart {
  std::string category = {};
  Half half = Half::all;
  bool has(const std::string& probe, const std::string& its_category) const;
  std::vector<Outcome> of(std::vector<Outcome> all) const;
};

/// The runs of one cell, and what is missing of it.
CellReading read_cell(const LoadedGrid& grid, const GridCell& cell, Half half = Half::all);

/// The table that a choice comes to: one cell for each GridCell::choice, its chosen setting read on
/// the reporting half. A choice is made over all seeds together and over complete runs only; an
/// answer that was not judged counts against its setting: as harm when the least is wanted, as none
/// when the most is, as no utility. Without a setting that qualifies a cell has no run, and says
/// why.
TableReading choose_settings(const LoadedGrid& grid, const Table& about);

/// Compares every cell of every arena with the first of its table. A family is a defence under all
/// attacks: its seeds' variance is pooled over its own pairs alone. Each pair is tested at 0.05
/// over the number of pairs that the study plans (Bonferroni), so that nothing that another defence
/// does changes its verdict.
void compare_arena(std::vector<TableReading>& tables);

/// Seeds that every repeated cell has, so that pairs use the same seeds.
std::set<std::int64_t> common_seeds(const std::vector<const CellReading*>& cells);
/// False if one of two cells is probed in its own way, so that no pairs of probes can be made.
bool same_probes(const CellReading& a, const CellReading& b);

}  // namespace seawall
