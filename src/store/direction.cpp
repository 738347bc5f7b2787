#include "seawall/store/direction.hpp"

#include <ATen/TensorOperators.h>

#include "seawall/core/error.hpp"

namespace seawall {

/// Shapes: -> [position, layer+1, C] fp64; undefined if one of the two has no mean stream.
static Tensor direction_of(const EvaluationRecord& restricted, const EvaluationRecord& ordinary) {
  const Tensor &a = restricted.mean_residual, &b = ordinary.mean_residual;
  if (!a.defined() || !b.defined()) return {};
  if (a.sizes() != b.sizes())
    throw DataError("the mean streams of restricted and of ordinary prompts differ in shape");
  return a.to(at::kDouble) - b.to(at::kDouble);
}

DirectionChange direction_change(const EvaluationRecord& now, const EvaluationRecord& now_ordinary,
                                 const EvaluationRecord& start,
                                 const EvaluationRecord& start_ordinary) {
  const Tensor here = direction_of(now, now_ordinary), there = direction_of(start, start_ordinary);
  if (!here.defined() || !there.defined()) return {};
  if (here.sizes() != there.sizes())
    throw DataError("the mean streams of two evaluations of a run differ in shape");
  const Tensor length = (here * here).sum(-1).sqrt(), first = (there * there).sum(-1).sqrt();
  return {((here * there).sum(-1) / (length * first)).contiguous(), (length / first).contiguous()};
}

}  // namespace seawall
