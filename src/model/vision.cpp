#include "seawall/model/vision.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

constexpr std::int64_t pictures_at_once = 32;

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

}  // namespace

Tensor Preprocess::operator()(const Pixels& pixels) const {
  Tensor x = at::empty({pixels.height, pixels.width, 3}, at::kByte);  // [h,w,3]
  std::memcpy(x.data_ptr(), pixels.rgb.data(), pixels.rgb.size());
  x = x.permute({2, 0, 1}).contiguous();  // [3,h,w]
  if (resize) {
    // As transformers: the longer side is rounded down.
    const auto shorter = std::min(pixels.width, pixels.height);
    const auto scaled = [&](std::int64_t side) {
      return side == shorter ? shortest_edge : side * shortest_edge / shorter;
    };
    const auto h = scaled(pixels.height), w = scaled(pixels.width);
    if (h != pixels.height || w != pixels.width)
      x = at::_upsample_bicubic2d_aa(x.unsqueeze(0), {h, w}, false).squeeze(0);  // [3,h',w']
  }
  if (centre_crop) {
    if (x.size(1) < crop || x.size(2) < crop)
      throw DataError("a picture of " + std::to_string(x.size(2)) + " x " +
                      std::to_string(x.size(1)) + ", want at least " + std::to_string(crop) +
                      " on each side to crop");
    x = x.narrow(1, (x.size(1) - crop) / 2, crop).narrow(2, (x.size(2) - crop) / 2, crop);
  }
  x = x.to(at::kFloat) * rescale;
  if (!normalize) return x.contiguous();
  const auto column = [](const std::array<double, 3>& v) {
    return at::tensor({v[0], v[1], v[2]}, at::kFloat).view({3, 1, 1});
  };
  return ((x - column(mean)) / column(deviation)).contiguous();
}

Vision::Vision(VisionConfig config, Preprocess preprocess, NamedTensors encoder,
               NamedTensors projector)
    : config_(std::move(config)),
      preprocess_(preprocess),
      encoder_(config_.encoder, std::move(encoder)),
      projector_(std::move(projector)) {
  auto in = config_.encoder.hidden_size;
  for (std::size_t i = 0; i < projector_.size(); i += 2) {
    const auto& weight = projector_[i];
    if (weight.tensor.dim() != 2 || weight.tensor.size(1) != in)
      throw DataError("projector: " + weight.name + ": want shape [C," + std::to_string(in) +
                      "], got " + shape_text(weight.tensor.sizes()));
    in = weight.tensor.size(0);
    const auto& bias = projector_.at(i + 1);
    if (bias.tensor.dim() != 1 || bias.tensor.size(0) != in)
      throw DataError("projector: " + bias.name + ": want shape [" + std::to_string(in) +
                      "], got " + shape_text(bias.tensor.sizes()));
  }
}

NamedTensors Vision::parameters() const {
  NamedTensors all;
  for (const auto& [name, tensor] : encoder_.parameters())
    all.push_back({"vision_tower.vision_model." + name, tensor});
  all.insert(all.end(), projector_.begin(), projector_.end());
  return all;
}

std::int64_t Vision::width() const {
  return projector_.empty() ? 0 : projector_.back().tensor.size(0);
}

Tensor Vision::pixels(const std::vector<Pixels>& pictures) const {
  std::vector<Tensor> all;
  for (const auto& picture : pictures) all.push_back(preprocess_(picture));
  return at::stack(all);
}

Tensor Vision::features(const Tensor& pixels) const {
  const Tensor x = encoder_.hidden(pixels, config_.blocks());  // [B,1+P,W]
  return config_.class_token ? x : x.narrow(1, 1, x.size(1) - 1);
}

Tensor Vision::embed(const Tensor& pixels) const {
  if (projector_.empty())
    throw DataError("vision: there is no projector, so pictures cannot be shown to a decoder");
  Tensor x = features(pixels);
  for (std::size_t i = 0; i < projector_.size(); i += 2) {
    if (i > 0) x = activated(config_.projector_act, x);
    x = at::linear(x, projector_[i].tensor, projector_[i + 1].tensor);
  }
  return x;
}

void PictureRows::place(const Picture& picture, std::vector<std::int32_t>& ids,
                        std::vector<std::uint8_t>* loss) {
  const auto at = std::find(ids.begin(), ids.end(), picture_id);
  if (at == ids.end()) throw DataError("a picture without its place among the tokens");
  const auto place = at - ids.begin();
  const auto n = vision_.config().positions();
  const auto hash = picture.content_hash();
  auto known = first_row_.find(hash);
  if (known == first_row_.end()) {
    const std::string path = picture.path();
    try {
      pixels_.push_back(vision_.preprocess()(picture.pixels()));
    } catch (const DataError& error) {
      const std::string what = error.what();
      throw DataError(path.empty() || what.starts_with(path) ? what : path + ": " + what);
    }
    known = first_row_.emplace(hash, static_cast<std::int64_t>(first_row_.size()) * n).first;
  }
  std::vector<std::int32_t> rows;
  for (std::int64_t i = 0; i < n; ++i)
    rows.push_back(static_cast<std::int32_t>(-1 - known->second - i));
  ids.erase(at);
  ids.insert(ids.begin() + place, rows.begin(), rows.end());
  if (loss != nullptr) loss->insert(loss->begin() + place, rows.size() - 1, std::uint8_t{0});
}

Tensor PictureRows::embeddings() const {
  if (pixels_.empty()) return {};
  const c10::NoGradGuard no_grad;
  std::vector<Tensor> parts;
  const auto count = static_cast<std::int64_t>(pixels_.size());
  for (std::int64_t begin = 0; begin < count; begin += pictures_at_once) {
    const auto end = std::min(begin + pictures_at_once, count);
    parts.push_back(
        vision_
            .embed(at::stack(std::vector<Tensor>(pixels_.begin() + begin, pixels_.begin() + end)))
            .flatten(0, 1));  // [B,N,C] -> [B*N,C]
  }
  return at::cat(parts);
}

}  // namespace seawall
