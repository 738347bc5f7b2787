#pragma once
// Small multiples: panels of one figure that share their axes and one legend.
#include <string>
#include <vector>

#include "report/figure.hpp"

namespace seawall::report {

struct Panel {
  std::string title, data, plots;  // data blocks, and what comes after `plot`
  std::string settings = {};       // of this panel alone, after those of all
};

struct Panels {
  std::vector<Panel> panels;
  std::vector<std::string> legend;         // `with linespoints … title …`, one line each
  std::string x_label, y_label, settings;  // settings: commands for every panel
  int columns = 3, panel_height = 190;     // pixels
  bool same_x = true;                      // the x label below the lowest panels alone
  int key_lines = 0;                       // of a panel's own key, between its title and its axes
};

/// Sets the commands, the size and the description of `figure`; `spoken`: what each panel shows, in
/// words.
void draw_panels(Figure& figure, const Panels& all, const std::vector<std::string>& spoken);

}  // namespace seawall::report
