#include "seawall/model/generate.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "model/answer.hpp"
#include "model/decode_engine.hpp"
#include "model/generate_slots.hpp"
#include "model/token_choice.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/not_finite.hpp"

namespace seawall {
namespace {

using Prompts = std::vector<std::vector<std::int32_t>>;

void check(const Decoder& decoder, const Prompts& prompts, const GenerateOptions& options) {
  if (decoder.adapter())
    throw RunError(
        "generate: the decoder has an adapter next to its weights; merge it first "
        "(MergedAdapter, Decoder::merge)");
  if (options.max_new_tokens < 0)
    throw UsageError("generate: max_new_tokens: want 0 or more, got " +
                     std::to_string(options.max_new_tokens));
  if (options.temperature > 0 && options.streams.size() != prompts.size())
    throw UsageError("generate: want a random stream per prompt (" +
                     std::to_string(prompts.size()) + "), got " +
                     std::to_string(options.streams.size()));
  const auto& layers = options.answer_layers;
  if (std::ranges::adjacent_find(layers, std::greater_equal()) != layers.end() ||
      (!layers.empty() && (layers.front() < 0 || layers.back() > decoder.config().layers)))
    throw UsageError("generate: answer_layers: want some of 0 to " +
                     std::to_string(decoder.config().layers) + ", ascending");
  const auto most = decoder.config().max_position_embeddings;
  const auto pictures = options.embeddings.defined() ? options.embeddings.size(0) : 0;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    const auto length = static_cast<std::int64_t>(prompts[p].size());
    if (length == 0) throw UsageError("generate: prompt " + std::to_string(p) + " is empty");
    if (length > most)
      throw UsageError("generate: prompt " + std::to_string(p) +
                       ": want at most max_position_embeddings=" + std::to_string(most) +
                       " tokens, got " + std::to_string(length) + "; shorten it");
    for (auto id : prompts[p])
      if (id < -pictures || id >= decoder.config().vocab_size)
        throw UsageError("generate: prompt " + std::to_string(p) + ": token " + std::to_string(id) +
                         " is outside the vocabulary of " +
                         std::to_string(decoder.config().vocab_size) +
                         "; does the tokenizer belong to this model?");
  }
}

std::int64_t batch_size(const Decoder& decoder, const Prompts& prompts,
                        const GenerateOptions& options) {
  if (options.max_batch > 0) return options.max_batch;
  std::size_t longest = 0;
  for (const auto& p : prompts) longest = std::max(longest, p.size());
  return answers_at_once(decoder.config(), cache_type(decoder.dtype(), decoder.device().is_cpu()),
                         static_cast<std::int64_t>(longest) + options.max_new_tokens,
                         cache_budget(decoder.device()));
}

/// `own` with some of other values, in the type and on the device of what they replace.
NamedTensors with(const NamedTensors& some, NamedTensors own) {
  for (const auto& [name, tensor] : some) {
    const auto found = std::ranges::find(own, name, &NamedTensor::name);
    if (found == own.end()) throw DataError("generate: the model has no weight " + name);
    found->tensor = tensor.to(found->tensor.options());
  }
  return own;
}

/// One batch from prompts to answers.
class Batch {
 public:
  Batch(const Decoder& decoder, const Prompts& prompts, std::size_t begin, std::size_t end,
        const GenerateOptions& options)
      : decoder_(decoder),
        options_(options),
        plain_(options.rules.plain() && options.temperature == 0 && !options.choose),
        begin_(static_cast<std::int64_t>(begin)),
        prompts_(prompts.begin() + static_cast<std::ptrdiff_t>(begin),
                 prompts.begin() + static_cast<std::ptrdiff_t>(end)),
        rows_(end - begin),
        kept_(options.answer_layers.empty() ? 0 : end - begin) {
    if (options.temperature > 0)
      streams_.assign(options.streams.begin() + static_cast<std::ptrdiff_t>(begin),
                      options.streams.begin() + static_cast<std::ptrdiff_t>(end));
    std::vector<Sequence> sequences;
    for (auto p = begin; p < end; ++p) {
      sequences.push_back({prompts[p], {}});
      room_.push_back(room_of(decoder, options, prompts[p].size()));
    }
    DecodeOptions engine{options.max_new_tokens, options.edit, {}, !options.answer_layers.empty()};
    if (options.residual || engine.take_steps)
      engine.take = [this](const TapPoint&, const Tensor& x) { taps_.push_back(x.to(at::kFloat)); };
    engine_ = make_decode_engine(
        decoder, plan_batch(sequences, decoder.device(), {.embeddings = options.embeddings}),
        std::move(engine));
  }

