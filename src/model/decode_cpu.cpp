// Decoding on the CPU: keys and values of prompts lie head by head, those of new tokens in pages
// that are made when needed.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "model/decode_engine.hpp"
#include "model/layer.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/kernels.hpp"
#include "seawall/model/packed.hpp"

namespace seawall {
namespace {

constexpr std::int64_t page_tokens = 16;     // a whole number of vectors of every kernel
constexpr std::int64_t prefill_rows = 1024;  // rows of the MLP at once: its wide values stay small

/// One block's weights, packed for few rows.
template <class Real, class Weight>
struct PackedLayer {
  cpu::PackedLinear<Real, Weight> qkv, o, gate_up, down;
};

/// Values, keys included, are kept in `Real`; where weights are bf16 they are rounded as LayerMath
/// rounds them.
template <class Real, class Weight = Real>
class CpuEngine : public DecodeEngine {
 public:
  CpuEngine(const Decoder& decoder, BatchPlan plan, DecodeOptions options)
      : decoder_(decoder),
        config_(decoder.config()),
        plan_(std::move(plan)),
        hooks_(std::move(options)),
        weights_(decoder.layer_weights()),
        shape_(attention_shape(config_)),
        positions_end_(plan_.attention->last_position + 1 + hooks_.max_new_tokens),
        rotary_(config_, positions_end_),
        prompt_(config_.layers),
        pages_(config_.layers),
        grown_(plan_.rows, 0),
        fresh_options_(at::TensorOptions(c10::CppTypeToScalarType<Real>::value)) {}

  /// The last block runs on the rows' last tokens only: nothing else of it is read again but its
  /// keys and values.
  Tensor prefill() override {
    const auto t = plan_.tokens, c = config_.hidden_size;
    const auto block = std::min(t, prefill_rows);
    const auto* positions = plan_.positions.template const_data_ptr<std::int64_t>();
    cpu::LayerMath<Real, Weight> math(config_, t, positions, positions_end_);
    Tensor x = edited(embed_point, wide(decoder_.embed(plan_)));  // [T,C]
    const Tensor qkv = fresh(t * shape_.width()), mixed = fresh(t * q_width()),
                 lse = fresh(t * config_.heads);
    const Tensor normed = fresh(t * c), gate = fresh(block * inner()), up = fresh(block * inner());
    const cpu::LayerScratch<Real> scratch{at(normed), at(gate), nullptr,
                                          nullptr};  // silu(gate) * up in place
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      const bool last = l + 1 == config_.layers;
      auto w = layer(l);
      if (last) w.q = nullptr;
      math.resize(t, positions);
      math.project(w, {at(x), at(qkv), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr},
                   scratch);
      keep_prompt(l, at(qkv));
      if (last) break;
      cpu::attention_forward(*plan_.attention, shape_, at(qkv), at(mixed), at(lse), t);
      cpu::settle<Weight>(at(mixed), t * q_width());
      for (std::int64_t begin = 0; begin < t; begin += block) {
        math.resize(std::min(block, t - begin), positions + begin);
        Real* rows = at(x) + begin * c;
        math.finish(
            w,
            {rows, nullptr, at(mixed) + begin * q_width(), nullptr, rows, at(gate), at(up), rows},
            scratch);
      }
      x = edited({TapPoint::Kind::resid_post, l}, x);
    }
    std::vector<std::int64_t> slots(plan_.rows);
    std::iota(slots.begin(), slots.end(), std::int64_t{0});
    x = x.index_select(0, plan_.last_token);  // [B,C]
    run_layer(config_.layers - 1, slots, at(x), false);
    x = edited({TapPoint::Kind::resid_post, config_.layers - 1}, x, Rows::last_of_prompts);
    return x.to(decoder_.dtype());
  }

  Tensor step(const std::vector<std::int64_t>& slots,
              const std::vector<std::int64_t>& ids) override {
    const Tensor index = at::from_blob(const_cast<std::int64_t*>(ids.data()),
                                       {static_cast<std::int64_t>(ids.size())}, at::kLong);
    Tensor x = edited(embed_point, wide(decoder_.embed_ids(index)), Rows::new_tokens);  // [M,C]
    for (std::int64_t l = 0; l < config_.layers; ++l) {
      run_layer(l, slots, at(x), true);
      x = edited({TapPoint::Kind::resid_post, l}, x, Rows::new_tokens);
    }
    for (auto slot : slots) ++grown_[slot];
    return x.to(decoder_.dtype());
  }

