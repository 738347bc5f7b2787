// Decoding on the CPU: keys and values of prompts lie head by head, those of new tokens in pages
// that are made when needed.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/model/decode_engine.hpp"
#include "seawall/model/kernels.hpp"
#include "seawall/model/layer.hpp"
#include "seawall/model/stack.hpp"

namespace seawall {
namespace {

constexpr std::int64_t page_tokens = 32;

template <class Real>
class CpuEngine : public DecodeEngine {
 public:
  CpuEngine(const Decoder& decoder, BatchPlan plan, DecodeOptions options)
      : decoder_(decoder),
        config_(decoder.config()),
        plan_(std::move(plan)),
        options_(std::move(options)),
        weights_(decoder.layer_weights()),
        shape_{config_.heads, config_.kv_heads, config_.head_dim},
        math_(config_, plan_.tokens, plan_.positions.const_data_ptr<std::int64_t>(),
              plan_.attention->last_position + 1 + options_.max_new_tokens),
        prompt_(config_.layers),
        pages_(config_.layers),
        grown_(plan_.rows, 0) {
    options_tensor_ = decoder.embedding().options().requires_grad(false);
  }

  Tensor prefill() override {
    const auto t = plan_.tokens, c = config_.hidden_size, d = config_.head_dim;
    Tensor x = edited({TapPoint::Kind::embed, -1},
                      decoder_.embedding().index_select(0, plan_.ids));  // [T,C]
    const Tensor qkv = fresh(t * shape_.width()), attention = fresh(t * config_.heads * d),
                 lse = fresh(t * config_.heads);
    const Tensor gate_up = fresh(2 * t * config_.intermediate_size), normed = fresh(t * c),
                 inner = fresh(t * config_.intermediate_size);
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      const auto w = layer(l);
      const cpu::LayerState<Real> state{at(x),
                                        at(qkv),
                                        at(attention),
                                        at(lse),
                                        at(x),
                                        at(gate_up),
                                        at(gate_up) + t * config_.intermediate_size,
                                        at(x)};
      math_.forward(*plan_.attention, w, state, {at(normed), at(inner), nullptr, nullptr});
      keep_prompt(l, at(qkv));
      x = edited({TapPoint::Kind::resid_post, l}, x);
    }
    return x.index_select(0, plan_.last_token);
  }

  Tensor step(const std::vector<std::int64_t>& slots,
              const std::vector<std::int64_t>& ids) override {
    const auto m = static_cast<std::int64_t>(slots.size()), c = config_.hidden_size,
               d = config_.head_dim;
    std::vector<std::int64_t> positions;
    for (auto slot : slots) positions.push_back(context(slot) + grown_[slot]);
    math_.resize(m, positions.data());
    const Tensor index = at::from_blob(const_cast<std::int64_t*>(ids.data()), {m}, at::kLong);
    Tensor x = edited({TapPoint::Kind::embed, -1}, decoder_.embedding().index_select(0, index),
                      false);  // [M,C]
    const Tensor qkv = fresh(m * shape_.width()), attention = fresh(m * config_.heads * d);
    const Tensor gate_up = fresh(2 * m * config_.intermediate_size), normed = fresh(m * c),
                 inner = fresh(m * config_.intermediate_size);
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      const cpu::LayerState<Real> state{at(x),
                                        at(qkv),
                                        at(attention),
                                        nullptr,
                                        at(x),
                                        at(gate_up),
                                        at(gate_up) + m * config_.intermediate_size,
                                        at(x)};
      const cpu::LayerScratch<Real> scratch{at(normed), at(inner), nullptr, nullptr};
      math_.project(layer(l), state, scratch);
      append(l, slots, at(qkv));
      attend(l, slots, at(qkv), at(attention));
      math_.finish(layer(l), state, scratch);
      x = edited({TapPoint::Kind::resid_post, l}, x, false);
    }
    for (auto slot : slots) ++grown_[slot];
    return x;
  }

 private:
  using Page = std::vector<Real>;  // [B, KV, k|v, page_tokens, D]
  struct PromptCache {
    std::vector<Real> k, v;  // [KV,T,D]
  };

  static Real* at(const Tensor& t) { return static_cast<Real*>(t.data_ptr()); }
  Tensor fresh(std::int64_t n) const { return at::empty({n}, options_tensor_); }
  std::int64_t context(std::int64_t slot) const {
    const auto& leaf = plan_.segments[plan_.leaf_of[slot]];
    return leaf.position + leaf.length;
  }

  cpu::LayerWeights<const Real> layer(std::int64_t l) const {
    auto p = [&](std::int64_t i) {
      return static_cast<const Real*>(weights_[l * tensors_a_layer + i].const_data_ptr());
    };
    return {p(0), p(1), p(2), p(3), p(4), p(5), p(6), p(7), p(8)};
  }

  Tensor edited(const TapPoint& point, Tensor x, bool prompt = true) const {
    if (options_.edit) x = options_.edit(point, x).contiguous();
    if (x.dim() != 2 || x.size(1) != config_.hidden_size ||
        x.scalar_type() != options_tensor_.dtype())
      throw UsageError("generate: edit hook must keep the shape and type of its input");
    if (prompt && options_.take) options_.take(point, x.index_select(0, plan_.last_token));
    return x;
  }

