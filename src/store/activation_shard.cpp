#include "store/activation_shard.hpp"

#include <algorithm>
#include <limits>

namespace seawall {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{4} << 20;

std::uint64_t positions_of(const ActivationInfo& info) {
  return info.all_positions ? static_cast<std::uint64_t>(info.max_length) : 1;
}

std::size_t capacity_of(const ActivationInfo& info) {
  const auto fit =
      info.shard_bytes / std::max<std::uint64_t>(ActivationShard::prompt_bytes(info), 1);
  const auto limit = info.prompts > 0 ? static_cast<std::uint64_t>(info.prompts) : fit;
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(std::min(fit, limit), 1, 1 << 20));
}

/// Rows of `width` values that a chunk of a few MiB holds, at most `most`.
std::uint64_t rows_a_chunk(std::uint64_t width, std::uint64_t most) {
  return std::clamp<std::uint64_t>(chunk_bytes / (4 * width), 1, most);
}

/// What both large variables say of their values.
h5::Attributes values_of(const ActivationInfo& info) {
  return {{"source_dtype", info.source_dtype},
          {"dim_order", std::string("C")},
          {"coordinates", std::string("number category length")}};
}

}  // namespace

std::uint64_t ActivationShard::prompt_bytes(const ActivationInfo& info) {
  const auto row = static_cast<std::uint64_t>(info.layers * info.d_model + info.vocabulary);
  return row * positions_of(info) * 4 + static_cast<std::uint64_t>(info.max_length) * 5;
}

ActivationShard::ActivationShard(const ActivationInfo& info, std::size_t shard)
    : info_(info),
      shard_(shard),
      capacity_(capacity_of(info)),
      positions_(positions_of(info)),
      writer_(prompt_bytes(info) * capacity_),
      out_(writer_, activation_schema()) {
  put_root();
  out_.coordinate("probe", std::vector<std::string>{}, true);
  std::vector<std::int32_t> positions(static_cast<std::size_t>(info.max_length));
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  out_.coordinate("position", positions);
  if (!info.all_positions) out_.without_optional_dims();
  if (info.layers > 0) {
    std::vector<std::int32_t> layers(static_cast<std::size_t>(info.layers));
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = static_cast<std::int32_t>(i);
    out_.coordinate("layer", layers);
    const auto width = static_cast<std::uint64_t>(info.d_model);
    out_.dimension("d_model", width);
    auto attributes = values_of(info);
    attributes.emplace_back("module_name", std::string("model.embed_tokens (layer 0), output of "
                                                       "model.layers.{layer-1}"));
    attributes.emplace_back("hook_name", std::string("hook_embed (layer 0), "
                                                     "blocks.{layer-1}.hook_resid_post"));
    out_.variable("resid_post",
                  h5::Layout{.chunk = shape_of({1, 1, rows_a_chunk(width, positions_), width}),
                             .compress = info.compress,
                             .growing = true,
                             .attributes = std::move(attributes)});
  }
  if (info.vocabulary > 0) {
    const auto width = static_cast<std::uint64_t>(info.vocabulary);
    out_.dimension("vocabulary", width);
    out_.variable("logits",
                  h5::Layout{.chunk = shape_of({1, rows_a_chunk(width, positions_), width}),
                             .compress = info.compress,
                             .growing = true,
                             .attributes = values_of(info)});
  }
}

/// Sizes of a block, less that of `position` if there is none.
h5::Shape ActivationShard::shape_of(h5::Shape shape) const {
  if (!info_.all_positions) shape.erase(shape.end() - 2);
  return shape;
}

void ActivationShard::put_root() {
  out_.attribute("Conventions", "CF-1.10");
  out_.head();
  out_.attribute("shard", static_cast<std::int64_t>(shard_));
  for (const auto& [name, value] : info_.attributes) out_.attribute(name, value);
  out_.text("config_json", info_.config_json);
}

void ActivationShard::add(const PromptActivations& prompt) {
  const std::uint64_t row = length_.size(), next = row + 1;
  const auto tokens = static_cast<std::uint64_t>(prompt.input_ids.size());
  const auto positions = info_.all_positions ? tokens : 1;
  writer_.extend("probe", next);
  if (info_.layers > 0) {
    const auto layers = static_cast<std::uint64_t>(info_.layers);
    const auto width = static_cast<std::uint64_t>(info_.d_model);
    writer_.extend("resid_post", next);
    writer_.write(
        "resid_post", shape_of({row, 0, 0, 0}), shape_of({1, layers, positions, width}),
        {h5::Type::float32, prompt.resid_post.const_data_ptr(), layers * positions * width});
  }
  if (info_.vocabulary > 0) {
    const auto width = static_cast<std::uint64_t>(info_.vocabulary);
    writer_.extend("logits", next);
    writer_.write("logits", shape_of({row, 0, 0}), shape_of({1, positions, width}),
                  {h5::Type::float32, prompt.logits.const_data_ptr(), positions * width});
  }
  length_.push_back(static_cast<std::int32_t>(tokens));
  const auto padding = static_cast<std::size_t>(info_.max_length) - prompt.input_ids.size();
  input_ids_.insert(input_ids_.end(), prompt.input_ids.begin(), prompt.input_ids.end());
  input_ids_.insert(input_ids_.end(), padding, 0);
  mask_.insert(mask_.end(), prompt.input_ids.size(), 1);
  mask_.insert(mask_.end(), padding, 0);
  id_.push_back(h5::storable_text(prompt.id));
  category_.push_back(h5::storable_text(prompt.category));
  text_.push_back(h5::storable_text(prompt.text));
}

bool ActivationShard::full() const { return length_.size() >= capacity_; }

void ActivationShard::publish(const std::filesystem::path& path) {
  const auto count = length_.size();
  writer_.write("probe", {0}, {count}, id_);
  // Written as a whole file or not at all; the count says so to readers that look.
  out_.attribute("n_valid", static_cast<std::int64_t>(count));
  std::vector<std::int64_t> numbers(count);
  for (std::size_t i = 0; i < count; ++i)
    numbers[i] = static_cast<std::int64_t>(shard_ * capacity_ + i);
  out_.variable("number", numbers);
  out_.variable("length", length_);
  out_.variable("input_ids", input_ids_);
  out_.variable("attention_mask", mask_);
  out_.variable("category", category_);
  out_.variable("rendered_prompt", text_);
  h5::publish(path, writer_);
}

}  // namespace seawall