  std::vector<std::int64_t> choose(const Tensor& stream, float* log_probs) override {
    if (!head_)
      head_ = std::make_unique<cpu::PackedLinear<Real, Weight>>(
          std::vector<Tensor>{decoder_.head()}, copy());
    const Tensor x = wide(stream);
    const Tensor normed = fresh(x.numel());
    norm(at(normed), at(x), stored(decoder_.final_norm()), x.size(0));
    return head_->argmax(at(normed), x.size(0), log_probs);
  }

 private:
  static constexpr TapPoint embed_point{TapPoint::Kind::embed, -1};
  enum class Rows { prompts, last_of_prompts, new_tokens };
  using Page = std::vector<Real>;  // [B, KV, (D, page_tokens) keys | (page_tokens, D) values]
  struct PromptCache {
    std::vector<Real> k, v;  // [KV,D,T] transposed, padded by a panel; [KV,T,D]
  };

  static Real* at(const Tensor& t) { return static_cast<Real*>(t.data_ptr()); }
  static const Weight* stored(const Tensor& t) {
    return static_cast<const Weight*>(t.const_data_ptr());
  }
  Tensor wide(const Tensor& x) const { return x.to(fresh_options_.dtype()); }
  Tensor fresh(std::int64_t n) const { return at::empty({n}, fresh_options_); }
  std::int64_t q_width() const { return config_.heads * config_.head_dim; }
  std::int64_t inner() const { return config_.intermediate_size; }
  bool copy() const { return cpu::lay_out(config_.parameter_count(), sizeof(Weight)); }
  std::int64_t context(std::int64_t slot) const {
    const auto& leaf = plan_.segments[plan_.leaf_of[slot]];
    return leaf.position + leaf.length;
  }
  cpu::LayerFactors<const Weight> layer(std::int64_t l) const {
    return weights_of<const Weight>(config_, weights_, l);
  }

  /// Hooks see the stream in the weights' type.
  Tensor edited(const TapPoint& point, Tensor x, Rows rows = Rows::prompts) const {
    if (hooks_.edit) {
      const auto sizes = x.sizes().vec();
      const Tensor given = x.to(decoder_.dtype());
      const Tensor out = hooks_.edit(point, given);
      if (out.sizes() != at::IntArrayRef(sizes) || out.scalar_type() != decoder_.dtype())
        throw UsageError("generate: the edit hook must keep the shape and type of its input");
      // Blocks write in place, which no tensor of the hook's own may feel.
      x = out.is_same(given) ? wide(out).contiguous()
                             : wide(out).clone(at::MemoryFormat::Contiguous);
    }
    if (hooks_.take && rows == Rows::prompts)
      hooks_.take(point, x.index_select(0, plan_.last_token).to(decoder_.dtype()));
    if (hooks_.take && rows == Rows::last_of_prompts) hooks_.take(point, x.to(decoder_.dtype()));
    if (hooks_.take_steps && rows == Rows::new_tokens)  // blocks write in place
      hooks_.take(point, x.to(decoder_.dtype(), false, /*copy=*/true));
    return x;
  }

  void norm(Real* y, const Real* x, const Weight* w, std::int64_t rows) const {
    const auto c = config_.hidden_size;
    std::vector<Real> scratch;
    const Real* factor = cpu::norm_factor(config_, w, c, scratch);
    at::parallel_for(0, rows, 32, [&](std::int64_t begin, std::int64_t end) {
      kernels::table<Real>().rms_norm(y + begin * c, x + begin * c, factor, end - begin, c,
                                      static_cast<Real>(config_.rms_norm_eps));
    });
    cpu::settle<Weight>(y, rows * c);
  }

  void keep_prompt(std::int64_t l, const Real* qkv) {
    const auto t = plan_.tokens, d = config_.head_dim, width = shape_.width();
    auto& cache = prompt_[l];
    cache.k.resize(config_.kv_heads * t * d + kernels::table<Real>().panel);
    cache.v.resize(config_.kv_heads * t * d);
    for (std::int64_t kv = 0; kv < config_.kv_heads; ++kv)
      for (std::int64_t i = 0; i < t; ++i) {
        const Real* key = qkv + i * width + (config_.heads + kv) * d;
        for (std::int64_t j = 0; j < d; ++j) cache.k[(kv * d + j) * t + i] = key[j];
        std::memcpy(cache.v.data() + (kv * t + i) * d, key + config_.kv_heads * d,
                    d * sizeof(Real));
      }
  }

  Real* page_at(std::int64_t l, std::int64_t page, std::int64_t slot, std::int64_t kv) {
    return pages_[l][page].data() +
           (slot * config_.kv_heads + kv) * 2 * page_tokens * config_.head_dim;
  }

