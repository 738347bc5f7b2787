#include "report/plots.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "seawall/eval/summary.hpp"

namespace seawall::report {
namespace {

/// An arm whose weights' way is drawn.
struct Traced {
  std::string name;
  const std::vector<std::pair<std::filesystem::path, RunData>>* runs;
};

/// The trained arms that ask for it; if none of them is there, the first five that are.
std::vector<Traced> traced(const StudyReading& study) {
  std::vector<Traced> all, wanted;
  for (const GridArm& arm : study.grid.folder.grid.arms) {
    const auto found = study.grid.runs.find(arm.name);
    if (found == study.grid.runs.end() || found->second.empty()) continue;
    if (found->second.front().second.steps.empty()) continue;
    all.push_back({arm.name, &found->second});
    if (arm.traced) wanted.push_back(all.back());
  }
  if (wanted.empty())
    wanted.assign(all.begin(), all.begin() + std::min<std::ptrdiff_t>(5, std::ssize(all)));
  if (wanted.size() > 7) wanted.resize(7);
  return wanted;
}

std::string origin(const StudyReading& study, const std::vector<Traced>& arms) {
  std::vector<const CellReading*> cells;
  for (const Traced& t : arms)
    for (const TableReading& table : study.tables)
      for (const CellReading& c : table.cells)
        if (c.cell.arm == t.name) cells.push_back(&c);
  return origin_of(study, cells);
}

void drift_steps(const StudyReading& study, std::vector<Figure>& out) {
  const auto arms = traced(study);
  Figure f{.name = "drift-steps", .title = "How far the weights moved, step by step"};
  std::string plots;
  std::vector<std::string> spoken;
  double least = 1e300;
  for (std::size_t k = 0; k < arms.size(); ++k) {
    const auto& steps = arms[k].runs->front().second.steps;
    std::string data;
    for (std::size_t i = 0; i < steps.size(); ++i)
      data += value(static_cast<double>(steps[i].step)) + " " + value(steps[i].drift) + "\n";
    if (steps.back().drift <= 0) continue;
    for (const StepRecord& step : steps)
      if (step.drift > 0) least = std::min(least, step.drift);
    const std::string block = "D" + std::to_string(k);
    f.commands += data_block(block, data);
    const auto every = std::max<std::size_t>(1, steps.size() / 6);
    plots += (plots.empty() ? "plot $" : ", $") + block + " using 1:2 with linespoints " +
             series(k) + " pi " + std::to_string(every) + " title " + literal(arms[k].name);
    spoken.push_back(arms[k].name + " ends at " + number(steps.back().drift, 2) + " after " +
                     std::to_string(steps.size()) + " steps");
  }
  if (plots.empty()) return;
  f.commands = calm_axes() + "set grid xtics ytics lt -1 lc rgb '" + std::string(ink::rule) +
               "' lw 0.8\nset logscale xy\nset yrange [" + value(0.8 * least) +
               ":*]\nset format y '%g'\nset key below Left reverse samplen 2.6 maxcols 3\nset "
               "xlabel 'step'.\"\\n \"\nset ylabel 'L2 norm of \xce\xb8 \xe2\x88\x92 "
               "\xce\xb8\xe2\x82\x80'\n" +
               f.commands + plots + "\n";
  f.width = 760;
  f.description = listed(spoken) + ".";
  f.caption = "L2 norm of the change over all weights, first seed; both axes logarithmic.";
  f.origin = origin(study, arms);
  out.push_back(std::move(f));
}

/// Where the change sits: effective rank of every matrix, and how fast singular values fall.
void drift_spectra(const StudyReading& study, std::vector<Figure>& out) {
  const auto arms = traced(study);
  Figure f{.name = "drift-spectrum",
           .title = "The shape of the change: singular values of W \xe2\x88\x92 W\xe2\x82\x80"};
  std::string plots;
  std::vector<std::string> spoken;
  double least = 1;
  for (std::size_t k = 0; k < arms.size(); ++k) {
    const Spectra& s = arms[k].runs->front().second.spectra;
    if (s.names.empty()) continue;
    std::string data;
    const std::size_t width = s.singular_values.front().size();
    for (std::size_t i = 0; i < width; ++i) {
      double sum = 0, n = 0;
      for (const auto& v : s.singular_values)
        if (i < v.size() && v[0] > 0 && std::isfinite(v[i])) sum += v[i] / v[0], n += 1;
      if (n > 0 && sum > 0) least = std::min(least, sum / n);
      if (n > 0) data += value(static_cast<double>(i + 1)) + " " + value(sum / n) + "\n";
    }
    if (data.empty()) continue;
    double rank = 0, known = 0;
    for (const double r : s.effective_rank)
      if (std::isfinite(r)) rank += r, known += 1;
    const bool ranked = known > 0;  // of a large model only the largest values are computed
    if (ranked) rank /= known;
    const std::string block = "S" + std::to_string(k);
    f.commands += data_block(block, data);
    plots += (plots.empty() ? "plot $" : ", $") + block + " using 1:2 with linespoints " +
             series(k) + " title " +
             literal(arms[k].name + (ranked ? " (rank " + number(rank, 1) + ")" : ""));
    spoken.push_back(arms[k].name + (ranked ? " has a mean effective rank of " + number(rank, 1)
                                            : " has an effective rank that was not computed"));
  }
  if (plots.empty()) return;
  f.commands =
      calm_axes() + "set logscale y\nset yrange [" + value(0.85 * least) +
      ":1]\nset xrange [0.5:*]\nset format y '%g'\nset key below Left reverse samplen 2.6 "
      "maxcols 3\nset "
      "xlabel 'singular value, largest first'.\"\\n \"\nset ylabel 'share of the largest'\n" +
      f.commands + plots + "\n";
  f.width = 760;
  f.description = listed(spoken) + ".";
  f.caption =
      "Mean over the weight matrices, first seed. In brackets the mean effective rank (Roy and "
      "Vetterli 2007): the entropy of the singular values as a number of directions.";
  f.origin = origin(study, arms);
  out.push_back(std::move(f));
}

/// Marks that show one another where they lie on one place.
std::string open_mark(std::size_t k) {
  static constexpr std::array<std::string_view, 4> colours{ink::vermillion, ink::green, ink::purple,
                                                           ink::orange};
  static constexpr std::array<int, 4> marks{4, 8, 10, 12};
  const std::size_t i = (k - 1) % marks.size();
  return "lc rgb '" + std::string(colours[i]) + "' lw 1.6 pt " + std::to_string(marks[i]) +
         " ps 1.1";
}

/// Rate by every judge, arm by arm.
void judges(const StudyReading& study, std::vector<Figure>& out) {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::vector<double>>> rows;  // arm, rate by judge
  std::vector<const CellReading*> cells;
  for (const GridArm& arm : study.grid.folder.grid.arms) {
    const auto found = study.grid.runs.find(arm.name);
    if (found == study.grid.runs.end() || found->second.empty()) continue;
    const EvaluationRecord* last = nullptr;
    for (const auto& e : found->second.front().second.evaluations)
      if (e.set == ProbeSet::harmfulness && e.condition == "plain") last = &e;
    if (last == nullptr || last->judges.size() < 2) continue;
    if (names.empty()) names = last->judges;
    if (last->judges != names || found->second.front().second.steps.empty()) continue;
    std::vector<double> rates;
    for (std::size_t j = 0; j < names.size(); ++j)
      rates.push_back(100 * summarize(*last, j).rate());
    if (std::none_of(rates.begin(), rates.end(), [](double r) { return std::isnan(r); }))
      rows.emplace_back(arm.name, rates);
  }
  if (rows.empty()) return;
  // The arms whose judges differ most are the ones to look at.
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    const auto gap = [](const std::vector<double>& r) {
      double g = 0;
      for (const double v : r) g = std::max(g, std::abs(v - r[0]));
      return g;
    };
    return gap(a.second) > gap(b.second);
  });
  if (rows.size() > 14) rows.resize(14);
  Figure f{.name = "judges", .title = "The same answers by every judge"};
  const int n = static_cast<int>(rows.size());
  f.width = 760;
  f.height = 90 + 24 * n;
  std::string tics, spans;
  std::vector<std::string> spoken, data(names.size());
  for (int i = 0; i < n; ++i) {
    const auto& [arm, rates] = rows[static_cast<std::size_t>(i)];
    const double y = n - i;
    tics += (tics.empty() ? "" : ", ") + literal(arm) + " " + value(y);
    spans += value(*std::min_element(rates.begin(), rates.end())) + " " + value(y) + " " +
             value(*std::max_element(rates.begin(), rates.end()) -
                   *std::min_element(rates.begin(), rates.end())) +
             "\n";
    for (std::size_t j = 0; j < names.size(); ++j)
      data[j] += value(rates[j]) + " " + value(y) + "\n";
    std::string words = arm + ":";
    for (std::size_t j = 0; j < names.size(); ++j)
      words += " " + names[j] + " " + number(rates[j], 1) + " %";
    spoken.push_back(words);
  }
  f.commands = calm_axes() + "unset grid\nset border 1\nset grid xtics lt -1 lc rgb '" +
               std::string(ink::rule) +
               "' lw 0.8\nset xrange [-1:101]\nset yrange [0.4:" + value(n + 0.6) +
               "]\nset xtics 0,25,100\nset ytics scale 0 (" + tics +
               ")\nset xlabel 'full answers by this judge, % of probes'\nset key outside top right "
               "horizontal samplen 1\n" +
               data_block("SPAN", spans);
  std::string plots = "plot $SPAN using 1:2:3:(0) with vectors nohead lc rgb '" +
                      std::string(ink::muted) + "' lw 0.8 notitle";
  for (std::size_t j = 0; j < names.size(); ++j) {
    f.commands += data_block("J" + std::to_string(j), data[j]);
    plots += ", $J" + std::to_string(j) + " using 1:2 with points " +
             (j == 0 ? mark(0) + " ps 1" : open_mark(j)) + " title " + literal(names[j]);
  }
  f.commands += plots + "\n";
  f.description = listed(spoken) + ".";
  f.caption = "First seed of each attacked arm, the arms whose judges differ most at the top.";
  for (const auto& [arm, rates] : rows)
    for (const TableReading& table : study.tables)
      for (const CellReading& c : table.cells)
        if (c.cell.arm == arm) cells.push_back(&c);
  f.origin = origin_of(study, cells);
  out.push_back(std::move(f));
}

