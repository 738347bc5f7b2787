#include "seawall/model/clip.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <sstream>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

// Places in ClipConfig::parameter_shapes.
enum Fixed : std::size_t { class_token, patch_kernel, positions, pre_norm, first_block = 5 };
enum InBlock : std::size_t { norm1, q = 2, k = 4, v = 6, out = 8, norm2 = 10, fc1 = 12, fc2 = 14 };
constexpr std::size_t tensors_a_block = 16;

}  // namespace

std::int64_t ClipConfig::patches() const {
  const auto side = image_size / patch_size;
  return side * side;
}

void ClipConfig::check() const {
  const auto want = [](const char* field, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most)
      throw DataError("vision config: " + std::string(field) + " is " + std::to_string(value) +
                      ", want 1 to " + std::to_string(most));
  };
  want("image_size", image_size, 1 << 14);
  want("patch_size", patch_size, image_size);
  want("hidden_size", hidden_size, 1 << 17);
  want("intermediate_size", intermediate_size, 1 << 20);
  want("num_hidden_layers", layers, 1024);
  want("num_attention_heads", heads, 1024);
  if (hidden_size % heads != 0)
    throw DataError("vision config: hidden_size " + std::to_string(hidden_size) +
                    " is not a multiple of num_attention_heads " + std::to_string(heads));
  if (channels != 3)
    throw DataError("vision config: num_channels is " + std::to_string(channels) + ", want 3");
  if (!(layer_norm_eps > 0 && layer_norm_eps < 1))
    throw DataError("vision config: layer_norm_eps is " + std::to_string(layer_norm_eps) +
                    ", want a number above 0 and below 1");
  if (hidden_act != "quick_gelu" && hidden_act != "gelu")
    throw DataError("vision config: hidden_act is '" + hidden_act + "', want quick_gelu or gelu");
}

std::vector<std::pair<std::string, std::vector<std::int64_t>>> ClipConfig::parameter_shapes()
    const {
  const auto W = hidden_size, M = intermediate_size;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes;
  shapes.emplace_back("embeddings.class_embedding", std::vector{W});
  shapes.emplace_back("embeddings.patch_embedding.weight",
                      std::vector{W, channels, patch_size, patch_size});
  shapes.emplace_back("embeddings.position_embedding.weight", std::vector{patches() + 1, W});
  const auto affine = [&](const std::string& name, std::vector<std::int64_t> weight) {
    const std::vector bias{weight.front()};
    shapes.emplace_back(name + ".weight", std::move(weight));
    shapes.emplace_back(name + ".bias", bias);
  };
  affine("pre_layrnorm", {W});  // spelt so in the files
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto prefix = "encoder.layers." + std::to_string(layer) + ".";
    affine(prefix + "layer_norm1", {W});
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      affine(prefix + "self_attn." + name, {W, W});
    affine(prefix + "layer_norm2", {W});
    affine(prefix + "mlp.fc1", {M, W});
    affine(prefix + "mlp.fc2", {W, M});
  }
  affine("post_layernorm", {W});
  return shapes;
}

ClipConfig ClipConfig::from_fields(const JsonFields& fields) {
  const auto type = fields.text("model_type", "clip_vision_model");
  if (type != "clip_vision_model")
    fields.fail("model_type is '" + type + "', want 'clip_vision_model'");
  ClipConfig config;
  config.image_size = fields.integer("image_size", 224);  // transformers' defaults, which its files
  config.patch_size = fields.integer("patch_size", 32);   // leave out
  config.channels = fields.integer("num_channels", 3);
  config.hidden_size = fields.integer("hidden_size", 768);
  config.intermediate_size = fields.integer("intermediate_size", 3072);
  config.layers = fields.integer("num_hidden_layers", 12);
  config.heads = fields.integer("num_attention_heads", 12);
  config.layer_norm_eps = fields.number("layer_norm_eps", 1e-5);
  config.hidden_act = fields.text("hidden_act", "quick_gelu");
  try {
    config.check();
  } catch (const DataError& error) {
    fields.fail(error.what());
  }
  return config;
}

