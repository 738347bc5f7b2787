// Figures over the cells of tables.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "report/html.hpp"
#include "report/plots.hpp"
#include "report/sections.hpp"
#include "report/traces.hpp"

namespace seawall::report {
namespace {

std::vector<const CellReading*> rated_cells(const TableReading& table) {
  std::vector<const CellReading*> out;
  for (const CellReading& c : table.cells)
    if (c.rated()) out.push_back(&c);
  return out;
}

/// A place on an axis as people write it: 64, and 5e-5 for a small one.
std::string place_text(double x) {
  if (!(x > 0) || x >= 0.01) return value(x);
  const int exponent = static_cast<int>(std::floor(std::log10(x) + 1e-9));
  return value(std::round(x / std::pow(10.0, exponent) * 1000) / 1000) + "e" +
         std::to_string(exponent);
}

std::string point_line(double x, const Estimate& e) {
  return value(x) + " " + value(100 * e.value) + " " + value(100 * e.lo) + " " + value(100 * e.hi) +
         "\n";
}

/// Every cell of the tables as a dot with its interval, the published ones below it.
void overview(const StudyReading& study, std::vector<Figure>& out) {
  struct Row {
    const TableReading* table;
    const CellReading* cell;
    std::string label;
  };
  std::vector<Row> rows;  // a null cell: a heading
  std::vector<const CellReading*> cells;
  for (const TableReading& table : study.tables) {
    if (table.about.row_title.empty() || rated_cells(table).empty()) continue;
    rows.push_back({&table, nullptr, table.about.title});
    for (const CellReading* c : rated_cells(table)) {
      rows.push_back({&table, c, c->label});
      cells.push_back(c);
    }
  }
  if (cells.empty()) return;
  const int n = static_cast<int>(rows.size());
  Figure f{.name = "overview",
           .title = study.models.empty() ? "Harmfulness rate of every cell"
                                         : "Harmfulness rate of every cell, here and as published"};
  f.description =
      "A dot with its 95 % interval for every cell of the tables, with the published models as "
      "open marks below it.";
  f.width = 760;
  f.height = 80 + 23 * n;
  std::string ours, tics, labels;
  std::vector<std::string> theirs(study.models.size());
  for (int i = 0; i < n; ++i) {
    const double y = n - i;
    if (rows[static_cast<std::size_t>(i)].cell == nullptr) {
      labels += "set label " + literal(rows[static_cast<std::size_t>(i)].label) +
                " at graph 0.004, first " + value(y - 0.2) + " left textcolor rgb '" +
                std::string(ink::text) + "'\n";
      continue;
    }
    const auto& [table, cell, label] = rows[static_cast<std::size_t>(i)];
    const CellReading& c = *cell;
    tics += (tics.empty() ? "" : ", ") + literal(c.label) + " " + value(y);
    ours += value(y) + " " + value(100 * c.estimate.rate.value) + " " +
            value(100 * c.estimate.rate.lo) + " " + value(100 * c.estimate.rate.hi) + "\n";
    for (std::size_t m = 0; m < study.models.size(); ++m) {
      const auto* p = table->published(c.cell, study.models[m]);
      if (p == nullptr || std::isnan(p->rate)) continue;
      const Estimate e = published_rate(*p);
      theirs[m] += value(y - 0.26 - 0.24 * static_cast<double>(m)) + " " + value(p->rate) + " " +
                   value(100 * e.lo) + " " + value(100 * e.hi) + "\n";
    }
  }
  f.commands = calm_axes() + "unset grid\nset border 1\nset grid xtics lt -1 lc rgb '" +
               std::string(ink::rule) +
               "' lw 0.8\nset xrange [0:100]\nset yrange [0.2:" + value(n + 0.7) +
               "]\nset xtics 0,25,100\nset ytics scale 0 (" + tics +
               ")\nset xlabel 'full answers, % of probes'\n" + labels +
               "set errorbars 0.5\nset key outside top right horizontal samplen 1.4\n" +
               data_block("OURS", ours);
  std::string plots = "plot $OURS using 2:1:3:4 with xerrorbars lc rgb '" + std::string(ink::blue) +
                      "' lw 2 pt 7 ps 0.75 title 'here'";
  for (std::size_t m = 0; m < theirs.size(); ++m) {
    if (theirs[m].empty()) continue;
    f.commands += data_block("THEIRS" + std::to_string(m), theirs[m]);
    plots += ", $THEIRS" + std::to_string(m) + " using 2:1:3:4 with xerrorbars lc rgb '" +
             std::string(ink::muted) + "' lw 1 pt " + (m == 0 ? "12" : "4") + " ps 0.6 title " +
             literal(study.models[m]);
  }
  f.commands += plots + "\n";
  f.caption =
      "Every cell with its 95 % interval; open marks: the published models with Wilson intervals "
      "at "
      "their number of probes.";
  f.origin = origin_of(study, cells);
  out.push_back(std::move(f));
}

/// The label of the i-th of n axes: on two lines where it is long, and as far out as its half width
/// asks for (the offset of a spider plot's label is radial, in characters).
std::string axis_label(const std::string& words, std::size_t i, std::size_t n) {
  constexpr std::size_t long_words = 16;
  std::size_t split = std::string::npos;
  const auto off = [&](std::size_t at) {
    return std::abs(static_cast<double>(at) - static_cast<double>(words.size()) / 2);
  };
  if (words.size() > long_words)
    for (std::size_t at = 0; (at = words.find(' ', at)) != std::string::npos; ++at)
      if (split == std::string::npos || off(at) < off(split)) split = at;
  const bool two = split != std::string::npos;
  const std::size_t width = two ? std::max(split, words.size() - split - 1) : words.size();
  const double angle = std::numbers::pi * 2 * static_cast<double>(i) / static_cast<double>(n);
  const double offset = std::max(
      two ? 0.3 : 0.0, 0.15 * static_cast<double>(width) * std::abs(std::sin(angle)) - 0.72);
  const std::string text =
      two ? literal(words.substr(0, split)) + ".\"\\n\"." + literal(words.substr(split + 1))
          : literal(words);
  return "set paxis " + std::to_string(i + 1) + " label " + text + " offset " + value(offset) +
         "\n";
}

void radar(const StudyReading& study, const TableReading& table, const Drawing& drawing,
           std::vector<Figure>& out) {
  std::vector<std::string> categories, names;
  std::map<std::string, std::map<std::string, const CellReading*>> by_name;
  for (const CellReading* c : rated_cells(table)) {
    const std::string& name = c->cell.group;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (std::find(categories.begin(), categories.end(), c->cell.category) == categories.end())
      categories.push_back(c->cell.category);
    by_name[name][c->cell.category] = c;
  }
  if (categories.size() < 3 || names.empty()) return;
  Figure f{.name = slug(drawing.name), .title = drawing.title};
  f.width = 700;
  f.height = 520;
  const std::string n = std::to_string(categories.size());
  f.commands =
      "set spiderplot\nset style spiderplot fs transparent solid 0.12 border\nset border lw 0.6 lc "
      "rgb '" +
      std::string(ink::muted) + "'\n";
  f.commands += "set for [p=1:" + n +
                "] paxis p range [0:100]\nset paxis 1 tics 25 font ',9' textcolor rgb '" +
                std::string(ink::muted) + "'\n";
  f.commands += "set for [p=1:" + n + "] paxis p lt -1 lc rgb '" + std::string(ink::rule) +
                "' lw 0.8\nset tmargin screen 0.9\nset bmargin screen 0.1\n";
  for (std::size_t i = 0; i < categories.size(); ++i)
    f.commands += axis_label(categories[i], i, categories.size());
  f.commands += "set grid spider lt -1 lc rgb '" + std::string(ink::rule) +
                "' lw 0.8\nset key at screen 0.985,0.97 right top invert samplen 1.6\n";
  // The attacked polygon first, so that the small one lies on it.
  std::string plots;
  std::vector<std::string> spoken;
  for (std::size_t k = names.size(); k-- > 0;) {
    std::string row = names[k];  // one word of a data block, which gnuplot shows in the key
    std::erase_if(row, [](char c) { return c == '"' || c == '\n'; });
    row = "\"" + row + "\"";
    for (const std::string& category : categories) {
      const auto found = by_name[names[k]].find(category);
      row +=
          " " + value(found == by_name[names[k]].end() ? not_measured
                                                       : 100 * found->second->estimate.rate.value);
    }
    const std::string block = "$S" + std::to_string(k);
    f.commands += data_block("S" + std::to_string(k), row + "\n");
    static constexpr std::array<std::string_view, 4> inks{ink::blue, ink::vermillion, ink::green,
                                                          ink::orange};
    static constexpr std::array<int, 4> marks{6, 7, 9, 5}, dashes{2, 1, 4, 5};
    const std::size_t style = k % inks.size();
    plots += (plots.empty() ? "plot " : ", newspiderplot, ") + std::string("for [i=1:") + n + "] " +
             block + " using i+1:key(1) lc rgb '" + std::string(inks[style]) + "' lw 2 dt " +
             std::to_string(dashes[style]) + " pt " + std::to_string(marks[style]) + " ps 0.7";
  }
  f.commands += plots + "\nunset spiderplot\n";
  for (const std::string& category : categories) {
    std::string words = category + ":";
    for (const std::string& name : names)
      if (by_name[name].contains(category))
        words += " " + name + " " + percent(by_name[name][category]->estimate.rate.value) + " %";
    spoken.push_back(words);
  }
  f.description = "Radar over the categories. " + listed(spoken) + ".";
  f.caption = "Share of full answers by category, in percent. The table below has the intervals.";
  f.origin = origin_of(study, rated_cells(table));
  out.push_back(std::move(f));
}

/// A curve along an axis with its interval as a band.
void curve(const StudyReading& study, const TableReading& table, const Drawing& drawing,
           std::vector<Figure>& out) {
  std::map<double, const CellReading*> points;
  for (const CellReading* c : rated_cells(table))
    if (const double x = c->cell.on(drawing.x); !std::isnan(x)) points.emplace(x, c);
  if (points.size() < 2) return;
  Figure f{.name = slug(drawing.name), .title = drawing.title};
  std::string data;
  std::vector<std::string> spoken;
  std::vector<const CellReading*> cells;
  double most = 0;
  bool whole = true;  // numbers on the axis
  for (const auto& [x, c] : points) {
    data += point_line(x, c->estimate.rate);
    spoken.push_back(place_text(x) + " " + drawing.x + ": " + percent(c->estimate.rate.value) +
                     " %");
    cells.push_back(c);
    most = std::max(most, c->estimate.rate.hi);
    whole = whole && x == std::round(x);
  }
  f.description = "Full answers against " + drawing.x + ". " + listed(spoken) + ".";
  const double top = most > 0.5 ? 100 : std::ceil(most * 10 + 0.5) * 10;
  const double first = points.begin()->first, last = points.rbegin()->first, width = last - first;
  f.commands =
      calm_axes() + "set yrange [0:" + value(top) + "]\nset xrange [" +
      value(first - 0.02 * width) + ":" + value(last + 0.03 * width) + "]\n" +
      (whole && width <= 20 ? "set xtics 1\n" : "") + "set xlabel " + literal(drawing.x) +
      "\nset ylabel 'full answers, % of probes'\n" + data_block("RATE", data) +
      "plot $RATE using 1:3:4 with filledcurves fs transparent solid 0.16 noborder lc rgb '" +
      std::string(ink::vermillion) + "', $RATE using 1:2 with linespoints lc rgb '" +
      std::string(ink::vermillion) + "' lw 2 pt 7 ps 0.8\n";
  f.height = 340;
  f.caption = "The band is the 95 % interval over seeds, categories and probes.";
  f.origin = origin_of(study, cells);
  out.push_back(std::move(f));
}

/// One box a cell, darker for more harm, its figure inside.
void heat_map(const StudyReading& study, const TableReading& table, const Drawing& drawing,
              std::vector<Figure>& out) {
  std::set<double> columns, rows;
  std::vector<const CellReading*> cells;
  for (const CellReading* c : rated_cells(table)) {
    const double x = c->cell.on(drawing.x), y = c->cell.on(drawing.y);
    if (std::isnan(x) || std::isnan(y)) continue;
    columns.insert(x), rows.insert(y);
    cells.push_back(c);
  }
  if (cells.empty()) return;
  Figure f{.name = slug(drawing.name), .title = drawing.title};
  f.height = 110 + 74 * static_cast<int>(rows.size());
  std::string objects, xtics, ytics;
  std::vector<std::string> spoken;
  const auto place = [](const std::set<double>& all, double v) {
    return static_cast<double>(std::distance(all.begin(), all.find(v)));
  };
  for (const double x : columns)
    xtics += (xtics.empty() ? "" : ", ") + literal(place_text(x)) + " " + value(place(columns, x));
  for (const double y : rows)
    ytics += (ytics.empty() ? "" : ", ") + literal(place_text(y)) + " " + value(place(rows, y));
  int object = 1;
  for (const CellReading* c : cells) {
    const double x = place(columns, c->cell.on(drawing.x)), y = place(rows, c->cell.on(drawing.y));
    const Estimate& e = c->estimate.rate;
    objects += "set object " + std::to_string(object++) + " rectangle from " + value(x - 0.49) +
               "," + value(y - 0.48) + " to " + value(x + 0.49) + "," + value(y + 0.48) +
               " fs solid noborder fc rgb '" + heat_colour(e.value) + "' behind\n";
    const std::string ink = e.value > 0.45 ? "#FFFFFF" : "#111111";
    objects += "set label " + literal(percent(e.value) + " %") + " at " + value(x) + "," +
               value(y + 0.1) + " center font ',14' textcolor rgb '" + ink + "' front\n";
    objects += "set label " + literal(percent(e.lo) + " to " + percent(e.hi)) + " at " + value(x) +
               "," + value(y - 0.2) + " center font ',10' textcolor rgb '" + ink + "' front\n";
    spoken.push_back(c->label + ": " + percent(e.value) + " %");
  }
  f.description = "Heat map. " + listed(spoken) + ".";
  f.commands = calm_axes() + "unset grid\nunset border\nset xrange [-0.55:" +
               value(static_cast<double>(columns.size()) - 0.45) +
               "]\nset yrange [-0.55:" + value(static_cast<double>(rows.size()) - 0.45) +
               "]\nset tics scale 0\nset xtics (" + xtics + ")\nset ytics (" + ytics +
               ")\nset xlabel " + literal(drawing.x) + "\nset ylabel " + literal(drawing.y) + "\n" +
               objects + "plot NaN notitle\n";
  f.caption = "Full answers, % of probes, with the 95 % interval; darker is more harm.";
  f.origin = origin_of(study, cells);
  out.push_back(std::move(f));
}

/// Mean share of the stored weights that a step changes; NaN without a step.
double moved_share(const CellReading& c) {
  double moved = 0, steps = 0;
  for (const CellRun& r : c.runs)
    for (const StepRecord& s : r.run->steps) moved += s.moved, steps += 1;
  return steps > 0 ? moved / steps : not_measured;
}

/// The rate along an axis, one line per group; below it the share of weights that a step moves.
void lines(const StudyReading& study, const TableReading& table, const Drawing& drawing,
           std::vector<Figure>& out) {
  std::map<std::string, std::map<double, const CellReading*>> lines;
  std::set<double> places;
  for (const CellReading* c : rated_cells(table))
    if (const double x = c->cell.on(drawing.x); !std::isnan(x))
      lines[c->cell.group][x] = c, places.insert(x);
  if (lines.empty()) return;
  Figure f{.name = slug(drawing.name), .title = drawing.title};
  std::string blocks, rates, moves, tics;
  for (const double x : places)
    tics += (tics.empty() ? "" : ", ") + literal(place_text(x)) + " " + value(x);
  std::vector<std::string> spoken;
  std::size_t k = 0;
  for (const auto& [name, points] : lines) {
    std::string data;
    for (const auto& [x, c] : points) {
      std::string line = point_line(x, c->estimate.rate);
      line.pop_back();
      data += line + " " + value(100 * moved_share(*c)) + "\n";
      spoken.push_back(c->label + ": " + percent(c->estimate.rate.value) + " %" +
                       (drawing.moved
                            ? ", " + percent(moved_share(*c)) + " % of the weights moved in a step"
                            : ""));
    }
    const std::string block = "P" + std::to_string(k);
    blocks += data_block(block, data);
    rates += (rates.empty() ? "plot $" : ", $") + block + " using 1:2:3:4 with yerrorbars " +
             series(k) + " notitle, $" + block + " using 1:2 with linespoints " + series(k) +
             (name.empty() ? " notitle" : " title " + literal(name));
    moves += (moves.empty() ? "plot $" : ", $") + block + " using 1:5 with linespoints " +
             series(k) + " notitle";
    ++k;
  }
  const double first = *places.begin(), last = *places.rbegin(), width = last - first;
  const bool logarithmic = first > 0 && last >= 4 * first;
  const std::string range = logarithmic ? "set logscale x\nset xrange [" + value(first * 0.85) +
                                              ":" + value(last * 1.18) + "]"
                                        : "set xrange [" + value(first - 0.05 * width - 0.01) +
                                              ":" + value(last + 0.05 * width + 0.01) + "]";
  const std::string x_label = "set xlabel " + literal(drawing.x) + "\n";
  f.description = listed(spoken) + ".";
  f.commands =
      blocks + calm_axes() + range + "\nset xtics (" + tics + ")\nset key top left samplen 2.4\n" +
      (drawing.moved ? "set multiplot layout 2,1\nset lmargin 9\n" : x_label) +
      "set ylabel 'full answers, %'\nset yrange [0:100]\n" + rates + "\n" +
      (drawing.moved
           ? x_label + "set ylabel 'weights moved per step, %'\n" + moves + "\nunset multiplot\n"
           : "");
  f.height = drawing.moved ? 520 : 340;
  f.caption = drawing.moved
                  ? "Above: full answers with 95 % intervals. Below: the share of weights whose "
                    "stored value changed in a step, mean over the run."
                  : "Full answers with 95 % intervals.";
  f.origin = origin_of(study, rated_cells(table));
  out.push_back(std::move(f));
}

}  // namespace

std::vector<Figure> all_figures(const StudyReading& study, const TraceReading& traces) {
  std::vector<Figure> out;
  overview(study, out);
  for (const TableReading& table : study.tables)
    for (const Drawing& drawing : table.about.drawings) switch (drawing.kind) {
        case Drawing::Kind::curve:
          curve(study, table, drawing, out);
          break;
        case Drawing::Kind::lines:
          lines(study, table, drawing, out);
          break;
        case Drawing::Kind::heat:
          heat_map(study, table, drawing, out);
          break;
        case Drawing::Kind::radar:
          radar(study, table, drawing, out);
          break;
      }
  arena_figure(study, out);
  if (is_arena(study)) return out;
  trace_figures(study, out);
  depth_figures(study, traces, out);
  drift_harm_figure(study, traces, out);
  return out;
}

}  // namespace seawall::report
