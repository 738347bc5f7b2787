#include "seawall/model/not_finite.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>

#include <string>

namespace seawall {

std::optional<std::int64_t> first_row_not_finite(const Tensor& x) {
  // A sum is finite only if all its terms are, and costs one pass without a mask.
  if (x.sum().isfinite().item<bool>()) return std::nullopt;
  const Tensor rows = at::isfinite(x.reshape({x.size(0), -1})).all(1).to(at::kCPU);  // [M]
  const auto* good = rows.const_data_ptr<bool>();
  for (std::int64_t i = 0; i < rows.numel(); ++i)
    if (!good[i]) return i;
  return std::nullopt;
}

std::string weight_not_finite(const NamedTensors& weights) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : weights) {
    const auto bad = at::isfinite(tensor).logical_not().sum().item<std::int64_t>();
    if (bad > 0)
      return name + " has " + std::to_string(bad) +
             (bad == 1 ? " value that is" : " values that are") + " not finite (NaN or infinite)";
  }
  return "";
}

std::string where_not_finite(const Decoder& decoder, const Sequence& row,
                             const Tensor& embeddings) {
  if (auto weight = weight_not_finite(decoder.parameters()); !weight.empty())
    return "the model's outputs are not finite: tensor " + weight;
  const at::NoGradGuard no_grad;
  std::string first;
  ForwardHooks hooks;
  hooks.take = [&](const TapPoint& point, const Tensor& x) {
    if (!first.empty() || !first_row_not_finite(x)) return;
    first = point.layer < 0 ? "the embedding's output"
                            : "the output of block " + std::to_string(point.layer);
  };
  decoder.hidden(plan_batch({row}, decoder.device(), {.embeddings = embeddings}), hooks);
  if (first.empty()) first = "a value on the way to the logits";
  return "the model's outputs are not finite: all its weights are, and the first that is not is " +
         first + "; they overflow in this precision, or a hook made them so";
}

}  // namespace seawall
