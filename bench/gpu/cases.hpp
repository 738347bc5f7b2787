#pragma once
// Models and rows that a GPU is timed with, and that are counted for it.
#include <ATen/Functions.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "seawall/core/rng.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall::bench {

struct Sizes {
  LlamaConfig model;              // that is timed
  LlamaConfig compared;           // with the CPU and with itself
  std::int64_t tokens = 170;      // of a row, on average
  std::int64_t rows = 10;         // of a step: the paper's batch
  std::int64_t packed_rows = 24;  // of a step of 4,096 tokens
  std::int64_t warm = 3, steps = 10;
  std::vector<std::int64_t> answers{14, 128, 330};
  std::int64_t prompt = 60, new_tokens = 512;
};

inline LlamaConfig model_of(std::int64_t vocabulary, std::int64_t width, std::int64_t inner,
                            std::int64_t layers, std::int64_t heads) {
  LlamaConfig c;
  c.vocab_size = vocabulary;
  c.hidden_size = width;
  c.intermediate_size = inner;
  c.layers = layers;
  c.heads = c.kv_heads = heads;
  c.head_dim = width / heads;
  c.max_position_embeddings = 4096;
  return c;
}

inline Sizes sizes_of(bool small) {
  Sizes s;
  s.model = model_of(32000, 4096, 11008, 32, 32);  // Llama-2-7B
  s.compared = model_of(8192, 512, 1408, 8, 8);    // 30 M
  s.compared.tie_word_embeddings = true;
  if (!small) return s;
  s.model = model_of(256, 64, 176, 2, 4);
  s.compared = model_of(256, 64, 176, 2, 4);
  s.compared.tie_word_embeddings = true;
  s.tokens = 17;
  s.warm = 1;
  s.steps = 3;
  s.answers = {2, 3, 5};
  s.prompt = 6;
  s.new_tokens = 8;
  return s;
}

/// Zero-mean normal, norms at 1, drawn on the device in bf16.
inline Decoder random_model(const LlamaConfig& config, const at::Device& device) {
  const auto options = at::TensorOptions(device).dtype(at::kBFloat16);
  NamedTensors weights;
  for (const auto& [name, shape] : config.parameter_shapes())
    weights.push_back({name, shape.size() == 2 ? at::empty(shape, options).normal_(0, 0.02)
                                               : at::ones(shape, options)});
  return {config, weights};
}

inline TokenIds random_ids(Rng& rng, std::int64_t count, const LlamaConfig& config) {
  TokenIds ids;
  for (std::int64_t t = 0; t < count; ++t)
    ids.push_back(static_cast<std::int32_t>(
        3 + rng.below(static_cast<std::uint64_t>(config.vocab_size - 3))));
  return ids;
}

/// Rows of `tokens` tokens give or take a tenth, in turns, so that an even number of them holds
/// `tokens` each on average; the second half are targets. `shared`: tokens that all begin with.
inline std::vector<Sequence> random_rows(std::int64_t count, std::int64_t tokens,
                                         std::int64_t shared, const LlamaConfig& config) {
  Rng rng(7);
  const TokenIds prefix = random_ids(rng, shared, config);
  std::vector<Sequence> rows;
  std::int64_t more = 0;
  for (std::int64_t r = 0; r < count; ++r) {
    more = r % 2 == 0
               ? static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(tokens / 10 + 1)))
               : -more;
    Sequence row{prefix, {}};
    for (const auto id : random_ids(rng, tokens + more - shared, config)) row.ids.push_back(id);
    row.loss.assign(row.ids.size(), 0);
    std::fill(row.loss.begin() + static_cast<std::ptrdiff_t>(row.ids.size() / 2), row.loss.end(),
              std::uint8_t{1});
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace seawall::bench
