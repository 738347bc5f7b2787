#pragma once
// The direction of harm in the residual stream, for policies that steer along it.
#include <cstdint>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// The mean over targets of the output of each block, on `count` rows of a pool. Shapes: each [C],
/// fp32.
inline Tensors mean_streams(Trainer& trainer, Pool pool, std::int64_t count) {
  const Batch batch = trainer.encode(trainer.rows(pool, count));
  Tensors all;
  for (const auto& tap : trainer.pass(batch, {.taps = TapPoint::Kind::resid_post}).taps)
    all.push_back(tap.second.index_select(0, batch.source).mean(0, false, at::kFloat));
  return all;
}

/// That of harmful rows less that of safe ones, at each block. Two passes.
inline Tensors harm_directions(Trainer& trainer, std::int64_t count) {
  Tensors harmful = mean_streams(trainer, Pool::harmful, count);
  const Tensors safe = mean_streams(trainer, Pool::safe, count);
  for (std::size_t i = 0; i < safe.size(); ++i) harmful[i] = harmful[i].sub(safe[i]);
  return harmful;
}

/// `layer`, or the middle of `count` blocks for -1. Errors: UsageError naming `option`.
inline std::int64_t layer_among(std::size_t count, std::int64_t layer, const std::string& option) {
  const auto depth = static_cast<std::int64_t>(count);
  if (layer >= depth)
    throw UsageError(option + ": want one of the " + std::to_string(depth) +
                     " blocks, counted from 0");
  return layer == -1 ? depth / 2 : layer;
}

}  // namespace seawall
