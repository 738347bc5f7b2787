// The paper's figures, drawn from the cells.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "report/html.hpp"
#include "report/plots.hpp"
#include "report/sections.hpp"

namespace seawall::report {
namespace {

std::vector<const CellReading*> rated_cells(const TableReading& table) {
  std::vector<const CellReading*> out;
  for (const CellReading& c : table.cells)
    if (c.rated()) out.push_back(&c);
  return out;
}

/// What follows `key` in a name, as a number; NaN where it is not there.
double after(const std::string& name, const std::string& key) {
  const auto at = name.find(key);
  return at == std::string::npos ? kNotMeasured
                                 : std::strtod(name.c_str() + at + key.size(), nullptr);
}

/// A learning rate as people write it: 5e-5.
std::string rate_text(double lr) {
  if (!(lr > 0)) return value(lr);
  const int exponent = static_cast<int>(std::floor(std::log10(lr) + 1e-9));
  return value(std::round(lr / std::pow(10.0, exponent) * 1000) / 1000) + "e" +
         std::to_string(exponent);
}

std::string point_line(double x, const Estimate& e) {
  return value(x) + " " + value(100 * e.value) + " " + value(100 * e.lo) + " " + value(100 * e.hi) +
         "\n";
}

/// Every cell of the paper's tables as a dot with its interval, the paper's own beside it.
void overview(const Reading& reading, std::vector<Figure>& out) {
  struct Row {
    const CellReading* cell;
    std::string label;
  };
  std::vector<Row> rows;  // a null cell: a heading
  std::vector<const CellReading*> cells;
  for (const TableReading& table : reading.tables) {
    if (!table.name.starts_with("table") || rated_cells(table).empty()) continue;
    rows.push_back({nullptr, table.title});
    for (const CellReading* c : rated_cells(table)) {
      rows.push_back({c, c->label});
      cells.push_back(c);
    }
  }
  if (cells.empty()) return;
  const int n = static_cast<int>(rows.size());
  Figure f{.name = "overview", .title = "Harmfulness rate of every cell, here and in the paper"};
  f.description =
      "A dot with its 95 % interval for every cell of the tables, with the paper's models as open "
      "marks below it.";
  f.width = 760;
  f.height = 80 + 23 * n;
  std::string ours, tics, labels;
  std::vector<std::string> theirs(reading.models.size());
  for (int i = 0; i < n; ++i) {
    const double y = n - i;
    if (rows[static_cast<std::size_t>(i)].cell == nullptr) {
      labels += "set label " + literal(rows[static_cast<std::size_t>(i)].label) +
                " at graph 0.004, first " + value(y - 0.2) + " left textcolor rgb '" +
                std::string(ink::text) + "'\n";
      continue;
    }
    const CellReading& c = *rows[static_cast<std::size_t>(i)].cell;
    tics += (tics.empty() ? "" : ", ") + literal(c.label) + " " + value(y);
    ours += value(y) + " " + value(100 * c.estimate.rate.value) + " " +
            value(100 * c.estimate.rate.lo) + " " + value(100 * c.estimate.rate.hi) + "\n";
    for (std::size_t m = 0; m < reading.models.size(); ++m) {
      const auto* p = reading.paper(c.cell, reading.models[m]);
      if (p == nullptr || std::isnan(p->rate)) continue;
      const Estimate e = wilson(std::round(p->rate * 3.3), 330);
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
             literal(reading.models[m]);
  }
  f.commands += plots + "\n";
  f.caption =
      "Every cell with its 95 % interval; open marks: the paper\xe2\x80\x99s models with Wilson "
      "intervals at 330 probes.";
  f.origin = origin_of(reading, cells, "");
  out.push_back(std::move(f));
}

/// The label of the i-th of n axes: on two lines where it is long, and as far out as its half width
/// asks for (the offset of a spider plot's label is radial, in characters).
std::string axis_label(const std::string& words, std::size_t i, std::size_t n) {
  constexpr std::size_t kLong = 16;
  std::size_t split = std::string::npos;
  const auto off = [&](std::size_t at) {
    return std::abs(static_cast<double>(at) - static_cast<double>(words.size()) / 2);
  };
  if (words.size() > kLong)
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

void radar(const Reading& reading, std::vector<Figure>& out) {
  const TableReading* table = reading.table("figure1");
  if (table == nullptr) return;
  std::vector<std::string> categories, names;
  std::map<std::string, std::map<std::string, const CellReading*>> by_name;
  for (const CellReading* c : rated_cells(*table)) {
    const std::string name = c->cell.cell.substr(0, c->cell.cell.find('/'));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    if (std::find(categories.begin(), categories.end(), c->cell.category) == categories.end())
      categories.push_back(c->cell.category);
    by_name[name][c->cell.category] = c;
  }
  if (categories.size() < 3 || names.empty()) return;
  Figure f{.name = "figure1", .title = "Harm by category, before and after the attack"};
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
          " " + value(found == by_name[names[k]].end() ? kNotMeasured
                                                       : 100 * found->second->estimate.rate.value);
    }
    const std::string block = "$S" + std::to_string(k);
    f.commands += data_block("S" + std::to_string(k), row + "\n");
    static constexpr std::array<std::string_view, 4> kInks{ink::blue, ink::vermillion, ink::green,
                                                           ink::orange};
    static constexpr std::array<int, 4> kMarks{6, 7, 9, 5}, kDashes{2, 1, 4, 5};
    const std::size_t style = k % kInks.size();
    plots += (plots.empty() ? "plot " : ", newspiderplot, ") + std::string("for [i=1:") + n + "] " +
             block + " using i+1:key(1) lc rgb '" + std::string(kInks[style]) + "' lw 2 dt " +
             std::to_string(kDashes[style]) + " pt " + std::to_string(kMarks[style]) + " ps 0.7";
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
  f.origin = origin_of(reading, rated_cells(*table), "figure1");
  out.push_back(std::move(f));
}

/// A curve over epochs with its interval as a band.
Figure epoch_curve(const Reading& reading, const std::string& name, const std::string& title,
                   const std::vector<std::pair<double, const CellReading*>>& points,
                   std::string_view only) {
  Figure f{.name = name, .title = title};
  std::string data;
  std::vector<std::string> spoken;
  std::vector<const CellReading*> cells;
  double last = 1, most = 0;
  for (const auto& [epoch, c] : points) {
    data += point_line(epoch, c->estimate.rate);
    spoken.push_back(value(epoch) + " epochs: " + percent(c->estimate.rate.value) + " %");
    cells.push_back(c);
    last = std::max(last, epoch);
    most = std::max(most, c->estimate.rate.hi);
  }
  f.description = "Full answers against epochs. " + listed(spoken) + ".";
  const double top = most > 0.5 ? 100 : std::ceil(most * 10 + 0.5) * 10;
  f.commands =
      calm_axes() + "set yrange [0:" + value(top) + "]\nset xrange [" + value(-0.02 * last) + ":" +
      value(1.03 * last) +
      "]\nset xtics 1\nset xlabel 'epochs'\nset ylabel 'full answers, % of probes'\n" +
      data_block("RATE", data) +
      "plot $RATE using 1:3:4 with filledcurves fs transparent solid 0.16 noborder lc rgb '" +
      std::string(ink::vermillion) + "', $RATE using 1:2 with linespoints lc rgb '" +
      std::string(ink::vermillion) + "' lw 2 pt 7 ps 0.8\n";
  f.height = 340;
  f.caption = "The band is the 95 % interval over seeds, categories and probes.";
  f.origin = origin_of(reading, cells, only);
  return f;
}

std::vector<std::pair<double, const CellReading*>> by_epochs(const TableReading& table,
                                                             const std::string& key) {
  std::vector<std::pair<double, const CellReading*>> out;
  for (const CellReading* c : rated_cells(table)) {
    const double epoch =
        key.empty() ? std::strtod(c->cell.cell.c_str(), nullptr) : after(c->cell.cell, key);
    if (!std::isnan(epoch) && (key.empty() || c->cell.cell.starts_with(key)))
      out.emplace_back(epoch, c);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

/// One box a cell, darker for more harm, its figure inside.
void heat_map(const Reading& reading, const TableReading& table, std::vector<Figure>& out) {
  std::set<double> lrs, batches;
  std::vector<const CellReading*> cells;
  for (const CellReading* c : rated_cells(table)) {
    const double lr = after(c->cell.cell, "lr-"), batch = after(c->cell.cell, "batch-");
    if (std::isnan(lr) || std::isnan(batch)) continue;
    lrs.insert(lr), batches.insert(batch);
    cells.push_back(c);
  }
  if (lrs.empty()) return;
  Figure f{.name = "figure4-heat",
           .title = "Harm after benign fine-tuning, by learning rate and batch size"};
  f.height = 110 + 74 * static_cast<int>(lrs.size());
  std::string objects, xtics, ytics;
  std::vector<std::string> spoken;
  const auto place = [](const std::set<double>& all, double v) {
    return static_cast<double>(std::distance(all.begin(), all.find(v)));
  };
  for (const double b : batches)
    xtics += (xtics.empty() ? "" : ", ") + literal(value(b)) + " " + value(place(batches, b));
  for (const double lr : lrs)
    ytics += (ytics.empty() ? "" : ", ") + literal(rate_text(lr)) + " " + value(place(lrs, lr));
  int object = 1;
  for (const CellReading* c : cells) {
    const double x = place(batches, after(c->cell.cell, "batch-")),
                 y = place(lrs, after(c->cell.cell, "lr-"));
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
               value(static_cast<double>(batches.size()) - 0.45) +
               "]\nset yrange [-0.55:" + value(static_cast<double>(lrs.size()) - 0.45) +
               "]\nset tics scale 0\nset xtics (" + xtics + ")\nset ytics (" + ytics +
               ")\nset xlabel 'rows a step (batch size)'\nset ylabel 'learning rate'\n" + objects +
               "plot NaN notitle\n";
  f.caption = "Full answers, % of probes, with the 95 % interval; darker is more harm.";
  f.origin = origin_of(reading, cells, "figure4");
  out.push_back(std::move(f));
}

/// Rate and moved weights against the learning rate, a line a precision.
void precision(const Reading& reading, std::vector<Figure>& out) {
  const TableReading* table = reading.table("precision");
  if (table == nullptr) return;
  std::map<std::string, std::map<double, const CellReading*>> lines;
  for (const CellReading* c : rated_cells(*table)) {
    const double lr = after(c->cell.cell, "lr-");
    if (!std::isnan(lr)) lines[c->cell.cell.substr(0, c->cell.cell.find('/'))][lr] = c;
  }
  if (lines.empty()) return;
  Figure f{.name = "precision", .title = "Is the effect of the learning rate a rounding effect?"};
  f.height = 520;
  std::string blocks, rates, moves, tics;
  std::set<double> lrs;
  for (const auto& [name, points] : lines)
    for (const auto& [lr, c] : points) lrs.insert(lr);
  for (const double lr : lrs)
    tics += (tics.empty() ? "" : ", ") + literal(rate_text(lr)) + " " + value(lr);
  std::vector<std::string> spoken;
  std::size_t k = 0;
  for (const auto& [name, points] : lines) {
    std::string data;
    for (const auto& [lr, c] : points) {
      double moved = 0, steps = 0;
      for (const CellRun& r : c->runs)
        for (const StepRecord& s : r.run->steps) moved += s.moved, steps += 1;
      const double share = steps > 0 ? moved / steps : kNotMeasured;
      std::string line = point_line(lr, c->estimate.rate);
      line.pop_back();
      data += line + " " + value(100 * share) + "\n";
      spoken.push_back(c->label + ": " + percent(c->estimate.rate.value) + " %, " + percent(share) +
                       " % of the weights moved in a step");
    }
    const std::string block = "P" + std::to_string(k);
    blocks += data_block(block, data);
    rates += (rates.empty() ? "plot $" : ", $") + block + " using 1:2:3:4 with yerrorbars " +
             series(k) + " notitle, $" + block + " using 1:2 with linespoints " + series(k) +
             " title " + literal(name);
    moves += (moves.empty() ? "plot $" : ", $") + block + " using 1:5 with linespoints " +
             series(k) + " notitle";
    ++k;
  }
  f.description = listed(spoken) + ".";
  f.commands = blocks + calm_axes() + "set logscale x\nset xrange [" + value(*lrs.begin() * 0.85) +
               ":" + value(*lrs.rbegin() * 1.18) + "]\nset xtics (" + tics +
               ")\nset key top left samplen 2.4\nset multiplot "
               "layout 2,1\nset lmargin 9\nset ylabel 'full answers, %'\nset yrange [0:100]\n" +
               rates + "\nset xlabel 'learning rate'\nset ylabel 'weights moved a step, %'\n" +
               moves + "\nunset multiplot\n";
  f.caption =
      "Above: full answers with 95 % intervals. Below: the share of weights whose stored value "
      "changed in a step, mean over the run.";
  f.origin = origin_of(reading, rated_cells(*table), "precision");
  out.push_back(std::move(f));
}

}  // namespace

std::vector<Figure> all_figures(const Reading& reading) {
  std::vector<Figure> out;
  overview(reading, out);
  radar(reading, out);
  if (const TableReading* t = reading.table("figure2")) {
    const auto points = by_epochs(*t, "");
    if (points.size() > 1)
      out.push_back(epoch_curve(reading, "figure2", "Harm against epochs of the explicit attack",
                                points, "figure2"));
  }
  if (const TableReading* t = reading.table("figure4")) {
    heat_map(reading, *t, out);
    const auto points = by_epochs(*t, "epochs-");
    if (points.size() > 1)
      out.push_back(epoch_curve(reading, "figure4-epochs",
                                "Harm against epochs of benign fine-tuning", points, "figure4"));
  }
  precision(reading, out);
  trace_figures(reading, out);
  return out;
}

}  // namespace seawall::report
