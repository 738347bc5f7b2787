#pragma once
// The tiny decoder on the pretended device.
#include <limits>
#include <string_view>

#include "tests/support/pretend_device.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall::testing {

/// The tiny model with so many blocks.
inline LlamaConfig of_layers(std::int64_t layers) {
  LlamaConfig config = tiny_config();
  config.layers = layers;
  return config;
}
inline Decoder on_device(const LlamaConfig& config, at::ScalarType type = at::kBFloat16) {
  NamedTensors weights = random_weights(config, 1);
  for (auto& [name, tensor] : weights) tensor = tensor.to(type).to(pretend::there);
  return Decoder(config, weights);
}

/// A mitigation that spoils the loss of one call: by default its value is NaN.
struct LostAt {
  static constexpr std::string_view name = "lost-at", summary = "Spoils the loss of one step.";
  static constexpr Hook hooks = Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    std::int64_t call = -1;
    static constexpr void visit(auto&, auto&&) {}
  } options{};
  Tensor (*spoiled)(const Tensor& loss) = [](const Tensor& loss) {
    return loss.mul(std::numeric_limits<double>::quiet_NaN());
  };
  std::int64_t calls = 0;
  Tensor around_loss(Trainer&, const LossFn& loss) {
    const Tensor out = loss();
    return calls++ == options.call ? spoiled(out) : out;
  }
};

}  // namespace seawall::testing
