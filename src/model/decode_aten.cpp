// Decoding with plain ATen operators, for every device and type: padded keys and values, one
// attention call a layer.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "model/attention.hpp"
#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "model/decode_engine.hpp"
#include "model/token_choice.hpp"

namespace seawall {
namespace {

Tensor to_index(const std::vector<std::int64_t>& values, const at::Device& device) {
  auto out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<std::int64_t>());
  return out.to(device);
}

class AtenEngine : public DecodeEngine {
 public:
  AtenEngine(const Decoder& decoder, BatchPlan plan, DecodeOptions options)
      : decoder_(decoder),
        config_(decoder.config()),
        plan_(std::move(plan)),
        options_(std::move(options)),
        weights_(decoder.layer_weights()),
        k_(config_.layers),
        v_(config_.layers) {
    std::vector<std::int64_t> prompt;
    for (auto leaf : plan_.leaf_of) {
      rows_.push_back(static_cast<std::int64_t>(prompt.size()));
      prompt.push_back(plan_.segments[leaf].position + plan_.segments[leaf].length);
      longest_ = std::max(longest_, prompt.back());
    }
    std::vector<std::int64_t> index;  // every row's prompt tokens, padded to the longest
    for (auto leaf : plan_.leaf_of) {
      const auto begin = index.size();
      for (const auto& run : plan_.attention->items[leaf].context)
        for (std::int64_t t = 0; t < run.length; ++t) index.push_back(run.begin + t);
      index.resize(begin + longest_, 0);
    }
    lengths_ = to_index(prompt, decoder.device());
    expand_ = to_index(index, decoder.device());
  }

  Tensor prefill() override {
    Tensor x = edited({TapPoint::Kind::embed, -1}, decoder_.embed(plan_), true);  // [T,C]
    const auto angles = rotary_angles(config_, plan_.positions, x);
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      x = composite_block(config_, x, layer(l), angles,
                          [&](const Tensor& q, const Tensor& k, const Tensor& v) {
                            k_[l] = kept(k);
                            v_[l] = kept(v);
                            return tree_attention(q, k, v, plan_, attention_shape(config_, l));
                          });
      x = edited({TapPoint::Kind::resid_post, l}, x, true);
    }
    return x.index_select(0, plan_.last_token);
  }

  Tensor step(const std::vector<std::int64_t>& slots,
              const std::vector<std::int64_t>& ids) override {
    keep(slots);
    const auto m = static_cast<std::int64_t>(rows_.size());
    const auto place = longest_ + grown_, used = place + 1;                 // in the padded cache
    const Tensor positions = lengths_ + grown_++;                           // [M]
    const Tensor time = at::arange(used, lengths_.options()).unsqueeze(0);  // [1,U]
    const Tensor length = lengths_.unsqueeze(1);                            // [M,1]
    Tensor mask = time.lt(length) | time.ge(longest_);                      // [M,U]
    Tensor near = mask;  // of blocks with a window
    if (config_.sliding_window > 0) {
      const Tensor key = at::where(time.lt(longest_), time, length + time - longest_);  // positions
      near = mask & key.gt(positions.unsqueeze(1) - config_.sliding_window);
    }
    mask = mask.view({m, 1, 1, used});
    near = near.view({m, 1, 1, used});
    Tensor x = edited({TapPoint::Kind::embed, -1},
                      decoder_.embed_ids(to_index(ids, decoder_.device())), false);
    const auto angles = rotary_angles(config_, positions, x);
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      x = composite_block(
          config_, x, layer(l), angles, [&](const Tensor& q, const Tensor& k, const Tensor& v) {
            k_[l].select(1, place).copy_(k);
            v_[l].select(1, place).copy_(v);
            const auto seen = [&](const Tensor& cache) {
              return cache.narrow(1, 0, used).transpose(1, 2);  // [M,KV,U,D]
            };
            const auto shape = attention_shape(config_, l);
            return masked_attention(q.unsqueeze(2), seen(k_[l]), seen(v_[l]),
                                    shape.window > 0 ? near : mask, shape)
                .reshape({m, config_.heads * config_.head_dim});  // [M,H,1,D] -> [M,H*D]
          });
      x = edited({TapPoint::Kind::resid_post, l}, x, false);
    }
    return x;
  }

  std::vector<std::int64_t> choose(const Tensor& x, float* log_probs) override {
    const Tensor logits = decoder_.logits(x);
    Tensor best = logits.argmax(1);  // [M]
    if (log_probs != nullptr) {
      const Tensor values = log_probs_of(logits, best).to(at::kCPU);
      std::copy_n(values.const_data_ptr<float>(), values.numel(), log_probs);
    }
    const Tensor value = logits.gather(1, best.unsqueeze(1)).squeeze(1);
    best = best.masked_fill(value.isfinite().logical_not(), -1).to(at::kCPU);
    const auto* ids = best.const_data_ptr<std::int64_t>();
    return {ids, ids + best.numel()};
  }

 private:
  /// Forgets the rows that are not stepped any more.
  void keep(const std::vector<std::int64_t>& slots) {
    if (slots == rows_) return;
    std::vector<std::int64_t> places;
    for (auto slot : slots) places.push_back(std::ranges::find(rows_, slot) - rows_.begin());
    const Tensor at = to_index(places, decoder_.device());
    lengths_ = lengths_.index_select(0, at);
    for (auto* cache : {&k_, &v_})
      for (Tensor& layer : *cache) layer = layer.index_select(0, at);
    rows_ = slots;
  }

  at::TensorList layer(std::int64_t l) const {
    const auto each = layer_tensors(config_);
    return at::TensorList(weights_).slice(l * each, each);
  }

  Tensor edited(const TapPoint& point, Tensor x, bool prompt) const {
    if (options_.edit) x = options_.edit(point, x);
    if (prompt && options_.take) options_.take(point, x.index_select(0, plan_.last_token));
    if (!prompt && options_.take_steps) options_.take(point, x);
    return x;
  }

  /// Shapes: [T,KV,D] -> [B, longest + new, KV, D].
  Tensor kept(const Tensor& x) const {
    const Tensor rows =
        x.index_select(0, expand_).view({plan_.rows, longest_, x.size(1), x.size(2)});
    return at::cat(
        {rows, at::zeros({plan_.rows, options_.max_new_tokens, x.size(1), x.size(2)}, x.options())},
        1);
  }

  const Decoder& decoder_;
  const LlamaConfig& config_;
  BatchPlan plan_;
  DecodeOptions options_;
  std::vector<Tensor> weights_, k_, v_;
  std::vector<std::int64_t> rows_;  // the slot of each row of the cache
  std::int64_t longest_ = 0;        // prompt
  std::int64_t grown_ = 0;          // tokens that every row has after its prompt
  Tensor lengths_, expand_;         // of the rows' prompts; [B*longest]
};

}  // namespace

std::unique_ptr<DecodeEngine> make_aten_engine(const Decoder& decoder, BatchPlan plan,
                                               DecodeOptions options) {
  return std::make_unique<AtenEngine>(decoder, std::move(plan), std::move(options));
}

std::unique_ptr<DecodeEngine> make_decode_engine(const Decoder& decoder, BatchPlan plan,
                                                 DecodeOptions options) {
  if (can_fuse({decoder.embedding()}) && runs_fused(decoder.config(), decoder.layer_weights()))
    return make_cpu_engine(decoder, std::move(plan), std::move(options));
  return make_aten_engine(decoder, std::move(plan), std::move(options));
}

}  // namespace seawall
