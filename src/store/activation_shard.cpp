#include "store/activation_shard.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

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

/// What all large variables say of their values.
h5::Attributes values_of(const ActivationInfo& info, const std::string& module,
                         const std::string& hook) {
  h5::Attributes out{{"source_dtype", info.source_dtype},
                     {"dim_order", std::string("C")},
                     {"coordinates", std::string("number category length")}};
  if (!module.empty()) out.emplace_back("module_name", module);
  if (!hook.empty()) out.emplace_back("hook_name", hook);
  return out;
}

}  // namespace

std::uint64_t ActivationVariable::values_a_position() const {
  auto count = static_cast<std::uint64_t>(width);
  for (const auto size : lead) count *= static_cast<std::uint64_t>(size);
  return count;
}

std::vector<ActivationVariable> activation_variables(const ActivationInfo& info) {
  using Prompt = PromptActivations;
  std::vector<ActivationVariable> out;
  const auto add = [&](const char* name, Tensor Prompt::*values, std::vector<std::int64_t> lead,
                       std::int64_t width, const std::string& module, const std::string& hook) {
    out.push_back({name, values, std::move(lead), width, values_of(info, module, hook)});
  };
  if (info.layers > 0)
    add("resid_post", &Prompt::resid_post, {info.layers}, info.d_model,
        "model.embed_tokens (layer 0), output of model.layers.{layer-1}",
        "hook_embed (layer 0), blocks.{layer-1}.hook_resid_post");
  if (info.attn_out)
    add("attn_out", &Prompt::attn_out, {info.blocks}, info.d_model,
        "output of model.layers.{block}.self_attn", "blocks.{block}.hook_attn_out");
  if (info.mlp_out)
    add("mlp_out", &Prompt::mlp_out, {info.blocks}, info.d_model,
        "output of model.layers.{block}.mlp", "blocks.{block}.hook_mlp_out");
  if (info.heads > 0)
    add("attention", &Prompt::attention, {info.blocks, info.heads}, std::ssize(info.spans),
        "attentions of model.layers.{block}.self_attn, summed over spans",
        "blocks.{block}.attn.hook_pattern, summed over spans");
  if (info.vocabulary > 0) add("logits", &Prompt::logits, {}, info.vocabulary, "", "");
  return out;
}

std::uint64_t ActivationShard::prompt_bytes(const ActivationInfo& info) {
  std::uint64_t row = 0;
  for (const auto& variable : activation_variables(info)) row += variable.values_a_position();
  return row * positions_of(info) * 4 + static_cast<std::uint64_t>(info.max_length) * 5;
}

ActivationShard::ActivationShard(const ActivationInfo& info, std::size_t shard)
    : info_(info),
      shard_(shard),
      capacity_(capacity_of(info)),
      positions_(positions_of(info)),
      variables_(activation_variables(info)),
      writer_(prompt_bytes(info) * capacity_),
      out_(writer_, activation_schema()) {
  put_root();
  put_axes();
  for (const auto& variable : variables_) {
    const auto width = static_cast<std::uint64_t>(variable.width);
    const std::vector<std::int64_t> ones(variable.lead.size(), 1);
    out_.variable(variable.name,
                  h5::Layout{.chunk = block_of(1, ones, rows_a_chunk(width, positions_), width),
                             .compress = info.compress,
                             .growing = true,
                             .attributes = variable.attributes});
  }
}

void ActivationShard::put_axes() {
  const auto places = [](std::int64_t count) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), 0);
    return out;
  };
  const bool inside = info_.attn_out || info_.mlp_out;
  out_.coordinate("probe", std::vector<std::string>{}, true);
  out_.coordinate("position", places(info_.max_length));
  if (!info_.all_positions) out_.without_optional_dims();
  if (info_.layers > 0) out_.coordinate("layer", places(info_.layers));
  if (inside || info_.heads > 0) out_.coordinate("block", places(info_.blocks));
  if (info_.layers > 0 || inside)
    out_.dimension("d_model", static_cast<std::uint64_t>(info_.d_model));
  if (info_.heads > 0) {
    out_.coordinate("head", places(info_.heads));
    out_.coordinate("span", info_.spans);
  }
  if (info_.vocabulary > 0)
    out_.dimension("vocabulary", static_cast<std::uint64_t>(info_.vocabulary));
}

h5::Shape ActivationShard::block_of(std::uint64_t first, const std::vector<std::int64_t>& lead,
                                    std::uint64_t positions, std::uint64_t width) const {
  h5::Shape shape{first};
  for (const auto size : lead) shape.push_back(static_cast<std::uint64_t>(size));
  if (info_.all_positions) shape.push_back(positions);
  shape.push_back(width);
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
  for (const auto& variable : variables_) {
    const auto width = static_cast<std::uint64_t>(variable.width);
    const std::vector<std::int64_t> zeros(variable.lead.size());
    writer_.extend(variable.name, next);
    writer_.write(variable.name, block_of(row, zeros, 0, 0),
                  block_of(1, variable.lead, positions, width),
                  {h5::Type::float32, (prompt.*variable.values).const_data_ptr(),
                   variable.values_a_position() * positions});
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
