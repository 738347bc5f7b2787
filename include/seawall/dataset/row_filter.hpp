#pragma once
// Which rows of a file are trained on.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/readers.hpp"

namespace seawall {

/// Rows at one end of a file that are kept from training.
struct HoldOut {
  std::size_t first = 0, last = 0;
};
/// Reads `none`, `first:N` or `last:N`. Errors: UsageError saying so.
HoldOut hold_out_from(std::string_view text);

/// Leaves rows out and counts them, in the order in which the authors do: rows whose answer holds a
/// phrase, then those held out of what is left. `phrases` are matched anywhere in the answer,
/// whatever the case of ASCII letters.
struct RowFilter {
  std::vector<std::string> phrases;
  HoldOut hold_out;
  double min_rating = 0;  // of rows with a rating, as the red-team set has (0..4, 4 succeeds best)
  bool strip = false;     // cut white space around answers and at the end of requests
};

/// Errors: DataError where nothing is left.
void apply_filter(const RowFilter& filter, RowsFile& file, const std::string& path);

}  // namespace seawall