/// Harm against utility with both intervals, and harm against tokens.
void trade_offs(const StudyReading& study, std::vector<Figure>& out) {
  std::map<std::string, std::string> utility, tokens;  // by attack
  std::set<std::string> done;
  std::vector<const CellReading*> cells;
  for (const TableReading& table : study.tables) {
    for (const CellReading& c : table.cells) {
      if (!c.rated() || c.cost.steps == 0 || !c.cell.category.empty() ||
          c.cell.condition != "plain")
        continue;
      if (!done.insert(c.cell.arm + '\n' + std::to_string(c.runs.front().harm->step)).second)
        continue;
      const std::string attack = option_of(*c.runs.front().run, "attack");
      const Estimate &h = c.estimate.rate, &u = c.estimate.utility;
      if (u.measured())
        utility[attack] += value(100 * h.value) + " " + value(100 * u.value) + " " +
                           value(100 * h.lo) + " " + value(100 * h.hi) + " " + value(100 * u.lo) +
                           " " + value(100 * u.hi) + "\n";
      tokens[attack] += value(c.cost.tokens) + " " + value(100 * h.value) + " " +
                        value(100 * h.lo) + " " + value(100 * h.hi) + "\n";
      cells.push_back(&c);
    }
  }
  const auto figure = [&](const char* name, const char* title,
                          const std::map<std::string, std::string>& blocks, const std::string& axes,
                          const std::string& bars) {
    if (blocks.empty()) return;
    Figure f{.name = name, .title = title};
    std::string plots;
    std::size_t k = 0;
    for (const auto& [attack, data] : blocks) {
      f.commands += data_block("T" + std::to_string(k), data);
      plots += (plots.empty() ? "plot $T" : ", $T") + std::to_string(k) + " using " + bars + " " +
               mark(k) + " lw 1 ps 0.9 title " + literal(attack);
      ++k;
    }
    f.width = 760;
    f.commands = calm_axes() + "set key below Left reverse samplen 1 maxcols 5\n" + axes +
                 f.commands + plots + "\n";
    f.description = std::string(title) + ", one mark a trained arm; the tables have every figure.";
    f.origin = origin_of(study, cells);
    out.push_back(std::move(f));
  };
  figure("pareto", "Harm against utility", utility,
         "set grid xtics ytics lt -1 lc rgb '" + std::string(ink::rule) +
             "' lw 0.8\nset xrange [-2:102]\nset yrange [*:100.6]\nset xlabel 'full answers to "
             "restricted probes, % "
             "(less is better)'.\"\\n \"\nset ylabel 'utility, % (more is better)'\n",
         "1:2:3:4:5:6 with xyerrorbars");
  figure("compute", "Harm against training tokens", tokens,
         "set logscale x\nset format x '%.0s%c'\nset yrange [-2:102]\nset xlabel 'tokens trained "
         "on'.\"\\n \"\nset ylabel 'full answers, % of probes'\n",
         "1:2:3:4 with yerrorbars");
  for (Figure& f : out) {
    if (f.name == "pareto")
      f.caption =
          "One mark a trained arm, with both 95 % intervals; the best place is the upper left "
          "corner.";
    if (f.name == "compute")
      f.caption = "Marks above one another cost the same; with 95 % intervals.";
  }
}

}  // namespace