  void keep_prompt(std::int64_t l, const Real* qkv) {
    const auto t = plan_.tokens, d = config_.head_dim, width = shape_.width();
    auto& cache = prompt_[l];
    cache.k.resize(config_.kv_heads * t * d);
    cache.v.resize(config_.kv_heads * t * d);
    for (std::int64_t kv = 0; kv < config_.kv_heads; ++kv)
      for (std::int64_t i = 0; i < t; ++i) {
        const Real* key = qkv + i * width + (config_.heads + kv) * d;
        std::memcpy(cache.k.data() + (kv * t + i) * d, key, d * sizeof(Real));
        std::memcpy(cache.v.data() + (kv * t + i) * d, key + config_.kv_heads * d,
                    d * sizeof(Real));
      }
  }

  Real* page_at(std::int64_t l, std::int64_t page, std::int64_t slot, std::int64_t kv) {
    return pages_[l][page].data() +
           (slot * config_.kv_heads + kv) * 2 * page_tokens * config_.head_dim;
  }

  void append(std::int64_t l, const std::vector<std::int64_t>& slots, const Real* qkv) {
    const auto d = config_.head_dim, width = shape_.width();
    for (std::size_t r = 0; r < slots.size(); ++r) {
      const auto at = grown_[slots[r]], page = at / page_tokens;
      while (static_cast<std::int64_t>(pages_[l].size()) <= page)
        pages_[l].emplace_back(plan_.rows * config_.kv_heads * 2 * page_tokens * d);
      for (std::int64_t kv = 0; kv < config_.kv_heads; ++kv) {
        const Real* key = qkv + r * width + (config_.heads + kv) * d;
        Real* to = page_at(l, page, slots[r], kv) + (at % page_tokens) * d;
        std::memcpy(to, key, d * sizeof(Real));
        std::memcpy(to + page_tokens * d, key + config_.kv_heads * d, d * sizeof(Real));
      }
    }
  }

  /// Rows run within a head, so that a shared prefix stays in the cache from one row to the next.
  void attend(std::int64_t l, const std::vector<std::int64_t>& slots, Real* qkv, Real* out) {
    const auto& kernel = kernels::table<Real>();
    const auto m = static_cast<std::int64_t>(slots.size()), d = config_.head_dim,
               group = config_.heads / config_.kv_heads;
    const Real scale = 1 / std::sqrt(static_cast<Real>(d));
    at::parallel_for(0, m * config_.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<Real> scores(group * std::max(page_tokens, plan_.attention->longest_context)),
          top(group), sum(group);
      for (auto p = begin; p < end; ++p) {
        const auto kv = p / m, r = p % m, slot = slots[r];
        Real* q = qkv + r * shape_.width() + kv * group * d;  // [group,D]
        Real* o = out + (r * config_.heads + kv * group) * d;
        for (std::int64_t i = 0; i < group * d; ++i) q[i] *= scale;
        std::fill_n(o, group * d, Real(0));
        std::fill(top.begin(), top.end(), -std::numeric_limits<Real>::infinity());
        std::fill(sum.begin(), sum.end(), Real(0));
        for (const auto& run : plan_.attention->items[plan_.leaf_of[slot]].context) {
          const auto first = (kv * plan_.tokens + run.begin) * d;
          kernel.attend(q, prompt_[l].k.data() + first, prompt_[l].v.data() + first, run.length,
                        group, d, scores.data(), o, top.data(), sum.data());
        }
        const auto grown = grown_[slot] + 1;
        for (std::int64_t t = 0; t < grown; t += page_tokens) {
          const Real* k = page_at(l, t / page_tokens, slot, kv);
          kernel.attend(q, k, k + page_tokens * d, std::min(page_tokens, grown - t), group, d,
                        scores.data(), o, top.data(), sum.data());
        }
        for (std::int64_t h = 0; h < group; ++h)
          for (std::int64_t i = 0; i < d; ++i) o[h * d + i] /= sum[h];
      }
    });
  }

  const Decoder& decoder_;
  const LlamaConfig& config_;
  BatchPlan plan_;
  DecodeOptions options_;
  std::vector<Tensor> weights_;
  AttentionShape shape_;
  cpu::LayerMath<Real> math_;
  std::vector<PromptCache> prompt_;
  std::vector<std::vector<Page>> pages_;
  std::vector<std::int64_t> grown_;  // new tokens a row
  at::TensorOptions options_tensor_;
};

}  // namespace

std::unique_ptr<DecodeEngine> make_cpu_engine(const Decoder& decoder, BatchPlan plan,
                                              DecodeOptions options) {
  if (decoder.dtype() == at::kFloat)
    return std::make_unique<CpuEngine<float>>(decoder, std::move(plan), std::move(options));
  return std::make_unique<CpuEngine<double>>(decoder, std::move(plan), std::move(options));
}

}  // namespace seawall
