#pragma once
// Neurons of MLPs: the rows of gate_proj and up_proj, and the columns of down_proj.
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/place_factors.hpp"

namespace seawall {

/// The dimension of a weight that counts neurons; -1 if it is none of an MLP.
inline std::int64_t neuron_dimension(std::string_view parameter) {
  if (parameter.ends_with(".mlp.down_proj.weight")) return 1;
  const bool row =
      parameter.ends_with(".mlp.gate_proj.weight") || parameter.ends_with(".mlp.up_proj.weight");
  return row ? 0 : -1;
}

/// Neurons by layer.
using Neurons = std::map<long, std::vector<std::int64_t>>;

/// Reads `LAYER:NEURON` pairs with commas between. Errors: UsageError naming `option` and the pair.
inline Neurons neurons_from(std::string_view option, std::string_view text) {
  Neurons out;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const auto colon = pair.find(':');
    long layer = -1;
    std::int64_t neuron = -1;
    if (colon == pair.npos || !detail::reads(pair.substr(0, colon), layer) ||
        !detail::reads(pair.substr(colon + 1), neuron) || layer < 0 || neuron < 0)
      throw UsageError(std::string(option) +
                       ": want LAYER:NEURON pairs with commas between, got `" + std::string(pair) +
                       "`");
    out[layer].push_back(neuron);
  }
  return out;
}

/// The rows or columns of a weight that the neurons are; undefined if it has none of them. Errors:
/// UsageError for a neuron that it does not have.
inline Tensor neurons_of(const Param& param, const Neurons& neurons) {
  const auto dimension = neuron_dimension(param.name);
  const auto found = neurons.find(detail::layer_of(param.name));
  if (dimension < 0 || found == neurons.end() || found->second.empty()) return {};
  const auto there = param.value.size(dimension), most = std::ranges::max(found->second);
  if (most >= there)
    throw UsageError("neuron " + std::to_string(most) + " of layer " +
                     std::to_string(found->first) + ": there are " + std::to_string(there) +
                     ", counted from 0");
  return at::tensor(found->second, param.value.options().dtype(at::kLong).requires_grad(false));
}

/// Adds |W dL/dW| of a gradient to the scores of each neuron by layer. Source: Lee et al. 2019
/// (SNIP).
inline void add_scores(std::map<long, Tensor>& scores, ParamView params, const Tensors& gradient) {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const auto dimension = neuron_dimension(params[i].name);
    if (dimension < 0) continue;
    const Tensor part = gradient[i].mul(params[i].value.detach()).abs().sum(1 - dimension);
    Tensor& sum = scores[detail::layer_of(params[i].name)];
    sum = sum.defined() ? sum.add(part) : part;
  }
}

}  // namespace seawall