  /// Packs a block's weights the first time they are needed.
  const PackedLayer<Real, Weight>& packed(std::int64_t l) {
    for (auto next = static_cast<std::int64_t>(packed_.size()); next < config_.layers; ++next) {
      auto stack = [&](Part fused, std::initializer_list<Part> parts) {
        std::vector<Tensor> all;
        const auto add = [&](Part part) {
          all.push_back(weights_[next * layer_tensors(config_) + place_of(config_, part).tensor]);
        };
        if (config_.family->has(fused))
          add(fused);
        else
          for (const auto part : parts) add(part);
        return cpu::PackedLinear<Real, Weight>(all, copy());
      };
      packed_.push_back({stack(Part::qkv, {Part::q, Part::k, Part::v}), stack(Part::o, {Part::o}),
                         stack(Part::gate_up, {Part::gate, Part::up}),
                         stack(Part::down, {Part::down})});
    }
    return packed_[l];
  }

  /// One block on one row a slot, in place. `append`: the rows are new tokens; else they are the
  /// prompts' last ones, whose keys and values are kept already. Shapes: x [M,C].
  void run_layer(std::int64_t l, const std::vector<std::int64_t>& slots, Real* x, bool append) {
    const auto& kernel = kernels::table<Real>();
    const auto& w = packed(l);
    const auto stored_weights = layer(l);
    const auto m = static_cast<std::int64_t>(slots.size()), width = shape_.width();
    const Tensor normed = fresh(m * config_.hidden_size), qkv = fresh(m * width),
                 mixed = fresh(m * q_width());
    norm(at(normed), x, stored_weights.norm1, m);
    w.qkv.apply(at(normed), m, at(qkv), false);
    const auto kv_width = config_.kv_heads * config_.head_dim;
    cpu::add_bias(at(qkv), width, m, stored_weights.q_bias, q_width());
    cpu::add_bias(at(qkv) + q_width(), width, m, stored_weights.k_bias, kv_width);
    cpu::add_bias(at(qkv) + q_width() + kv_width, width, m, stored_weights.v_bias, kv_width);
    cpu::settle<Weight>(at(qkv), m * width);
    cpu::norm_heads(config_, stored_weights, at(qkv), m);
    if (append) make_pages(l, slots);
    const auto half = config_.head_dim / 2;
    at::parallel_for(0, m, 8, [&](std::int64_t begin, std::int64_t end) {
      for (auto r = begin; r < end; ++r) {
        const auto position = context(slots[r]) + (append ? grown_[slots[r]] : -1);
        Real* row = at(qkv) + r * width;
        kernel.rope(row, rotary_.cos.data() + position * half, rotary_.sin.data() + position * half,
                    config_.heads + config_.kv_heads, config_.head_dim, 1);
        cpu::settle<Weight>(row, width);
        if (append) keep_new(l, slots[r], row);
      }
    });
    attend(l, slots, at(qkv), at(mixed), append);
    cpu::settle<Weight>(at(mixed), m * q_width());
    w.o.apply(at(mixed), m, x, true);

    const Tensor gate_up = fresh(2 * m * inner()), act = fresh(m * inner());
    cpu::settle<Weight>(x, m * config_.hidden_size);
    norm(at(normed), x, stored_weights.norm2, m);
    w.gate_up.apply(at(normed), m, at(gate_up), false);
    cpu::settle<Weight>(at(gate_up), 2 * m * inner());
    const auto mixed_gate = cpu::gate_kernel<Real>(config_);
    at::parallel_for(0, m, 8, [&](std::int64_t begin, std::int64_t end) {
      for (auto r = begin; r < end; ++r) {
        const Real* gate = at(gate_up) + 2 * r * inner();
        mixed_gate(at(act) + r * inner(), gate, gate + inner(), inner());
      }
    });
    cpu::settle<Weight>(at(act), m * inner());
    w.down.apply(at(act), m, x, true);
    cpu::settle<Weight>(x, m * config_.hidden_size);
  }

  void make_pages(std::int64_t l, const std::vector<std::int64_t>& slots) {
    for (const auto slot : slots)
      while (static_cast<std::int64_t>(pages_[l].size()) <= grown_[slot] / page_tokens)
        pages_[l].emplace_back(plan_.rows * config_.kv_heads * 2 * page_tokens * config_.head_dim);
  }

  /// Keeps the keys and values of one row's new token. Shapes: qkv [width].
  void keep_new(std::int64_t l, std::int64_t slot, const Real* qkv) {
    const auto d = config_.head_dim, now = grown_[slot], place = now % page_tokens;
    for (std::int64_t kv = 0; kv < config_.kv_heads; ++kv) {
      const Real* key = qkv + (config_.heads + kv) * d;
      Real* to = page_at(l, now / page_tokens, slot, kv);
      for (std::int64_t j = 0; j < d; ++j) to[j * page_tokens + place] = key[j];
      std::memcpy(to + d * page_tokens + place * d, key + config_.kv_heads * d, d * sizeof(Real));
    }
  }

