// The paper's tables as Markdown, with the page's own figures, for a README.
#include <cmath>
#include <map>

#include "report/html.hpp"
#include "report/sections.hpp"

namespace seawall::report {
namespace {

const std::map<std::string, std::string>& names() {
  static const std::map<std::string, std::string> kNames{
      {"table1", "1 harmful examples"},  {"table2", "2 identity shift"},
      {"table3", "3 benign, one epoch"}, {"table4", "4 safety mixing"},
      {"table5", "5 backdoor"},          {"drift", "weight drift 1e-2"}};
  return kNames;
}

/// "88.8 / 50.0": the paper's models in the order of its file; "–" if it has no figure at all.
std::string published(const Reading& reading, const CellReading& c) {
  std::string out;
  bool any = false;
  for (const std::string& model : reading.models) {
    const auto* p = reading.paper(c.cell, model);
    any = any || (p != nullptr && !std::isnan(p->rate));
    out += (out.empty() ? "" : " / ") + number(p == nullptr ? kNotMeasured : p->rate, 1);
  }
  if (!any) return number(kNotMeasured, 1);
  return out + (c.cell.published_name() == c.cell.cell ? "" : " (" + c.cell.published + ")");
}

}  // namespace

std::string markdown_tables(const Reading& reading) {
  std::string out =
      "| table | cell | rate % [95 %] | score | utility % | paper % |\n|---|---|---|---|---|---|\n";
  for (const TableReading& table : reading.tables) {
    const auto name = names().find(table.name);
    if (name == names().end()) continue;
    std::string label = name->second;
    for (const CellReading& c : table.cells) {
      if (!c.shown()) continue;
      const Estimate& rate = c.estimate.rate;
      out += "| " + label + " | " + c.label + " | " + percent(rate.value) +
             (rate.measured() ? " " + percent_interval(rate) : "") + " | " +
             number(c.estimate.score.value, 2) + " | " + percent(c.estimate.utility.value) + " | " +
             published(reading, c) + " |\n";
      label.clear();
    }
  }
  return out;
}

}  // namespace seawall::report
