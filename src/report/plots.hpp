#pragma once
// Small words that figures share.
#include <string>
#include <string_view>
#include <vector>

#include "report/figure.hpp"
#include "seawall/study/reading.hpp"

namespace seawall::report {

/// `$NAME << EOD ... EOD`.
std::string data_block(const std::string& name, const std::string& lines);
/// Colour, dash and mark of the k-th line: each differs in all three, so that grey print tells them
/// apart.
std::string series(std::size_t k);
/// Colour and mark of the same, for points without a line.
std::string mark(std::size_t k);
/// Light to dark for 0 to 1, as #RRGGBB; its lightness alone says the order.
std::string heat_colour(double share);

/// Figures that need the runs' traces: drift, spectra, judges, Pareto, compute.
void trace_figures(const StudyReading& study, std::vector<Figure>& out);

}  // namespace seawall::report