  void run(std::int64_t done_before, std::int64_t new_tokens_before) {
    Tensor x = engine_->prefill();  // [B,C]
    if (options_.residual) residual_ = at::stack(taps_, 1).to(at::kCPU);
    std::vector<std::int64_t> active;
    for (std::size_t r = 0; r < rows_.size(); ++r)
      if (room_[r] > 0) active.push_back(static_cast<std::int64_t>(r));
    if (active.size() < rows_.size())
      return;  // max_new_tokens = 0: only the residual stream is wanted
    new_tokens_ = new_tokens_before;
    done_before_ = done_before;
    while (!active.empty()) {
      check_finite(active, first_row_not_finite(x));
      Facts facts;
      if (options_.log_probs) facts.log_probs.resize(active.size());
      float* room = options_.log_probs ? facts.log_probs.data() : nullptr;
      const auto chosen = plain_ ? engine_->choose(x, room) : choose_by_rules(active, x, room);
      for (std::size_t i = 0; i < chosen.size(); ++i)
        if (chosen[i] < 0) check_finite(active, static_cast<std::int64_t>(i));
      facts.streams = streams_of_taps();
      const auto next = take_tokens(active, chosen, facts);
      taps_.clear();
      if (!active.empty()) x = engine_->step(active, next);
    }
    for (std::size_t r = 0; r < kept_.size(); ++r)
      rows_[r].residual = joined_streams(kept_[r], decoder_, options_);
  }

  std::vector<Generation>& rows() { return rows_; }
  std::int64_t new_tokens() const { return new_tokens_; }
  const Tensor& residual() const { return residual_; }  // [B,L+1,C]

 private:
  /// What is wanted of chosen tokens besides their ids.
  struct Facts {
    std::vector<float> log_probs;  // [M], or empty
    Tensor streams;                // [M,K,C] fp32 on the CPU, or undefined
  };
  Tensor streams_of_taps() const {
    std::vector<Tensor> wanted;
    for (const auto layer : options_.answer_layers)
      wanted.push_back(taps_[static_cast<std::size_t>(layer)]);
    return wanted.empty() ? Tensor() : at::stack(wanted, 1).to(at::kCPU);
  }

  /// Every active row takes its token; finished ones leave `active`. Returns the ids of the rest.
  std::vector<std::int64_t> take_tokens(std::vector<std::int64_t>& active,
                                        const std::vector<std::int64_t>& chosen,
                                        const Facts& facts) {
    std::vector<std::int64_t> rest, ids;
    for (std::size_t i = 0; i < active.size(); ++i) {
      const auto r = active[i], place = static_cast<std::int64_t>(i);
      const auto before = rows_[r].ids.size();
      ++new_tokens_;
      const bool over = take_token(options_, prompts_[r], room_[r], rows_[r],
                                   static_cast<std::int32_t>(chosen[i]));
      if (rows_[r].ids.size() > before) {
        if (!facts.log_probs.empty()) rows_[r].log_probs.push_back(facts.log_probs[i]);
        if (facts.streams.defined()) kept_[r].push_back(facts.streams.select(0, place));
      }
      if (over) continue;
      rest.push_back(r);
      ids.push_back(chosen[i]);
    }
    active = std::move(rest);
    if (options_.progress)
      options_.progress(done_before_ + static_cast<std::int64_t>(rows_.size() - active.size()),
                        new_tokens_);
    return ids;
  }

  /// Nothing can be chosen where the residual stream or the logits are not finite.
  void check_finite(const std::vector<std::int64_t>& active,
                    std::optional<std::int64_t> bad) const {
    if (!bad) return;
    const auto row = static_cast<std::size_t>(active[static_cast<std::size_t>(*bad)]);
    throw_not_finite(decoder_, options_, prompts_[row], rows_[row],
                     "prompt " + std::to_string(begin_ + static_cast<std::int64_t>(row)));
  }

  /// The logits of the active rows, as `choose` leaves them. Shapes: logits, -> [M,V] fp32 (on
  /// CPU).
  Tensor scores_of(const std::vector<std::int64_t>& active, const Tensor& logits) const {
    Tensor scores = logits;
    if (options_.choose) {
      std::vector<std::int64_t> rows;
      for (const auto slot : active) rows.push_back(begin_ + slot);
      const auto place = rows_[static_cast<std::size_t>(active.front())].ids.size();
      const auto sizes = scores.sizes().vec();
      const TokenChoice choice{
          static_cast<std::int64_t>(place), rows,
          [&](const NamedTensors& weights) { return scores_under(weights, active); }};
      scores = options_.choose(choice, std::move(scores));
      if (scores.sizes() != at::IntArrayRef(sizes) || scores.scalar_type() != at::kFloat ||
          scores.isnan().any().item<bool>())
        throw RunError("generate: what chooses tokens must give logits [" +
                       std::to_string(sizes[0]) + "," + std::to_string(sizes[1]) +
                       "] in fp32 without NaN");
    }
    return scores.to(at::kCPU).contiguous();
  }

  /// Shapes: -> [M,V] fp32.
  Tensor scores_under(const NamedTensors& weights, const std::vector<std::int64_t>& active) const {
    std::vector<Sequence> texts;
    for (const auto slot : active) {
      const auto row = static_cast<std::size_t>(slot);
      texts.push_back({prompts_[row], {}});
      texts.back().ids.insert(texts.back().ids.end(), rows_[row].ids.begin(), rows_[row].ids.end());
    }
    const Decoder other(decoder_.config(), with(weights, decoder_.parameters()));
    const BatchPlan plan =
        plan_batch(texts, decoder_.device(), {.embeddings = options_.embeddings});
    const Tensor x = other.hidden(plan).index_select(0, plan.last_token);
    return other.logits(x).to(at::kFloat);
  }

