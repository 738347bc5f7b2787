#include "seawall/eval/ties.hpp"

#include <algorithm>
#include <boost/graph/adjacency_matrix.hpp>
#include <boost/graph/bron_kerbosch_all_cliques.hpp>
#include <iterator>

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

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

}  // namespace

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
    out = apart.size() == 2 ? list(apart) + " differ." : "Every cell differs from every other.";
  } else {
    if (apart.size() == 1)
      out = apart.front() + " differs from " +
            (tied.size() <= 3 ? list(tied) : std::string("every other cell")) + "; ";
    else if (apart.size() > 1)
      out = list(apart) + " differ from every other cell; ";
    for (std::size_t i = 0; i < groups.size(); ++i)
      out += (i == 0 ? "" : "; ") + list(groups[i]) + " are tied";
    out += ".";
  }
  if (!complete) out += " (Pairs that were not compared count as tied.)";
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
