#pragma once
// The choice of the next token as tensor operations, so that a device needs no host for it.
#include <cstdint>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// Shapes: logits [M,V], ids [M] int64 -> log-probabilities of the ids [M] fp32.
Tensor log_probs_of(const Tensor& logits, const Tensor& ids);

struct DrawnTokens {
  Tensor ids;     // [M] int64
  Tensor finite;  // [M] bool; a row where it is false has no probabilities, and its id says nothing
};
/// One token per row, the one that `warp` and `draw` (decoding.hpp) choose, up to rounding; among
/// tokens of equal probability at the edge of `top_p` the first ones stay. Shapes: logits [M,V],
/// uniforms [M] fp64. Memory: a few times 8 bytes for each logit of the rows that are drawn at
/// once, which are `most` logits or one row.
DrawnTokens draw_tokens(const Tensor& logits, double temperature, double top_p,
                        const Tensor& uniforms, std::int64_t most = std::int64_t{1} << 25);

}  // namespace seawall
