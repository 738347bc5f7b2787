#include "seawall/core/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace seawall {
namespace {

/// Levenshtein distance in one row of memory.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const auto& k : known) {
    const std::size_t d = distance(name, k);
    if (d >= least) continue;
    least = d;
    best = k;
  }
  return best;
}

}  // namespace seawall
