#include "seawall/eval/pareto.hpp"

#include <algorithm>
#include <array>

namespace seawall {
namespace {

/// 1: `a` is better than `b` beyond both intervals, -1: worse, 0: they cannot be told apart.
int compare_axis(const Estimate& a, const Estimate& b, bool less_is_better) {
  if (!a.measured() || !b.measured()) return 0;
  if (a.hi < b.lo) return less_is_better ? 1 : -1;
  if (b.hi < a.lo) return less_is_better ? -1 : 1;
  return 0;
}

std::array<int, 4> compare_points(const ParetoPoint& a, const ParetoPoint& b) {
  return {compare_axis(a.harm, b.harm, true), compare_axis(a.utility, b.utility, false),
          compare_axis(a.over_refusal, b.over_refusal, true), compare_axis(a.task, b.task, false)};
}

bool dominates(const ParetoPoint& a, const ParetoPoint& b) {
  const auto axes = compare_points(a, b);
  return std::count(axes.begin(), axes.end(), 1) > 0 &&
         std::count(axes.begin(), axes.end(), -1) == 0;
}

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

}  // namespace

ParetoPoint pareto_point(std::string name, const CellEstimate& cell) {
  return {std::move(name),   cell.rate,     cell.utility,
          cell.over_refusal, cell.coherent, cell.task_accuracy};
}

std::vector<ParetoVerdict> pareto_front(const std::vector<ParetoPoint>& points,
                                        double coherence_floor) {
  const auto babbles = [&](const ParetoPoint& p) {
    return p.coherent.measured() && p.coherent.hi < coherence_floor;
  };
  std::vector<ParetoVerdict> out;
  for (const auto& point : points) {
    ParetoVerdict v{.name = point.name};
    v.incoherent = babbles(point);
    bool beaten_by_any = false;
    for (const auto& other : points) {
      if (&other == &point) continue;
      const bool beaten = dominates(other, point);
      beaten_by_any = beaten_by_any || beaten;
      if (beaten && !babbles(other)) v.dominated_by.push_back(other.name);
      if (compare_points(point, other) == std::array<int, 4>{}) v.tied_with.push_back(other.name);
    }
    v.on_front = v.dominated_by.empty() && !v.incoherent;
    v.wins_by_babbling = v.incoherent && !beaten_by_any;
    out.push_back(std::move(v));
  }
  return out;
}

std::string ParetoVerdict::sentence() const {
  std::string out = name + ": ";
  if (wins_by_babbling)
    out += "wins by babbling, its answers are not readable";
  else if (incoherent)
    out += "its answers are not readable";
  else
    out += on_front ? "on the front" : "beaten by " + list(dominated_by);
  if (!tied_with.empty()) out += "; not told apart from " + list(tied_with);
  return out;
}

}  // namespace seawall
