#include "seawall/eval/ties.hpp"

#include <algorithm>
#include <boost/graph/adjacency_matrix.hpp>
#include <boost/graph/bron_kerbosch_all_cliques.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Graph = boost::adjacency_matrix<boost::undirectedS>;

/// Takes the largest sets of places that are all tied with one another.
struct Collect {
  std::vector<std::vector<std::size_t>>* sets;
  template <class Clique>
  void clique(const Clique& members, const Graph&) const {
    std::vector<std::size_t> set(members.begin(), members.end());
    std::sort(set.begin(), set.end());
    sets->push_back(std::move(set));
  }
};

std::string name_list(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

/// Mean of the judged rows.
double rate_of(const std::vector<Outcome>& run, Measure measure) {
  double sum = 0, n = 0;
  for (const auto& o : run)
    if (known(o, measure)) sum += read(o, measure), n += 1;
  return n > 0 ? sum / n : not_measured;
}

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double v : values) {
    const auto below = std::count_if(values.begin(), values.end(), [v](double x) { return x < v; });
    const auto equal = std::count(values.begin(), values.end(), v);
    out.push_back(static_cast<double>(below) + (static_cast<double>(equal) + 1) / 2);
  }
  return out;
}

/// Chance of an L of at least `l` where every order of every block is as likely; a half, which only
/// ties give, is rounded down, to the safe side.
double page_p(double l, std::size_t cells, std::size_t blocks) {
  const auto m = static_cast<double>(cells), n = static_cast<double>(blocks);
  if (cells > 8) {
    const double mean = n * m * (m + 1) * (m + 1) / 4;
    const double variance = n * m * m * (m * m - 1) * (m + 1) / 144;
    return boost::math::cdf(
        boost::math::complement(boost::math::normal(), (l - mean) / std::sqrt(variance)));
  }
  std::vector<int> order(cells);
  std::iota(order.begin(), order.end(), 1);
  std::map<int, double> one;  // L of a block -> chance
  double orders = 0;
  do {
    int sum = 0;
    for (std::size_t j = 0; j < cells; ++j) sum += static_cast<int>(j + 1) * order[j];
    one[sum] += 1, orders += 1;
  } while (std::next_permutation(order.begin(), order.end()));
  std::map<int, double> all{{0, 1}};
  for (std::size_t b = 0; b < blocks; ++b) {
    std::map<int, double> next;
    for (const auto& [sum, chance] : all)
      for (const auto& [more, count] : one) next[sum + more] += chance * count / orders;
    all = std::move(next);
  }
  double p = 0;
  for (const auto& [sum, chance] : all)
    if (sum >= std::floor(l)) p += chance;
  return std::min(1.0, p);
}

}  // namespace

std::string why_not_told_apart(const Comparison& c) {
  if (c.different) return "";
  char text[128];
  std::snprintf(text, sizeof text, "%+.1f points, ", 100 * c.difference.value);
  std::string out = c.a + " and " + c.b + ": " + text;
  const char* reason = "but not once all pairs of the table are tested";
  double p = c.p_adjusted;
  if (c.p >= 0.05) {
    p = c.p;
    reason = c.p == c.p_pooled  ? "no more than chance flips"
             : c.p == c.p_seeds ? "but not alike in all seeds"
                                : "but not alike in all categories";
  }
  std::snprintf(text, sizeof text, "%s (p %.2g)", reason, p);
  return out + text;
}

Trend page_trend(const std::vector<ArmRuns>& cells, Measure measure) {
  if (cells.size() < 3)
    throw UsageError("trend: want three cells or more, got " + std::to_string(cells.size()));
  std::size_t blocks = 0;
  for (const auto& cell : cells) blocks = std::max(blocks, cell.runs.size());
  double up = 0, down = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    std::vector<double> rates;
    for (const auto& cell : cells) {
      if (cell.runs.size() != blocks && cell.runs.size() != 1)
        throw UsageError("trend: " + cell.name + " has " + std::to_string(cell.runs.size()) +
                         " runs, want " + std::to_string(blocks));
      rates.push_back(rate_of(cell.runs[cell.runs.size() == 1 ? 0 : b], measure));
    }
    const auto rank = ranks(rates);
    for (std::size_t j = 0; j < rank.size(); ++j) {
      up += static_cast<double>(j + 1) * rank[j];
      down += static_cast<double>(rank.size() - j) * rank[j];
    }
  }
  Trend trend{.l = std::max(up, down), .rises = up >= down};
  trend.p = std::min(1.0, 2 * page_p(trend.l, cells.size(), blocks));
  trend.found = trend.p < 0.05;
  return trend;
}

Ties tied_sets(const std::vector<std::string>& names, const std::vector<Comparison>& comparisons) {
  const auto place = [&names](const std::string& name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  const std::size_t n = names.size();
  std::vector<bool> known(n * n), different(n * n);
  for (const auto& c : comparisons) {
    const std::size_t i = place(c.a), j = place(c.b);
    if (i >= n || j >= n) continue;
    known[i * n + j] = known[j * n + i] = true;
    different[i * n + j] = different[j * n + i] = c.different;
  }
  Ties ties;
  Graph graph(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      ties.complete = ties.complete && known[i * n + j];
      if (!different[i * n + j]) boost::add_edge(i, j, graph);
    }
  }
  std::vector<std::vector<std::size_t>> sets;
  boost::bron_kerbosch_all_cliques(graph, Collect{&sets}, 1);
  std::sort(sets.begin(), sets.end());
  for (const auto& set : sets) {
    if (set.size() == 1) {
      ties.apart.push_back(names[set.front()]);
      continue;
    }
    auto& group = ties.groups.emplace_back();
    for (const std::size_t i : set) group.push_back(names[i]);
  }
  return ties;
}

std::string Ties::sentence() const {
  if (apart.empty() && groups.empty()) return "";
  std::string out;
  std::vector<std::string> tied;  // every cell in a group, once
  for (const auto& group : groups)
    for (const auto& name : group)
      if (std::find(tied.begin(), tied.end(), name) == tied.end()) tied.push_back(name);
  if (groups.empty()) {
    if (apart.size() < 2) return "";
    out =
        apart.size() == 2 ? name_list(apart) + " differ." : "Every cell differs from every other.";
  } else {
    if (apart.size() == 1)
      out = apart.front() + " differs from " +
            (tied.size() <= 3 ? name_list(tied) : std::string("every other cell")) + "; ";
    else if (apart.size() > 1)
      out = name_list(apart) + " differ from every other cell; ";
    for (std::size_t i = 0; i < groups.size(); ++i)
      out += (i == 0 ? "" : "; ") + name_list(groups[i]) + " are not told apart";
    out += ".";
  }
  if (!complete) out += " (Pairs that were not compared count as not told apart.)";
  return out;
}

std::vector<std::string> tied_with(const std::string& name,
                                   const std::vector<Comparison>& comparisons) {
  std::vector<std::string> out;
  for (const auto& c : comparisons) {
    if (c.different || (c.a != name && c.b != name)) continue;
    out.push_back(c.a == name ? c.b : c.a);
  }
  return out;
}

}  // namespace seawall
