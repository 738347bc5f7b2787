#pragma once
// Values that are NaN or infinite: where they are first.
#include <cstdint>
#include <optional>
#include <string>

#include "seawall/core/tensor.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

/// The first row with a value that is not finite. Shapes: x [M,C].
std::optional<std::int64_t> first_row_not_finite(const Tensor& x);

/// The first weight with a value that is not finite, as `NAME has 3 values that are not finite`;
/// empty where there is none.
std::string weight_not_finite(const NamedTensors& weights);

/// Says what makes the model's output for `row` not finite: a weight by its name, or the first
/// block whose output is not. `embeddings`: as PlanOptions has them.
std::string where_not_finite(const Decoder& decoder, const Sequence& row, const Tensor& embeddings);

}  // namespace seawall
