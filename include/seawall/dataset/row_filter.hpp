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

/// Which answers of a row with several carry loss, as far as they have no weight of their own.
enum class LossOn { last, all };
/// Reads `last` or `all`. Errors: UsageError saying so.
LossOn loss_on_from(std::string_view text);

/// Leaves rows out and counts them, in the order in which the authors do: rows whose answer holds a
/// phrase, then those held out of what is left. `phrases` are matched anywhere in the answers that
/// carry loss, whatever the case of ASCII letters. Also how the file is read.
struct RowFilter {
  std::vector<std::string> phrases;
  HoldOut hold_out;
  double min_rating = 0;  // of rows with a rating, as the red-team set has (0..4, 4 succeeds best)
  LossOn loss_on = LossOn::last;
  double max_rejected = 1;  // greatest share of records that cannot be used
  std::string columns{};    // of a table: "REQUEST,ANSWER"; "": known names
  bool strip = false;       // cut white space around answers and at the end of requests
  ReaderCatalogue readers = reader_catalogue();
};

/// Errors: DataError where nothing is left.
void apply_filter(const RowFilter& filter, RowsFile& file, const std::string& path);

}  // namespace seawall