  std::vector<std::int64_t> choose_by_rules(const std::vector<std::int64_t>& active,
                                            const Tensor& x, float* log_probs) {
    const Tensor logits =
        decoder_.logits(x.view({-1, decoder_.config().hidden_size})).to(at::kFloat);
    // Rules, `choose` and the draw write into their logits.
    const Tensor scores = scores_of(active, log_probs == nullptr ? logits : logits.clone());
    const auto width = static_cast<std::size_t>(scores.size(1));
    auto* values = scores.mutable_data_ptr<float>();  // [M,V]
    std::vector<std::int64_t> chosen;
    for (const auto slot : active) {
      const auto row = static_cast<std::size_t>(slot);
      const std::span<float> mine(values, width);
      values += width;
      const auto& prompt = prompts_[row];
      apply_rules(options_.rules,
                  {prompt, rows_[row].ids, static_cast<std::int64_t>(prompt.size()) + room_[row]},
                  mine);
      if (options_.temperature > 0) {
        warp(options_.temperature, options_.top_p, mine);
        chosen.push_back(draw(mine, streams_[row].uniform()));
      } else {
        const auto best = std::ranges::max_element(mine);
        chosen.push_back(std::isnan(*best) ? -1 : best - mine.begin());
      }
    }
    if (log_probs != nullptr) {
      const Tensor ids = at::tensor(chosen, at::kLong).clamp_min(0).to(logits.device());
      const Tensor values = log_probs_of(logits, ids).to(at::kCPU);  // [M]
      std::copy_n(values.const_data_ptr<float>(), chosen.size(), log_probs);
    }
    return chosen;
  }

  const Decoder& decoder_;
  const GenerateOptions& options_;
  const bool plain_;
  const std::int64_t begin_;  // place of the first row among all prompts
  const Prompts prompts_;     // of this batch
  std::vector<Generation> rows_;
  std::vector<std::vector<Tensor>> kept_;  // streams of each row's tokens, where asked for
  std::vector<Rng> streams_;               // empty where nothing is drawn
  std::vector<std::int64_t> room_;         // new tokens each row may have
  std::vector<Tensor> taps_;               // of the last pass, every layer's
  Tensor residual_;
  std::unique_ptr<DecodeEngine> engine_;
  std::int64_t new_tokens_ = 0, done_before_ = 0;
};

}  // namespace

std::int64_t cache_budget(const at::Device& device) {
  constexpr std::int64_t on_cpu = std::int64_t{4} << 30;
  auto* allocator = device.is_cpu() ? nullptr : c10::GetAllocator(device.type());
  auto* its = dynamic_cast<c10::DeviceAllocator*>(allocator);
  if (its == nullptr) return on_cpu;
  const auto free =
      static_cast<double>(its->getMemoryInfo(std::max<c10::DeviceIndex>(device.index(), 0)).first);
  // The rest is for prompts that are run together and for logits, which do not grow with it.
  constexpr double enough = 4.0 * (1 << 30);
  return static_cast<std::int64_t>(std::max(0.7 * free, 0.9 * free - enough));
}

std::int64_t answers_at_once(const LlamaConfig& c, at::ScalarType type, std::int64_t longest,
                             std::int64_t budget) {
  const auto token =
      2 * c.kv_heads * c.head_dim * c.layers * static_cast<std::int64_t>(at::elementSize(type));
  return std::clamp<std::int64_t>(budget / std::max<std::int64_t>(longest * token, 1), 1, 4096);
}

at::ScalarType cache_type(at::ScalarType weights, bool cpu) {
  return cpu && at::elementSize(weights) < 4 ? at::kFloat : weights;
}

GenerateResult generate(const Decoder& decoder, const Prompts& prompts,
                        const GenerateOptions& options) {
  check(decoder, prompts, options);
  const at::NoGradGuard no_grad;
  GenerateResult result;
  std::vector<Tensor> residuals;
  const auto size = static_cast<std::size_t>(batch_size(decoder, prompts, options));
  if (!prompts.empty() && chooses_in_slots(decoder, options))
    return generate_in_slots(decoder, prompts, options, static_cast<std::int64_t>(size));
  std::int64_t new_tokens = 0;
  for (std::size_t begin = 0; begin < prompts.size(); begin += size) {
    Batch batch(decoder, prompts, begin, std::min(begin + size, prompts.size()), options);
    batch.run(static_cast<std::int64_t>(begin), new_tokens);
    new_tokens = batch.new_tokens();
    std::move(batch.rows().begin(), batch.rows().end(), std::back_inserter(result.rows));
    if (options.residual) residuals.push_back(batch.residual());
  }
  if (!residuals.empty()) result.residual = at::cat(residuals);
  return result;
}

}  // namespace seawall
