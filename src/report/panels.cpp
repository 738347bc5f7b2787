#include "report/panels.hpp"

#include <algorithm>

#include "report/html.hpp"
#include "report/plots.hpp"

namespace seawall::report {

namespace {

/// A part of the canvas, in pixels from its left and upper edge.
struct Box {
  int left, top, width, height;
};

/// Commands that draw the next plot's axes there.
std::string place(const Figure& figure, const Box& box) {
  const auto across = [&](int x) { return value(static_cast<double>(x) / figure.width); };
  const auto up = [&](int y) { return value(1 - static_cast<double>(y) / figure.height); };
  return "set lmargin at screen " + across(box.left) + "\nset rmargin at screen " +
         across(box.left + box.width) + "\nset tmargin at screen " + up(box.top) +
         "\nset bmargin at screen " + up(box.top + box.height) + "\n";
}

/// A plot of nothing but its key, over the whole width.
std::string legend_plot(const std::vector<std::string>& legend) {
  std::string entries;
  for (const std::string& one : legend) entries += "keyentry " + one + ", ";
  return "unset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\nset key inside left "
         "center horizontal Left reverse samplen 2.2 font ',11' maxcols " +
         std::to_string(legend.size()) + "\nplot " + entries + "NaN notitle\n";
}

}  // namespace

void draw_panels(Figure& figure, const Panels& all, const std::vector<std::string>& spoken) {
  figure.width = 760;
  figure.description = listed(spoken) + ".";
  constexpr int left = 64, right = 12, gap = 26, below = 62;  // pixels
  constexpr int key_line = 15, character = 18;                // of the fonts below
  const int key = key_line * all.key_lines, title = 30 + key;
  const int legend = all.legend.empty() ? 6 : 34;
  const int n = static_cast<int>(all.panels.size());
  const int rows = (n + all.columns - 1) / all.columns;
  // Below panels with the same x axis there are its numbers alone, but below the lowest.
  const int apart = title + (all.same_x ? 38 : below), aside = all.same_x ? gap : left;
  const int width = (figure.width - left - right - (all.columns - 1) * aside) / all.columns;
  figure.height = legend + title + rows * all.panel_height + (rows - 1) * apart + below;
  std::string& out = figure.commands;
  for (const Panel& p : all.panels) out += p.data;
  out += "set multiplot\n";
  if (!all.legend.empty())
    out +=
        place(figure, {left, 4, figure.width - left - right, legend - 8}) + legend_plot(all.legend);
  out += calm_axes() + "set xtics nomirror autofreq\nset ytics nomirror autofreq\n" + all.settings;
  if (all.key_lines > 0)
    out +=
        "set key at graph 0,1.02 left bottom vertical Left reverse samplen 1.6 maxcols 1 font "
        "',10'\n";
  for (int i = 0; i < n; ++i) {
    const Panel& p = all.panels[static_cast<std::size_t>(i)];
    const int row = i / all.columns, column = i % all.columns;
    out +=
        place(figure, {left + column * (width + aside),
                       legend + title + row * (all.panel_height + apart), width, all.panel_height});
    const bool first = column == 0, lowest = i + all.columns >= n;
    out += "set title " + literal(p.title) + " font ',11' offset 0," +
           value(-0.6 + static_cast<double>(key) / character) + "\nset ylabel " +
           literal(first ? all.y_label : "") + " font ',11'\nset xlabel " +
           literal(lowest || !all.same_x ? all.x_label : "") + " font ',11'\nset format y '" +
           (first || !all.same_x ? "%g" : "") + "'\n" + p.settings + "plot " + p.plots + "\n";
  }
  out += "unset multiplot\n";
}

}  // namespace seawall::report
