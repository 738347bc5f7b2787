// The direction of refusal through training.
#include <ATen/TensorOperators.h>

#include <algorithm>

#include "seawall/core/error.hpp"
#include "study/moments.hpp"

namespace seawall {
namespace {

/// Shapes: -> [layer+1, C] fp64; undefined if one of the two has no mean stream.
Tensor direction_of(const EvaluationRecord& restricted, const EvaluationRecord& ordinary) {
  const Tensor &a = restricted.mean_residual, &b = ordinary.mean_residual;
  if (!a.defined() || !b.defined()) return {};
  if (a.sizes() != b.sizes())
    throw DataError("the mean streams of restricted and of ordinary prompts differ in shape");
  return a.select(0, -1).to(at::kDouble) - b.select(0, -1).to(at::kDouble);
}

std::vector<double> numbers_of(const Tensor& x) {
  const Tensor here = x.contiguous();
  return {here.const_data_ptr<double>(), here.const_data_ptr<double>() + here.numel()};
}

}  // namespace

DirectionChange direction_change(const EvaluationRecord& now, const EvaluationRecord& now_ordinary,
                                 const EvaluationRecord& start,
                                 const EvaluationRecord& start_ordinary) {
  const Tensor here = direction_of(now, now_ordinary), there = direction_of(start, start_ordinary);
  if (!here.defined() || !there.defined()) return {};
  if (here.sizes() != there.sizes())
    throw DataError("the mean streams of two evaluations of a run differ in shape");
  // A length of 0 makes both NaN: there is no direction.
  const Tensor length = (here * here).sum(-1).sqrt(), first = (there * there).sum(-1).sqrt();
  return {numbers_of((here * there).sum(-1) / (length * first)), numbers_of(length / first)};
}

DirectionReading read_direction(const ArmRunFiles& runs, const std::string& arm,
                                const std::string& condition) {
  DirectionReading out{.arm = arm, .condition = condition};
  for (const ArmMoment& moment : moments_of(runs, condition)) {
    std::vector<DirectionChange> changes;
    for (const RunMoment& one : moment.runs) {
      if (one.ordinary == nullptr || one.start_harm == nullptr || one.start_ordinary == nullptr)
        continue;
      auto change =
          direction_change(*one.harm, *one.ordinary, *one.start_harm, *one.start_ordinary);
      if (!change.cosine.empty()) changes.push_back(std::move(change));
    }
    if (changes.empty()) continue;
    DirectionMoment m{.at = moment.at, .runs = std::ssize(changes)};
    for (std::size_t layer = 0; layer < changes.front().cosine.size(); ++layer) {
      std::vector<double> cosine, length;
      for (const DirectionChange& c : changes) {
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
