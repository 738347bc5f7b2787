#include "model/token_choice.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <vector>

namespace seawall {

Tensor log_probs_of(const Tensor& logits, const Tensor& ids) {
  return logits.log_softmax(1, at::kFloat).gather(1, ids.unsqueeze(1)).squeeze(1);
}

/// The likeliest weights that together hold `top_p` of the sum; the others become 0. Shapes: [M,V].
static Tensor likeliest(const Tensor& weights, double top_p) {
  const auto [sorted, order] = weights.sort(/*stable=*/true, 1, /*descending=*/true);
  const Tensor before = at::constant_pad_nd(sorted.cumsum(1).narrow(1, 0, weights.size(1) - 1),
                                            {1, 0});  // held by the likelier ones
  const Tensor out = before.ge(weights.sum(1, true) * top_p);
  return at::zeros_like(weights).scatter_(1, order, sorted.masked_fill(out, 0));
}

static DrawnTokens draw_few(const Tensor& logits, double temperature, double top_p,
                            const Tensor& uniforms) {
  const Tensor scores = (logits.to(at::kFloat) / temperature).to(at::kDouble);  // [M,V]
  Tensor weights = (scores - scores.amax(1, true)).exp();
  if (top_p < 1) weights = likeliest(weights, top_p);
  const Tensor ends = weights.cumsum(1);
  const Tensor total = ends.select(1, ends.size(1) - 1);  // [M]
  const Tensor met = ends.gt((uniforms * total).unsqueeze(1)) & weights.gt(0);
  return {met.to(at::kByte).argmax(1), at::isfinite(total)};  // the first one that is met
}

DrawnTokens draw_tokens(const Tensor& logits, double temperature, double top_p,
                        const Tensor& uniforms, std::int64_t most) {
  const auto rows = logits.size(0), at_once = std::max<std::int64_t>(1, most / logits.size(1));
  if (rows <= at_once) return draw_few(logits, temperature, top_p, uniforms);
  std::vector<Tensor> ids, finite;
  for (std::int64_t begin = 0; begin < rows; begin += at_once) {
    const auto n = std::min(at_once, rows - begin);
    auto few =
        draw_few(logits.narrow(0, begin, n), temperature, top_p, uniforms.narrow(0, begin, n));
    ids.push_back(std::move(few.ids));
    finite.push_back(std::move(few.finite));
  }
  return {at::cat(ids), at::cat(finite)};
}

}  // namespace seawall
