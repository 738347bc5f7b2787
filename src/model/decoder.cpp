#include "seawall/model/decoder.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <sstream>
#include <unordered_map>

#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "model/loss.hpp"
#include "model/watch.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {

/// Kinds that the blocks themselves pass.
static constexpr Taps within_blocks = inside_taps | TapPoint::Kind::attention;

namespace {

using Shape = std::vector<std::int64_t>;

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

void check_shape(const std::string& name, const Tensor& tensor, const Shape& want) {
  if (!tensor.defined() || tensor.sizes() != at::IntArrayRef(want))
    throw DataError("decoder: " + name + ": want shape " + shape_text(want) + ", got " +
                    (tensor.defined() ? shape_text(tensor.sizes()) : std::string("no tensor")) +
                    "; do config and weights belong together?");
}

/// `weights` in the config's order. Errors: DataError naming what is missing, surplus, doubled or
/// of another shape.
NamedTensors in_order(const LlamaConfig& config, const NamedTensors& weights) {
  std::unordered_map<std::string, Tensor> by_name;
  for (auto& [name, tensor] : weights)
    if (!by_name.emplace(name, tensor).second)
      throw DataError("decoder: " + name + " is given twice");
  NamedTensors out;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const auto found = by_name.find(name);
    if (found == by_name.end())
      throw DataError("decoder: want a tensor " + name + " " + shape_text(shape) +
                      ", there is none");
    check_shape(name, found->second, shape);
    const auto& first = out.empty() ? found->second : out.front().tensor;
    if (found->second.scalar_type() != first.scalar_type() ||
        found->second.device() != first.device())
      throw DataError("decoder: " + name + ": want the type and device of " + out.front().name +
                      ", got others");
    out.push_back({name, found->second});
    by_name.erase(found);
  }
  if (!by_name.empty())
    throw DataError("decoder: " + by_name.begin()->first + " is not a parameter of this config (" +
                    std::to_string(by_name.size()) +
                    " such); was tie_word_embeddings or the number of layers misread?");
  return out;
}

void want_rows(const char* what, const Tensor& x, std::int64_t rows, std::int64_t c) {
  if (x.dim() != 2 || (rows >= 0 && x.size(0) != rows) || x.size(1) != c)
    throw UsageError(std::string(what) + ": want [" +
                     (rows >= 0 ? "T=" + std::to_string(rows) : std::string("M")) +
                     ",C=" + std::to_string(c) + "], got " + shape_text(x.sizes()));
}

void want_targets(const char* what, const Tensor& targets) {
  if (targets.size(0) == 0)
    throw UsageError(std::string(what) + ": want at least one target token in the batch, got none");
}

}  // namespace

Decoder::Decoder(LlamaConfig config, const NamedTensors& weights) : config_(config) {
  config_.check();
  weights_ = in_order(config_, weights);
}

at::Device Decoder::device() const { return weights_.front().tensor.device(); }
at::ScalarType Decoder::dtype() const { return weights_.front().tensor.scalar_type(); }

void Decoder::set_requires_grad(bool on) {
  for (auto& w : weights_) w.tensor.requires_grad_(on);
}

void Decoder::replace(const NamedTensors& weights) { weights_ = in_order(config_, weights); }

void Decoder::adapt(Adapter adapter) {
  check_adapter(config_, adapter);
  adapter_ = std::move(adapter);
}

std::vector<Tensor> Decoder::layer_weights() const {
  std::vector<Tensor> out;
  for (std::int64_t i = 0; i < config_.layers * layer_tensors(config_); ++i)
    out.push_back(weights_[1 + i].tensor);
  return out;
}

Tensor Decoder::embed_ids(const Tensor& ids) const {
  Tensor rows = at::embedding(embedding(), ids);  // [M,C]
  if (!config_.family->scaled_embedding) return rows;
  // transformers rounds the factor to the weights' type, which bf16 weights were trained with
  return rows * at::scalar_tensor(std::sqrt(static_cast<double>(config_.hidden_size)),
                                  rows.options().requires_grad(false));
}

Tensor Decoder::embed(const BatchPlan& plan) const {
  Tensor x = embed_ids(plan.ids);  // [T,C]
  if (!plan.picture_tokens.defined()) return x;
  want_rows("pictures' embeddings", plan.embeddings, -1, config_.hidden_size);
  return x.index_copy(0, plan.picture_tokens,
                      plan.embeddings.index_select(0, plan.picture_rows).to(x.scalar_type()));
}

/// The stream after the last block, of all tokens or, if `rows` is given, of those. Shapes: ->
/// [T,C] or [S,C].
Tensor Decoder::run(const BatchPlan& plan, const ForwardHooks& hooks, const Tensor& rows) const {
  using Kind = TapPoint::Kind;
  const Watch watch(hooks);
  std::vector<Taps> seen;
  Taps all;
  for (std::int64_t layer = 0; layer < config_.layers; ++layer)
    all = all | seen.emplace_back(watch.of(layer));
  const bool narrow = rows.defined() && !seen.back().any();

  Tensor x = watch.pass({Kind::embed, -1}, embed(plan));  // [T,C]
  const auto weights = layer_weights();
  BlocksCall call{config_, plan};
  call.adapter = adapter();
  const auto flow = activation_checkpointing() ? recomputed_blocks : run_blocks;
  const bool apart = (all & within_blocks).any() || (all.has(Kind::resid_post) && watch.in_graph());
  if (!apart) {  // one node for all blocks
    if (narrow) call.rows = rows;
    if (hooks.take)
      call.after = [&](std::int64_t layer, const Tensor& y) {
        watch.pass({Kind::resid_post, layer}, y);
      };
    x = flow(call, x, weights);
    return rows.defined() && !narrow ? x.index_select(0, rows) : x;
  }
  call.inside.pass = [&](const TapPoint& point, const Tensor& y) { return watch.pass(point, y); };
  const auto each = layer_tensors(config_);
  for (std::int64_t layer = 0; layer < config_.layers; ++layer) {  // autograd goes on between
    call.first_layer = layer;
    call.inside.kinds = seen[static_cast<std::size_t>(layer)] & within_blocks;
    if (narrow && layer + 1 == config_.layers) call.rows = rows;
    x = flow(call, x, at::TensorList(weights).slice(layer * each, each));
    x = watch.pass({Kind::resid_post, layer}, x);
  }
  return rows.defined() && !narrow ? x.index_select(0, rows) : x;
}

