// The direction of refusal through training.
#include <algorithm>

#include "seawall/store/direction.hpp"
#include "study/moments.hpp"

namespace seawall {
namespace {

/// By layer, at the last prompt token.
std::vector<double> at_last(const Tensor& by_position) {
  const Tensor here = by_position.select(0, -1).contiguous();
  return {here.const_data_ptr<double>(), here.const_data_ptr<double>() + here.numel()};
}

struct LayerChange {
  std::vector<double> cosine, length;
};

}  // namespace

DirectionReading read_direction(const ArmRunFiles& runs, const std::string& arm,
                                const std::string& condition) {
  DirectionReading out{.arm = arm, .condition = condition};
  for (const ArmMoment& moment : moments_of(runs, condition)) {
    std::vector<LayerChange> changes;
    for (const RunMoment& one : moment.runs) {
      if (one.ordinary == nullptr || one.start_harm == nullptr || one.start_ordinary == nullptr)
        continue;
      const auto change =
          direction_change(*one.harm, *one.ordinary, *one.start_harm, *one.start_ordinary);
      if (change.cosine.defined())
        changes.push_back({at_last(change.cosine), at_last(change.length)});
    }
    if (changes.empty()) continue;
    DirectionMoment m{.at = moment.at, .runs = std::ssize(changes)};
    for (std::size_t layer = 0; layer < changes.front().cosine.size(); ++layer) {
      std::vector<double> cosine, length;
      for (const LayerChange& c : changes) {
        cosine.push_back(c.cosine.at(layer));
        length.push_back(c.length.at(layer));
      }
      m.cosine.push_back(spread_of(cosine));
      m.length.push_back(spread_of(length));
    }
    out.moments.push_back(std::move(m));
  }
  if (out.moments.size() < 2) out.moments.clear();
  return out;
}

}  // namespace seawall
