#pragma once
// The tiny decoder on the pretended device.
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

}  // namespace seawall::testing
