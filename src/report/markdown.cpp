// Tables as one Markdown table, with the page's own figures, for a README.
#include <algorithm>
#include <cmath>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "seawall/study/arena.hpp"

namespace seawall::report {
namespace {

/// "88.8 / 50.0": the paper's models in the order of its file; "–" if it has no figure at all.
std::string published(const StudyReading& study, const TableReading& table, const CellReading& c) {
  std::string out;
  bool any = false;
  for (const std::string& model : study.models) {
    const auto* p = table.published(c.cell, model);
    any = any || (p != nullptr && !std::isnan(p->rate));
    out += (out.empty() ? "" : " / ") + number(p == nullptr ? not_measured : p->rate, 1);
  }
  if (!any) return number(not_measured, 1);
  return out + (c.cell.published_name() == c.cell.cell ? "" : " (" + c.cell.published + ")");
}

}  // namespace

std::string markdown_tables(const StudyReading& study) {
  const bool task = std::ranges::any_of(study.tables, &TableReading::asks_task);
  std::string out = "| table | cell | rate % [95 %] | score | utility % | ";
  out += (task ? "task % | " : "") + std::string("paper % |\n|---|---|---|---|---|---|");
  out += task ? "---|\n" : "\n";
  for (const TableReading& table : study.tables) {
    std::string label = table.about.row_title;
    if (label.empty()) continue;
    for (const CellReading& c : table.cells) {
      if (!c.shown()) continue;
      const Estimate& rate = c.estimate.rate;
      out += "| " + label + " | " + c.label + " | " + percent(rate.value) +
             (rate.measured() ? " " + percent_interval(rate) : "") + " | " +
             number(c.estimate.score.value, 2) + " | " + percent(c.estimate.utility.value) + " | " +
             (task ? percent(c.estimate.task_accuracy.value) + " | " : "") +
             published(study, table, c) + " |\n";
      label.clear();
    }
  }
  if (const ArenaReading arena = read_arena(study); !arena.empty()) out += "\n" + arena_text(arena);
  return out;
}

}  // namespace seawall::report
