#include "seawall/study/traces.hpp"

#include <algorithm>
#include <set>

#include "study/moments.hpp"

namespace seawall {
namespace {

/// The conditions of an arm's evaluations, in their order.
std::vector<std::string> conditions_of(const ArmRunFiles& runs) {
  std::vector<std::string> out;
  for (const auto& [file, run] : runs)
    for (const EvaluationRecord& e : run.evaluations)
      if (e.set == ProbeSet::harmfulness && e.decoding.fixed_tokens == 0 &&
          std::ranges::find(out, e.condition) == out.end())
        out.push_back(e.condition);
  return out;
}

}  // namespace

TraceReading read_traces(const StudyReading& study) {
  TraceReading out;
  std::set<std::string> done;
  for (const TableReading& table : study.tables) {
    if (table.about.role != Table::Role::attack) continue;
    std::set<std::string> in_table;
    for (const CellReading& cell : table.cells) {
      const std::string& arm = cell.cell.arm;
      const auto found = study.grid.runs.find(arm);
      if (found == study.grid.runs.end() || found->second.empty()) continue;
      const ArmRunFiles& runs = found->second;
      if (runs.front().second.steps.empty() || !in_table.insert(arm).second) continue;
      bool several = false;
      for (const std::string& condition : conditions_of(runs)) {
        HarmReading harm = read_harm(runs, arm, condition);
        harm.table = table.about.name;
        several = several || harm.moments.size() > 1;
        if (!harm.moments.empty()) out.harm.push_back(std::move(harm));
      }
      if (!done.insert(arm).second) continue;
      if (!several) out.without_steps.push_back(arm);
      bool deep = false;
      for (const std::string& condition : conditions_of(runs)) {
        DepthReading depth = read_depth(runs, arm, condition);
        DirectionReading direction = read_direction(runs, arm, condition);
        FixedReading fixed = read_fixed(runs, arm, condition);
        if (!fixed.fixed.empty()) out.fixed.push_back(std::move(fixed));
        deep = deep || !depth.moments.empty() || !direction.moments.empty();
        if (!depth.moments.empty()) out.depth.push_back(std::move(depth));
        if (!direction.moments.empty()) out.direction.push_back(std::move(direction));
      }
      if (!deep) out.without_depth.push_back(arm);
      RowsReading rows = read_moved_rows(runs, arm);
      if (!rows.rows.empty()) out.rows.push_back(std::move(rows));
    }
  }
  return out;
}

}  // namespace seawall