ClipEncoder::ClipEncoder(ClipConfig config, NamedTensors weights)
    : config_(std::move(config)), weights_(std::move(weights)) {
  config_.check();
}

Tensor ClipEncoder::norm(const Tensor& x, std::size_t weight) const {
  return at::layer_norm(x, {config_.hidden_size}, w(weight), w(weight + 1), config_.layer_norm_eps);
}

Tensor ClipEncoder::embedded(const Tensor& pixels) const {
  const auto b = pixels.size(0), width = config_.hidden_size;
  const Tensor patches = at::conv2d(pixels, w(patch_kernel), {}, config_.patch_size)
                             .flatten(2)
                             .transpose(1, 2);  // [B,W,s,s] -> [B,P,W]
  const Tensor token = w(class_token).expand({b, 1, width});
  return norm(at::cat({token, patches}, 1) + w(positions), pre_norm);  // [B,1+P,W]
}

Tensor ClipEncoder::block(const Tensor& x, std::int64_t layer) const {
  const auto at = first_block + static_cast<std::size_t>(layer) * tensors_a_block;
  const auto affine = [&](const Tensor& in, std::size_t weight) {
    return at::linear(in, w(at + weight), w(at + weight + 1));
  };
  const auto b = x.size(0), t = x.size(1), h = config_.heads;
  const auto heads = [&](const Tensor& in, std::size_t weight) {
    return affine(in, weight).view({b, t, h, config_.hidden_size / h}).transpose(1, 2);
  };
  const Tensor normed = norm(x, at + norm1);
  const Tensor mixed =
      at::scaled_dot_product_attention(heads(normed, q), heads(normed, k), heads(normed, v))
          .transpose(1, 2)
          .reshape({b, t, config_.hidden_size});  // [B,H,T,D] -> [B,T,W]
  const Tensor middle = x + affine(mixed, out);
  const Tensor wide = activated(config_.hidden_act, affine(norm(middle, at + norm2), fc1));
  return middle + affine(wide, fc2);
}

Tensor ClipEncoder::hidden(const Tensor& pixels, std::int64_t blocks) const {
  const auto s = config_.image_size;
  if (pixels.dim() != 4 || pixels.size(1) != 3 || pixels.size(2) != s || pixels.size(3) != s) {
    std::ostringstream got;
    got << pixels.sizes();
    throw UsageError("picture encoder: want pixels [B,3," + std::to_string(s) + "," +
                     std::to_string(s) + "], got " + got.str());
  }
  if (blocks < 0 || blocks > config_.layers)
    throw UsageError("picture encoder: want 0 to " + std::to_string(config_.layers) +
                     " blocks, got " + std::to_string(blocks));
  Tensor x = embedded(pixels);
  for (std::int64_t layer = 0; layer < blocks; ++layer) x = block(x, layer);
  return x;
}

Tensor ClipEncoder::pooled(const Tensor& last) const {
  return norm(last.select(1, 0), weights_.size() - 2);
}

NamedTensors random_clip_weights(const ClipConfig& config, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const auto width = static_cast<double>(config.hidden_size);
  const double narrow = std::pow(width, -0.5);
  const double deep = narrow * std::pow(2.0 * static_cast<double>(config.layers), -0.5);
  NamedTensors out;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const bool norm = name.find("norm") != std::string::npos;
    if (name.ends_with(".bias") || norm) {
      out.push_back({name, name.ends_with(".bias") ? at::zeros(shape) : at::ones(shape)});
      continue;
    }
    double std = narrow;
    if (name.ends_with("out_proj.weight") || name.ends_with("fc2.weight")) std = deep;
    if (name.ends_with("fc1.weight")) std = std::pow(2 * width, -0.5);
    if (name.ends_with("patch_embedding.weight"))
      std = std::pow(static_cast<double>(shape[1] * shape[2] * shape[3]), -0.5);
    out.push_back({name, at::zeros(shape).normal_(0.0, std, generator)});
  }
  return out;
}

Tensor activated(const std::string& name, const Tensor& x) {
  return name == "quick_gelu" ? x * at::sigmoid(1.702 * x) : at::gelu(x);
}

}  // namespace seawall
