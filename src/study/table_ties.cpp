#include "seawall/study/table_ties.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "seawall/eval/ties.hpp"
#include "seawall/study/results.hpp"

namespace seawall {
namespace {

using Cells = std::vector<const GridCell*>;

std::string before_slash(const std::string& name) { return name.substr(0, name.find('/')); }

/// What a cell is compared within: the word before its `/`, also for the cell that is this word.
std::string group_of(const GridCell& cell, const Cells& table) {
  const std::string word = before_slash(cell.cell);
  const bool shared = std::any_of(table.begin(), table.end(), [&](const GridCell* other) {
    return other->cell.find('/') != std::string::npos && before_slash(other->cell) == word;
  });
  return shared ? word : "";
}

std::string label_of(const GridCell& cell) {
  return cell.condition == "plain" ? cell.cell : cell.cell + " (" + cell.condition + ")";
}

/// False where an attack is probed in its own way (pictures), so that no pair can be made.
bool same_probes(const ArmRuns& a, const ArmRuns& b) {
  const auto &x = a.runs.front(), &y = b.runs.front();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const Outcome& o, const Outcome& p) {
    return o.probe == p.probe && o.category == p.category;
  });
}

bool any_judged(const Runs& runs) {
  return std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return std::any_of(run.begin(), run.end(), [](const Outcome& o) { return o.valid; });
  });
}

std::string sentences(const LoadedGrid& grid, const Cells& table) {
  std::vector<ArmRuns> family;
  std::vector<std::string> groups, order;
  std::map<std::string, std::vector<std::string>> names;
  for (const GridCell* cell : table) {
    Runs runs = cell_outcomes(grid, *cell, "harmfulness");
    if (!any_judged(runs)) continue;
    family.push_back({label_of(*cell), std::move(runs)});
    groups.push_back(group_of(*cell, table));
    if (!names.contains(groups.back())) order.push_back(groups.back());
    names[groups.back()].push_back(family.back().name);
  }
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < family.size(); ++i)
    for (std::size_t j = i + 1; j < family.size(); ++j)
      if (groups[i] == groups[j] && same_probes(family[i], family[j])) pairs.emplace_back(i, j);
  const auto comparisons = compare(family, pairs);
  std::string out;
  for (const auto& group : order) {
    const std::string sentence = tied_sets(names[group], comparisons).sentence();
    if (sentence.empty()) continue;
    out += out.empty() ? "" : " ";
    out += group.empty() ? sentence : group + ": " + sentence;
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> ties_of_tables(const LoadedGrid& grid) {
  std::map<std::string, Cells> tables;
  for (const auto& cell : grid.folder.grid.cells)
    if (cell.category.empty() && !cell.table.starts_with("figure") && grid.runs.contains(cell.arm))
      tables[cell.table].push_back(&cell);
  std::map<std::string, std::string> out;
  for (const auto& [name, cells] : tables)
    if (std::string text = sentences(grid, cells); !text.empty()) out[name] = std::move(text);
  return out;
}

}  // namespace seawall
