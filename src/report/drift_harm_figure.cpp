// Drift against harm, one panel per table.
#include <algorithm>
#include <cmath>

#include "report/html.hpp"
#include "report/panels.hpp"
#include "report/plots.hpp"
#include "report/traces.hpp"

namespace seawall::report {
namespace {

/// A mark: drift, rate in percent with its interval, step.
struct HarmPoint {
  double drift = 0, rate = 0, lo = 0, hi = 0;
  std::int64_t step = 0;
};

std::vector<HarmPoint> points_of(const HarmReading& h) {
  std::vector<HarmPoint> out;
  for (const HarmMoment& m : h.moments)
    if (m.rate.measured() && std::isfinite(m.drift.mean))
      out.push_back(
          {m.drift.mean, 100 * m.rate.value, 100 * m.rate.lo, 100 * m.rate.hi, m.at.step});
  return out;
}

/// Numbers of steps next to their marks, but none over another one or on the axis.
class StepLabels {
 public:
  explicit StepLabels(double widest) : widest_(widest) {}
  void add(const HarmPoint& p) {
    if (p.rate < 8) return;  // the start, and what is like it
    for (const HarmPoint& other : shown_)
      if (std::abs(other.drift - p.drift) < 0.06 * widest_ && std::abs(other.rate - p.rate) < 6)
        return;
    shown_.push_back(p);
  }
  /// A data block; "" without labels.
  std::string block(const std::string& name) const {
    std::string lines;
    for (const HarmPoint& p : shown_)
      lines += value(p.drift) + " " + value(p.rate) + " " + std::to_string(p.step) + "\n";
    return lines.empty() ? "" : data_block(name, lines);
  }

 private:
  double widest_;
  std::vector<HarmPoint> shown_;
};

}  // namespace

void drift_harm_figure(const StudyReading& study, const TraceReading& traces,
                       std::vector<Figure>& out) {
  const auto several = several_conditions(traces.harm);
  Figure f{.name = "drift-harm", .title = "Drift against harm, evaluation by evaluation"};
  Panels all{.panels = {},
             .legend = {},
             .x_label = "L2 norm of \xce\xb8 \xe2\x88\x92 \xce\xb8\xe2\x82\x80",
             .y_label = "full answers, % of probes",
             .settings = "set yrange [-3:103]\nset ytics 0,25,100\nset errorbars 0.4\n",
             .columns = 2,
             .panel_height = 250,
             .same_x = false};
  std::vector<std::string> spoken;
  for (const TableReading& table : study.tables) {
    std::vector<const HarmReading*> arms;
    double widest = 0;
    for (const HarmReading& h : traces.harm) {
      if (h.table != table.about.name || points_of(h).empty()) continue;
      arms.push_back(&h);
      for (const HarmPoint& p : points_of(h)) widest = std::max(widest, p.drift);
    }
    if (arms.empty() || widest == 0) continue;
    Panel panel{.title = table.about.title};
    const std::string name = "H" + std::to_string(all.panels.size()) + "x";
    StepLabels labels(widest);
    for (std::size_t k = 0; k < arms.size(); ++k) {
      std::string lines;
      const auto points = points_of(*arms[k]);
      for (const HarmPoint& p : points) {
        for (const double x : {p.drift, p.rate, p.lo, p.hi}) lines += value(x) + " ";
        lines += "\n";
        labels.add(p);
      }
      const std::string block = name + std::to_string(k);
      const std::string label =
          trace_label(arms[k]->arm, arms[k]->condition, several.contains(arms[k]->arm));
      panel.data += data_block(block, lines);
      panel.plots += (k == 0 ? "$" : ", $") + block + " using 1:2:3:4 with yerrorbars " + mark(k) +
                     " ps 0 lw 0.8 notitle, $" + block + " using 1:2 with linespoints " +
                     series(k) + " title " + literal(label);
      spoken.push_back(label + " ends at a drift of " + number(points.back().drift, 2) + " and " +
                       number(points.back().rate, 1) + " %");
    }
    if (const std::string block = labels.block(name + "s"); !block.empty()) {
      panel.data += block;
      panel.plots += ", $" + name +
                     "s using 1:2:3 with labels left offset 0.6,-0.6 font ',9' textcolor rgb '" +
                     std::string(ink::muted) + "' notitle";
    }
    panel.settings = "set xrange [" + value(-0.03 * widest) + ":" + value(1.1 * widest) + "]\n";
    all.key_lines = std::max(all.key_lines, static_cast<int>(arms.size()));
    all.panels.push_back(std::move(panel));
  }
  if (all.panels.empty()) return;
  draw_panels(f, all, spoken);
  f.caption =
      "One mark per evaluation, from the start to the end, with the 95 % interval of the rate and, "
      "where there is room, the number of its step; drift is the mean over the runs. Arms that do "
      "unlike harm at the same drift show that the norm alone does not tell the damage.";
  f.origin = origin_of_arms(study, traces.harm);
  f.csv = drift_harm_csv(traces);
  out.push_back(std::move(f));
}

}  // namespace seawall::report