  /// Calls prompt(first flat token, count) and page(page, first place, count) for the tokens of a
  /// row after its first `hidden` ones.
  template <class Prompt, class Pages>
  static void for_each_seen(const std::vector<TokenRun>& runs, std::int64_t hidden,
                            std::int64_t grown, Prompt&& prompt, Pages&& page) {
    for (const auto& run : runs) {
      const auto cut = std::min(hidden, run.length);
      hidden -= cut;
      if (cut < run.length) prompt(run.begin + cut, run.length - cut);
    }
    for (auto i = hidden; i < grown;) {
      const auto place = i % page_tokens, count = std::min(page_tokens - place, grown - i);
      page(i / page_tokens, place, count);
      i += count;
    }
  }

  /// Rows run within a head, so that a shared prefix stays in the cache from one row to the next.
  void attend(std::int64_t l, const std::vector<std::int64_t>& slots, const Real* qkv, Real* out,
              bool appended) {
    const auto& kernel = kernels::table<Real>();
    const auto m = static_cast<std::int64_t>(slots.size()), d = config_.head_dim, t = plan_.tokens;
    const auto group = config_.heads / config_.kv_heads;
    const Real scale = 1 / std::sqrt(static_cast<Real>(d));
    at::parallel_for(0, m * config_.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
      const auto room =
          plan_.attention->longest_context + hooks_.max_new_tokens + 1 + 2 * kernel.panel;
      std::vector<Real> p(group * room);  // [group,room]
      for (auto pair = begin; pair < end; ++pair) {
        const auto kv = pair / m, r = pair % m, slot = slots[r],
                   grown = appended ? grown_[slot] + 1 : 0;
        const auto& runs = plan_.attention->items[plan_.leaf_of[slot]].context;
        const auto hidden = shape_.first_seen(context(slot) + grown - 1);
        const Real* q = qkv + r * shape_.width() + kv * group * d;
        Real* s = p.data();
        const auto score = [&](const Real* k, std::int64_t stride, std::int64_t count) {
          kernel.scores({q, group, k, stride, count, d, s, room});
          s += count;
        };
        for_each_seen(
            runs, hidden, grown,
            [&](std::int64_t begin, std::int64_t count) {
              score(prompt_[l].k.data() + kv * d * t + begin, t, count);
            },
            [&](std::int64_t page, std::int64_t place, std::int64_t count) {
              score(page_at(l, page, slot, kv) + place, page_tokens, count);
            });
        const auto seen = s - p.data();
        for (std::int64_t h = 0; h < group; ++h)
          kernel.softmax(p.data() + h * room, scale, seen, seen);
        Real* o = out + r * q_width() + kv * group * d;
        std::fill_n(o, group * d, Real(0));
        s = p.data();
        const auto weigh = [&](const Real* v, std::int64_t count) {
          kernel.weigh({s, room, group, v, count, d, o});
          s += count;
        };
        for_each_seen(
            runs, hidden, grown,
            [&](std::int64_t begin, std::int64_t count) {
              weigh(prompt_[l].v.data() + (kv * t + begin) * d, count);
            },
            [&](std::int64_t page, std::int64_t place, std::int64_t count) {
              weigh(page_at(l, page, slot, kv) + (page_tokens + place) * d, count);
            });
      }
    });
  }

  const Decoder& decoder_;
  const LlamaConfig& config_;
  BatchPlan plan_;
  DecodeOptions hooks_;
  std::vector<Tensor> weights_;
  AttentionShape shape_;
  std::int64_t positions_end_;
  cpu::Rotary<Real, Weight> rotary_;
  std::vector<PromptCache> prompt_;
  std::vector<std::vector<Page>> pages_;
  std::vector<std::int64_t> grown_;  // new tokens a row
  std::vector<PackedLayer<Real, Weight>> packed_;
  std::unique_ptr<cpu::PackedLinear<Real, Weight>> head_;
  at::TensorOptions fresh_options_;
};

}  // namespace

std::unique_ptr<DecodeEngine> make_cpu_engine(const Decoder& decoder, BatchPlan plan,
                                              DecodeOptions options) {
  if (decoder.dtype() == at::kFloat)
    return std::make_unique<CpuEngine<float>>(decoder, std::move(plan), std::move(options));
  if (decoder.dtype() == at::kBFloat16)
    return std::make_unique<CpuEngine<float, cpu::Bf16>>(decoder, std::move(plan),
                                                         std::move(options));
  return std::make_unique<CpuEngine<double>>(decoder, std::move(plan), std::move(options));
}

}  // namespace seawall