Tensor Decoder::hidden(const BatchPlan& plan, const ForwardHooks& hooks) const {
  return run(plan, hooks, {});
}

/// The stream after the last block where a target is predicted. Shapes: -> [S,C], as plan.needed.
Tensor Decoder::needed_rows(const char* caller, const BatchPlan& plan,
                            const ForwardHooks& hooks) const {
  want_targets(caller, plan.targets);
  return run(plan, hooks, plan.needed);
}

HeadInputs Decoder::head_inputs(const Tensor& rows) const {
  return {rows, norm_factor(config_, final_norm()), head(), config_.rms_norm_eps,
          config_.logit_cap};
}

static Tensor loss_of(const HeadInputs& inputs, const Targets& targets, LossMode mode,
                      Tensor* each = nullptr) {
  if (mode == LossMode::fused) return fused_loss(inputs, targets, each);
  Tensor losses = token_losses(inputs, targets);
  if (each != nullptr) *each = losses.detach();
  return losses;
}

Tensor Decoder::loss(const Tensor& hidden, const BatchPlan& plan, LossMode mode) const {
  want_rows("loss: hidden", hidden, plan.tokens, config_.hidden_size);
  want_targets("loss", plan.targets);
  return loss_of(head_inputs(hidden), {plan.source_tokens, plan.targets}, mode);
}

Tensor Decoder::loss(const BatchPlan& plan, LossMode mode, const ForwardHooks& hooks) const {
  return loss_of(head_inputs(needed_rows("loss", plan, hooks)), {plan.source_needed, plan.targets},
                 mode, hooks.token_losses);
}

Tensor Decoder::kl(const BatchPlan& plan, const Decoder& start, KlDirection direction,
                   const ForwardHooks& hooks) const {
  if (start.config().vocab_size != config_.vocab_size)
    throw UsageError("kl: want a start model of V=" + std::to_string(config_.vocab_size) +
                     ", got V=" + std::to_string(start.config().vocab_size));
  if (start.device() != device())
    throw UsageError("kl: want the start model on " + device().str() + ", got it on " +
                     start.device().str());
  const Tensor now = needed_rows("kl", plan, hooks);  // [S,C]
  Tensor then;
  {
    const c10::NoGradGuard no_grad;
    then = start.needed_rows("kl", plan, {});
  }
  const Tensor weights =  // the share of the targets that each token predicts, [S]
      plan.source_needed.bincount({}, plan.needed.size(0)).to(at::kDouble) /
      static_cast<double>(plan.targets.size(0));
  return kl_loss(head_inputs(now), start.head_inputs(then), weights, direction);
}

Tensor Decoder::kl_each(const Tensor& hidden, const Decoder& start, const Tensor& start_hidden,
                        const BatchPlan& plan, KlDirection direction) const {
  const c10::NoGradGuard no_grad;
  want_rows("kl: hidden", hidden, plan.tokens, config_.hidden_size);
  want_rows("kl: hidden of the start", start_hidden, plan.tokens, start.config().hidden_size);
  want_targets("kl", plan.targets);
  if (start.config().vocab_size != config_.vocab_size)
    throw UsageError("kl: want a start model of V=" + std::to_string(config_.vocab_size) +
                     ", got V=" + std::to_string(start.config().vocab_size));
  const auto rows = [&](const Tensor& x) { return x.index_select(0, plan.needed); };
  return kl_rows(head_inputs(rows(hidden)), start.head_inputs(rows(start_hidden)), direction)
      .index_select(0, plan.source_needed);
}

Tensor Decoder::logits_at(const BatchPlan& plan, const ForwardHooks& hooks) const {
  return logits(needed_rows("logits_at", plan, hooks)).index_select(0, plan.source_needed);
}

Tensor Decoder::logits(const Tensor& rows) const {
  want_rows("logits: rows", rows, -1, config_.hidden_size);
  const Tensor factor = norm_factor(config_, final_norm());
  Tensor logits = head_logits(composite_rms_norm(rows, factor, config_.rms_norm_eps), head());
  if (config_.logit_cap == 0) return logits;
  return (logits / config_.logit_cap).tanh() * config_.logit_cap;
}

NamedTensors random_weights(const LlamaConfig& config, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const double base = 0.02, scaled = base / std::sqrt(2.0 * static_cast<double>(config.layers));
  NamedTensors out;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const double start = name.ends_with(".bias") ? 0.0 : 1.0 - config.family->norm_offset;
    auto tensor = at::full(shape, start, at::kFloat);
    if (shape.size() == 2) {
      const bool output = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
      tensor.normal_(0.0, output ? scaled : base, generator);
    }
    out.push_back({name, tensor});
  }
  return out;
}

}  // namespace seawall
