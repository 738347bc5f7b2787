#include "model/slots.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <utility>

#include "model/attention.hpp"
#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "model/token_choice.hpp"

namespace seawall {
namespace {

/// Attention reads this many places at a time: short answers do not read the whole cache, and there
/// is one graph for each width.
constexpr std::int64_t width_step = 256;

template <class T>
Tensor moved_there(const std::vector<T>& values, const at::Device& device) {
  auto out =
      at::empty({static_cast<std::int64_t>(values.size())}, c10::CppTypeToScalarType<T>::value);
  std::ranges::copy(values, out.template data_ptr<T>());
  return out.to(device);
}

bool by_flash(const Tensor& keys, const AttentionShape& shape, std::int64_t places) {
  return device::flash_takes(keys) && shape.cap == 0 &&
         (shape.window == 0 || places <= shape.window);
}

/// What a fill uploads in one copy: of each prompt its slot, length and room; of each of their
/// tokens its flat place in the plan and its place among all slots' keys.
struct FillTable {
  Tensor slots, lengths, rooms;  // [m]
  Tensor from, to;               // [sum of lengths]
  FillTable(const std::vector<SlotPrompt>& prompts, const BatchPlan& plan, std::int64_t places,
            const at::Device& device) {
    std::vector<std::int64_t> all, source, target;
    for (const auto& p : prompts) all.push_back(p.slot);
    for (const auto& p : prompts) all.push_back(static_cast<std::int64_t>(p.ids.size()));
    for (const auto& p : prompts) all.push_back(p.room);
    for (std::size_t r = 0; r < prompts.size(); ++r) {
      auto place = prompts[r].slot * places;
      for (const auto& run : plan.attention->items[plan.leaf_of[r]].context)
        for (std::int64_t t = 0; t < run.length; ++t) {
          source.push_back(run.begin + t);
          target.push_back(place++);
        }
    }
    all.insert(all.end(), source.begin(), source.end());
    all.insert(all.end(), target.begin(), target.end());
    const Tensor there = moved_there(all, device);
    std::int64_t begin = 0;
    const auto next = [&](std::size_t count) {
      const auto n = static_cast<std::int64_t>(count);
      return there.narrow(0, std::exchange(begin, begin + n), n);
    };
    slots = next(prompts.size());
    lengths = next(prompts.size());
    rooms = next(prompts.size());
    from = next(source.size());
    to = next(source.size());
  }
};

}  // namespace

/// Attention of one query per slot, in one step.
struct SlotEngine::Attention {
  const SlotEngine& in;
  device::SlotKeys keys;  // flash attention's, without k and v
  Tensor visible, near;   // [M,1,1,W] bool of masked attention; `near` for layers with a window

  /// Shapes: lengths [M] of texts with their queries' tokens; a query sees so many places.
  Attention(const SlotEngine& engine, const Tensor& lengths, std::int64_t width)
      : in(engine),
        keys{.begins = in.begins_, .queries = in.queries_, .used = {}, .widest = width} {
    keys.used = lengths.to(at::kInt);
    bool masked = false;
    for (std::int64_t l = 0; l < in.config_.layers; ++l)
      masked = masked || !by_flash(in.k_[l], attention_shape(in.config_, l), in.options_.places);
    if (!masked) return;
    const Tensor time = in.time_.narrow(1, 0, width), length = lengths.unsqueeze(1);
    const std::int64_t sizes[] = {lengths.size(0), 1, 1, width};
    visible = time.lt(length).view(sizes);
    const auto window = in.config_.sliding_window;
    near = window > 0 ? visible & time.ge(length - window).view(sizes) : visible;
  }

