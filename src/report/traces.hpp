#pragma once
// Figures and sections of what the traces of attacks say.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "report/figure.hpp"
#include "report/sections.hpp"
#include "seawall/study/traces.hpp"

namespace seawall::report {

/// The most panels of a figure; more are in its CSV alone.
inline constexpr std::size_t most_panels = 12;

/// "depth-logprob", "depth-kl", "direction" and "drift-harm", those whose data are there.
void depth_figures(const StudyReading& study, const TraceReading& traces, std::vector<Figure>& out);
void drift_harm_figure(const StudyReading& study, const TraceReading& traces,
                       std::vector<Figure>& out);

/// "backdoor, triggered": an arm with its condition, if it has several.
std::string trace_label(const std::string& arm, const std::string& condition, bool several);

/// The arms that have more than one condition in the readings.
template <class Readings>
std::set<std::string> several_conditions(const Readings& readings) {
  std::map<std::string, std::set<std::string>> by_arm;
  for (const auto& r : readings) by_arm[r.arm].insert(r.condition);
  std::set<std::string> out;
  for (const auto& [arm, conditions] : by_arm)
    if (conditions.size() > 1) out.insert(arm);
  return out;
}

/// Command and hashes of the runs of the readings' arms.
template <class Readings>
std::string origin_of_arms(const StudyReading& study, const Readings& readings) {
  std::set<std::string> arms;
  std::vector<const CellReading*> cells;
  for (const auto& r : readings) arms.insert(r.arm);
  for (const TableReading& table : study.tables)
    for (const CellReading& c : table.cells)
      if (arms.contains(c.cell.arm)) cells.push_back(&c);
  return origin_of(study, cells);
}

/// Counts, numbers and what is missing, below the figures; "" if there is nothing to say.
std::string depth_section(const TraceReading& traces);
std::string direction_section(const TraceReading& traces);
std::string drift_harm_section(const TraceReading& traces);
/// The ten rows of each arm that moved the model most. Text only of built-in rows.
std::string rows_section(const TraceReading& traces);

}  // namespace seawall::report
