#pragma once
// The residual stream now against that of theta0, where answers are predicted.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/policy/place_factors.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// Blocks, as `10,20` names them. Errors: UsageError naming `option`.
inline std::vector<std::int64_t> layers_from(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> layers;
  for (const auto& word : split_list(text)) {
    std::int64_t layer = -1;
    if (!detail::reads(word, layer) || layer < 0)
      throw UsageError(option + " " + text + ": want blocks counted from 0, such as 10,20");
    layers.push_back(layer);
  }
  return layers;
}

/// The mean over `layers` (none: those at 10/32 and 20/32 of the depth) of the mean of
/// `compare(h0, h)`: h the outputs of a block where targets are predicted, h0 under theta0. Two
/// passes. Shapes: h0, h [N,C] fp32, compare -> [N], -> []. Errors: UsageError for a layer that the
/// model does not have.
inline Tensor compared_streams(Trainer& trainer, const Batch& batch,
                               std::vector<std::int64_t> layers,
                               const std::function<Tensor(const Tensor&, const Tensor&)>& compare) {
  const Taps streams = TapPoint::Kind::resid_post;
  const Pass then = trainer.pass(batch, {.theta = Theta::start, .taps = streams});
  const Pass now = trainer.pass(batch, {.taps = streams});
  const auto depth = static_cast<std::int64_t>(now.taps.size());
  if (layers.empty()) layers = {depth * 10 / 32, depth * 20 / 32};
  Tensor sum;
  for (const std::int64_t layer : layers) {
    if (layer >= depth)
      throw UsageError("block " + std::to_string(layer) + ": the model has " +
                       std::to_string(depth) + ", counted from 0; name one of them");
    const auto at_targets = [&](const Pass& pass) {
      const Tensor& x = pass.tap({.kind = TapPoint::Kind::resid_post, .layer = layer});
      return x.index_select(0, batch.source).to(c10::promoteTypes(x.scalar_type(), at::kFloat));
    };
    const Tensor mean = compare(at_targets(then), at_targets(now)).mean();
    sum = sum.defined() ? sum.add(mean) : mean;
  }
  return sum.div(static_cast<double>(layers.size()));
}

}  // namespace seawall
