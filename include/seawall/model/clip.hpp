#pragma once
// The picture encoder of CLIP: a vision transformer with a class token, under Hugging Face's
// CLIPVisionModel names. Plain differentiable operators. Source: Radford et al. 2021, sec. 2.4;
// Dosovitskiy et al. 2021.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

class JsonFields;

struct ClipConfig {
  std::int64_t image_size = 0, patch_size = 0, channels = 3;
  std::int64_t hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0;  // W, MLP width
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "quick_gelu";  // or gelu

  /// P, the positions a picture has besides the class token.
  std::int64_t patches() const;
  /// Errors: DataError naming the field that cannot be.
  void check() const;
  /// CLIPVisionModel's names with their shapes, less the prefix `vision_model.`, in a fixed order.
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes() const;
  /// Reads a clip_vision_model object. Errors: DataError naming a missing, wrong or unsupported
  /// field.
  static ClipConfig from_fields(const JsonFields& fields);
};

class ClipEncoder {
 public:
  /// Takes the weights, in the order of parameter_shapes, as they are (no copy).
  ClipEncoder(ClipConfig config, NamedTensors weights);

  const ClipConfig& config() const { return config_; }
  const NamedTensors& parameters() const { return weights_; }

  /// The stream after `blocks` blocks: transformers' hidden_states[blocks]. Position 0 is the class
  /// token. Shapes: pixels [B,3,S,S] normalized -> [B,1+P,W]. Errors: UsageError for other shapes.
  Tensor hidden(const Tensor& pixels, std::int64_t blocks) const;
  /// The class token of the last block's stream, normalized: transformers' pooler_output. Shapes:
  /// last [B,1+P,W] -> [B,W].
  Tensor pooled(const Tensor& last) const;

 private:
  Tensor embedded(const Tensor& pixels) const;
  Tensor block(const Tensor& x, std::int64_t layer) const;
  Tensor norm(const Tensor& x, std::size_t weight) const;
  const Tensor& w(std::size_t index) const { return weights_[index].tensor; }

  ClipConfig config_;
  NamedTensors weights_;
};

/// The config's random start: normal weights as CLIP draws them, biases 0, norms 1, drawn on the
/// CPU from `seed`. Source: Radford et al. 2021, code, initialize_parameters.
NamedTensors random_clip_weights(const ClipConfig& config, std::uint64_t seed);

/// x * sigmoid(1.702 x), or gelu.
Tensor activated(const std::string& name, const Tensor& x);

}  // namespace seawall
