#pragma once
// The residual stream now against that of theta0, where answers are predicted.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/place_factors.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// Blocks, as `10,20` names them. Errors: UsageError naming `option`.
inline std::vector<std::int64_t> layers_from(const std::string& option, const std::string& text) {
  const auto refuse = [&] {
    throw UsageError(option + " " + text + ": want blocks counted from 0, each once, as 10,20");
  };
  std::vector<std::int64_t> layers;
  for (const auto& word : split_list(text)) {
    std::int64_t layer = -1;
    if (!detail::reads(word, layer) || layer < 0 || std::ranges::count(layers, layer) > 0) refuse();
    layers.push_back(layer);
  }
  if (layers.empty() && !text.empty()) refuse();
  return layers;
}

/// Outputs of blocks where targets are predicted, one for each block. Shapes: each [N,C] fp32.
struct Streams {
  Tensors start, now;  // under theta0, and differentiable
};
/// Those of `layers` (none: the blocks at 10/32 and 20/32 of the depth). Two passes. Errors:
/// UsageError for a layer that the model does not have.
inline Streams target_streams(Trainer& trainer, const Batch& batch,
                              std::vector<std::int64_t> layers) {
  const Taps kind = TapPoint::Kind::resid_post;
  const Pass then = trainer.pass(batch, {.theta = Theta::start, .taps = kind});
  const Pass now = trainer.pass(batch, {.taps = kind});
  const auto depth = static_cast<std::int64_t>(now.taps.size());
  if (layers.empty()) layers = {depth * 10 / 32, depth * 20 / 32};
  Streams out;
  for (const std::int64_t layer : layers) {
    if (layer >= depth)
      throw UsageError("block " + std::to_string(layer) + ": the model has " +
                       std::to_string(depth) + ", counted from 0; name one of them");
    const auto at_targets = [&](const Pass& pass) {
      const Tensor& x = pass.tap({.kind = TapPoint::Kind::resid_post, .layer = layer});
      return x.index_select(0, batch.source).to(c10::promoteTypes(x.scalar_type(), at::kFloat));
    };
    out.start.push_back(at_targets(then));
    out.now.push_back(at_targets(now));
  }
  return out;
}

/// The mean over `layers` of the mean of `compare(h0, h)` of their streams. Shapes: compare of two
/// [N,C] -> [N]; -> []. Errors: those of target_streams.
inline Tensor compared_streams(Trainer& trainer, const Batch& batch,
                               std::vector<std::int64_t> layers,
                               const std::function<Tensor(const Tensor&, const Tensor&)>& compare) {
  const Streams streams = target_streams(trainer, batch, std::move(layers));
  Tensor sum;
  for (std::size_t i = 0; i < streams.now.size(); ++i) {
    const Tensor mean = compare(streams.start[i], streams.now[i]).mean();
    sum = sum.defined() ? sum.add(mean) : mean;
  }
  return sum.div(static_cast<double>(streams.now.size()));
}

}  // namespace seawall