  /// Shapes: q [M,H,D] -> [M,H*D].
  Tensor of(std::int64_t l, const Tensor& q) const {
    const auto shape = attention_shape(in.config_, l);
    const auto& o = in.options_;
    const std::int64_t sizes[] = {o.slots, shape.heads * shape.head_dim};
    if (by_flash(in.k_[l], shape, o.places)) {
      device::SlotKeys mine = keys;
      mine.k = in.k_[l];
      mine.v = in.v_[l];
      const double scale =
          shape.scale > 0 ? shape.scale : 1 / std::sqrt(static_cast<double>(shape.head_dim));
      return device::flash_decode(q.contiguous(), mine, scale).view(sizes);
    }
    // Heads that share keys are the queries of one head: all of a slot's see the same places.
    const auto seen = [&](const Tensor& cache) {
      return cache.view({o.slots, o.places, shape.kv_heads, shape.head_dim})
          .narrow(1, 0, keys.widest)
          .transpose(1, 2);  // [M,KV,W,D]
    };
    return masked_attention(q.view({o.slots, shape.kv_heads, -1, shape.head_dim}), seen(in.k_[l]),
                            seen(in.v_[l]), shape.window > 0 ? near : visible, shape)
        .reshape(sizes);  // [M,KV,H/KV,D] -> [M,H*D]
  }
};

SlotEngine::SlotEngine(const Decoder& decoder, SlotOptions options)
    : decoder_(decoder),
      config_(decoder.config()),
      options_(std::move(options)),
      weights_(decoder.layer_weights()),
      rules_(options_.rules, options_.slots, config_.vocab_size, decoder.device()) {
  const auto m = options_.slots, s = options_.places;
  const auto on = at::TensorOptions(decoder.device());
  for (auto* cache : {&k_, &v_})
    for (std::int64_t l = 0; l < config_.layers; ++l)  // masked attention reads what no row wrote
      cache->push_back(
          at::zeros({m * s, config_.kv_heads, config_.head_dim}, on.dtype(decoder.dtype())));
  ids_ = at::zeros({m}, on.dtype(at::kLong));
  lengths_ = at::zeros_like(ids_);
  left_ = at::zeros_like(ids_);
  if (options_.temperature > 0)
    uniforms_ = at::zeros({m, options_.max_new_tokens}, on.dtype(at::kDouble));
  queries_ = at::arange(m + 1, on.dtype(at::kInt));
  begins_ = queries_ * s;
  firsts_ = begins_.narrow(0, 0, m).to(at::kLong);
  time_ = at::arange(s, on.dtype(at::kLong)).unsqueeze(0);
  if (!options_.stop_ids.empty())
    stops_ =
        moved_there(std::vector<std::int64_t>(options_.stop_ids.begin(), options_.stop_ids.end()),
                    decoder.device());
}

SlotEngine::Filled SlotEngine::fill(const std::vector<SlotPrompt>& prompts) {
  const auto device = decoder_.device();
  std::vector<Sequence> rows;
  for (const auto& p : prompts) rows.push_back({p.ids, {}});
  const BatchPlan plan = plan_batch(rows, device, {.embeddings = options_.embeddings});
  const FillTable table(prompts, plan, options_.places, device);
  std::vector<Tensor> streams, all;
  const auto seen = [&](std::int64_t l, const Tensor& x) {
    if (!options_.residual && !wanted(l)) return;
    const Tensor last = x.index_select(0, plan.last_token);  // [m,C]
    if (options_.residual) all.push_back(last);
    if (wanted(l)) streams.push_back(last);
  };
  Tensor x = edited({TapPoint::Kind::embed, -1}, decoder_.embed(plan));  // [T,C]
  seen(0, x);
  const auto angles = rotary_angles(config_, plan.positions, x);
  for (std::int64_t l = 0; l < config_.layers; ++l) {
    x = composite_block(config_, x, layer(l), angles,
                        [&](const Tensor& q, const Tensor& k, const Tensor& v) {
                          k_[l].index_copy_(0, table.to, k.index_select(0, table.from));
                          v_[l].index_copy_(0, table.to, v.index_select(0, table.from));
                          return tree_attention(q, k, v, plan, attention_shape(config_, l));
                        });
    x = edited({TapPoint::Kind::resid_post, l}, x);
    seen(l + 1, x);
  }
  Tensor uniforms;  // [m,N]
  if (options_.temperature > 0) {
    std::vector<double> drawn;
    for (const auto& p : prompts) {
      drawn.resize(drawn.size() + static_cast<std::size_t>(options_.max_new_tokens - p.room));
      Rng stream = p.stream;
      for (std::int64_t i = 0; i < p.room; ++i) drawn.push_back(stream.uniform());
    }
    uniforms = moved_there(drawn, device).view({-1, options_.max_new_tokens});
    uniforms_.index_copy_(0, table.slots, uniforms);
  }
  if (rules_.any()) {
    std::vector<std::int64_t> slots;
    std::vector<std::vector<std::int32_t>> texts;
    for (const auto& p : prompts) slots.push_back(p.slot), texts.push_back(p.ids);
    rules_.fill(slots, texts);
  }
  const Chosen first = choose(x.index_select(0, plan.last_token),
                              {table.slots, table.lengths, table.rooms, uniforms}, streams);
  ids_.index_copy_(0, table.slots, first.ids);
  lengths_.index_copy_(0, table.slots, table.lengths);
  left_.index_copy_(0, table.slots, first.left);
  return {first.tokens, all.empty() ? Tensor() : at::stack(all, 1)};
}

SlotTokens SlotEngine::step(std::int64_t widest) {
  const auto width = std::min(options_.places, (widest + width_step - 1) / width_step * width_step);
  Captured& captured = by_width_[width];
  const auto device = decoder_.device();
  if (!captured.launched || options_.edit || !StepGraph::can(device)) {
    captured.launched = true;
    return launch(width);
  }
  if (!captured.graph) {
    const auto other = std::ranges::find_if(
        by_width_, [](const auto& each) { return each.second.graph != nullptr; });
    auto graph = std::make_unique<StepGraph>();
    graph->capture(
        device, [&] { captured.tokens = launch(width); },
        other == by_width_.end() ? nullptr : other->second.graph.get());
    captured.graph = std::move(graph);
  }
  captured.graph->replay();
  return captured.tokens;
}

void SlotEngine::keep(const std::vector<std::int64_t>& slots) {
  const auto m = static_cast<std::int64_t>(slots.size());
  const Tensor rows = moved_there(slots, decoder_.device());
  by_width_.clear();
  for (auto* cache : {&k_, &v_})
    for (Tensor& layer : *cache)
      layer = layer.view({options_.slots, options_.places, layer.size(1), layer.size(2)})
                  .index_select(0, rows)
                  .view({m * options_.places, layer.size(1), layer.size(2)});
  for (Tensor* state : {&ids_, &lengths_, &left_, &uniforms_})
    if (state->defined()) *state = state->index_select(0, rows);
  rules_.keep(rows);
  begins_ = begins_.narrow(0, 0, m + 1);
  queries_ = queries_.narrow(0, 0, m + 1);
  firsts_ = firsts_.narrow(0, 0, m);
  options_.slots = m;
}

SlotTokens SlotEngine::launch(std::int64_t width) {
  const Tensor active = left_.gt(0);           // [M]
  const Tensor positions = lengths_ * active;  // [M], of the tokens that are appended
  const Tensor lengths = positions + 1;        // [M], of texts with them
  const Tensor places = firsts_ + positions;   // [M], among all slots' keys
  rules_.append(ids_);
  std::vector<Tensor> streams;
  const auto seen = [&](std::int64_t l, const Tensor& x) {
    if (wanted(l)) streams.push_back(x);
  };
  Tensor x = edited({TapPoint::Kind::embed, -1}, decoder_.embed_ids(ids_));  // [M,C]
  seen(0, x);
  const auto angles = rotary_angles(config_, positions, x);
  const Attention attention(*this, lengths, width);
  for (std::int64_t l = 0; l < config_.layers; ++l) {
    x = composite_block(config_, x, layer(l), angles,
                        [&](const Tensor& q, const Tensor& k, const Tensor& v) {
                          k_[l].index_copy_(0, places, k);
                          v_[l].index_copy_(0, places, v);
                          return attention.of(l, q);
                        });
    x = edited({TapPoint::Kind::resid_post, l}, x);
    seen(l + 1, x);
  }
  const Chosen next = choose(x, {{}, lengths, left_, uniforms_}, streams);
  lengths_.add_(active);
  ids_.copy_(next.ids);
  left_.copy_(next.left);
  return next.tokens;
}

SlotEngine::Chosen SlotEngine::choose(const Tensor& x, const Rows& rows,
                                      const std::vector<Tensor>& streams) const {
  const Tensor logits = decoder_.logits(x);  // [m,V]
  const Tensor scores = rules_.any() ? rules_.applied(logits, rows.lengths, rows.slots) : logits;
  Chosen out;
  Tensor finite;  // [m]
  if (options_.temperature > 0) {
    const auto n = options_.max_new_tokens;
    const Tensor column = (n - rows.left).clamp_max(n - 1).unsqueeze(1);  // [m,1]
    const auto drawn = draw_tokens(scores, options_.temperature, options_.top_p,
                                   rows.uniforms.gather(1, column).squeeze(1));
    out.ids = drawn.ids;
    finite = drawn.finite;
  } else {
    // A NaN on the way is one in all logits, or in the one of its row of the head, and the largest.
    out.ids = scores.argmax(1);
    finite = logits.gather(1, out.ids.unsqueeze(1)).squeeze(1).isfinite();
  }
  out.left = (rows.left - 1).clamp_min(0);
  if (stops_.defined()) out.left.masked_fill_(out.ids.unsqueeze(1).eq(stops_).any(1), 0);
  std::vector<Tensor> facts{out.ids.to(at::kDouble), finite.to(at::kDouble)};
  if (options_.log_probs) facts.push_back(log_probs_of(logits, out.ids).to(at::kDouble));
  out.tokens.facts = at::stack(facts);
  if (!streams.empty()) out.tokens.streams = at::stack(streams, 1);
  return out;
}

bool SlotEngine::wanted(std::int64_t layer) const {
  return std::ranges::binary_search(options_.layers, layer);
}

Tensor SlotEngine::edited(const TapPoint& point, const Tensor& x) const {
  return options_.edit ? options_.edit(point, x) : x;
}

at::TensorList SlotEngine::layer(std::int64_t l) const {
  const auto each = layer_tensors(config_);
  return at::TensorList(weights_).slice(l * each, each);
}

}  // namespace seawall
