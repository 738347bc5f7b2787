#pragma once
// The direction of refusal: mean residual stream of restricted less that of ordinary prompts.
#include "seawall/core/trace.hpp"

namespace seawall {

/// Cosine with, and length relative to, the direction of refusal at the start of a run. NaN if one
/// of the two directions has no length. Shapes: [position, layer+1] fp64 on the CPU. Source: Arditi
/// et al. 2024, sec. 2.3.
struct DirectionChange {
  Tensor cosine, length;
};
/// Of the evaluations `now` and `start`, each with its ordinary ones; undefined if one of them has
/// no mean stream. Errors: DataError if the streams differ in shape.
DirectionChange direction_change(const EvaluationRecord& now, const EvaluationRecord& now_ordinary,
                                 const EvaluationRecord& start,
                                 const EvaluationRecord& start_ordinary);

}  // namespace seawall