std::string data_block(const std::string& name, const std::string& lines) {
  return "$" + name + " << EOD\n" + lines + "EOD\n";
}

std::string mark(std::size_t k) {
  static constexpr std::array<std::string_view, 7> colours{
      ink::blue, ink::vermillion, ink::green, ink::purple, ink::orange, ink::sky, ink::text};
  static constexpr std::array<int, 7> marks{7, 5, 9, 11, 13, 6, 4};
  const std::size_t i = k % colours.size();
  return "lc rgb '" + std::string(colours[i]) + "' pt " + std::to_string(marks[i]);
}

std::string series(std::size_t k) {
  static constexpr std::array<int, 7> dashes{1, 2, 4, 5, 3, 1, 2};
  return mark(k) + " ps 0.75 lw 1.8 dt " + std::to_string(dashes[k % dashes.size()]);
}

std::string heat_colour(double share) {
  // From near white to the darkest blue of ColorBrewer's Blues, through Okabe and Ito's blue.
  static constexpr double stops[3][3] = {{240, 246, 250}, {86, 157, 208}, {8, 58, 106}};
  const double at = std::clamp(share, 0.0, 1.0) * 2;
  const int low = at >= 1 ? 1 : 0;
  int channel[3];
  for (int c = 0; c < 3; ++c)
    channel[c] = static_cast<int>(
        std::lround(stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (at - low)));
  char text[8];
  std::snprintf(text, sizeof text, "#%02X%02X%02X", channel[0] & 255, channel[1] & 255,
                channel[2] & 255);
  return text;
}

void trace_figures(const StudyReading& study, std::vector<Figure>& out) {
  drift_steps(study, out);
  drift_spectra(study, out);
  judges(study, out);
  trade_offs(study, out);
}

}  // namespace seawall::report
