#pragma once
// Figures drawn by gnuplot, and their SVG made fit for a page: unique ids, the page's colours,
// titles that a screen reader speaks.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::report {

/// The colours of Okabe and Ito 2008, told apart by every kind of colour vision. In gnuplot's
/// words; on the page each is a CSS variable that dark mode may lighten.
namespace ink {
inline constexpr std::string_view blue = "#0072B2", vermillion = "#D55E00", green = "#009E73",
                                  purple = "#CC79A7", orange = "#E69F00", sky = "#56B4E9",
                                  text = "#000000", muted = "#767676", rule = "#DDDDDD";
}

/// What a figure shows, and the gnuplot commands that draw it on any terminal.
struct Figure {
  std::string name;                // of the files: figures/NAME.svg, .pdf and .gp
  std::string title, description;  // what it is, and what it shows to those who cannot see it
  std::string caption;             // markup below it
  std::string origin;              // markup: command and hashes that make it
  std::string commands;
  int width = 680, height = 400;  // CSS pixels
  std::string csv = {};           // what it shows as CSV, in figures/NAME.csv; empty: no such file
};

/// Text as a gnuplot string in single quotes: nothing in it is a command, whatever it holds.
std::string literal(std::string_view text);
/// A number of a data block; NaN where there is none.
std::string value(double x);
/// Commands that make axes calm: two borders, outward tics, a light grid along y.
std::string calm_axes();

/// Draws into `folder`: NAME.gp, NAME.svg, NAME.pdf and NAME.csv, if it has one, for every figure.
/// Returns the inline SVG of each. The same figures give the same bytes. Errors: IoError where
/// gnuplot is missing or fails.
std::vector<std::string> draw(const std::vector<Figure>& figures,
                              const std::filesystem::path& folder);

/// SVG as gnuplot writes it, for standing inside a page (`inline_svg`: CSS variables, no prolog) or
/// in a file of its own.
std::string polish_svg(std::string_view svg, const Figure& figure, bool inline_svg);

}  // namespace seawall::report
