#pragma once
// Models of known shapes with random weights, rows to put through them, and what that costs.
#include <random>

#include "bench/peak.hpp"
#include "run/organism_config.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall::bench {

/// SmolLM2-135M.
inline LlamaConfig smollm2_shape() {
  LlamaConfig c;
  c.vocab_size = 49152;
  c.hidden_size = 576;
  c.intermediate_size = 1536;
  c.layers = 30;
  c.heads = 9;
  c.kv_heads = 3;
  c.head_dim = 64;
  c.max_position_embeddings = 8192;
  c.rope_theta = 1e5;
  c.tie_word_embeddings = true;
  return c;
}

/// `rows` rows that share `prefix` tokens and go on for `own` more, of which the last `targets`
/// carry loss.
inline std::vector<Sequence> rows_of(std::int64_t rows, int prefix, int own, int targets,
                                     std::int64_t vocabulary) {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::int32_t> id(3, static_cast<std::int32_t>(vocabulary) - 1);
  std::vector<std::int32_t> shared;
  for (int t = 0; t < prefix; ++t) shared.push_back(id(random));
  std::vector<Sequence> out;
  for (std::int64_t r = 0; r < rows; ++r) {
    Sequence row{shared, {}};
    for (int t = 0; t < own; ++t) row.ids.push_back(id(random));
    row.loss.assign(row.ids.size(), 0);
    std::fill(row.loss.end() - targets, row.loss.end(), 1);
    out.push_back(std::move(row));
  }
  return out;
}

/// Parameters of all blocks' matrices.
inline double block_parameters(const LlamaConfig& c) {
  const auto attention = c.hidden_size * c.head_dim * (2 * c.heads + 2 * c.kv_heads);
  return static_cast<double>(c.layers * (attention + 3 * c.hidden_size * c.intermediate_size));
}

/// Pairs of a query and a key it sees.
inline double attention_pairs(const BatchPlan& plan) {
  double pairs = 0;
  for (const auto& s : plan.segments)
    pairs += static_cast<double>(s.length) * static_cast<double>(s.position) +
             0.5 * static_cast<double>(s.length) * static_cast<double>(s.length + 1);
  return pairs;
}

/// FLOP of the forward pass over `plan`, with the head on `head_rows` rows.
inline double forward_flop(const LlamaConfig& c, const BatchPlan& plan, std::int64_t head_rows) {
  const double head = static_cast<double>(c.vocab_size * c.hidden_size * head_rows);
  const double attention =
      2 * attention_pairs(plan) * static_cast<double>(c.heads * c.head_dim * c.layers);
  return 2 * (block_parameters(c) * static_cast<double>(plan.tokens) + head + attention);
}

}  // namespace seawall::bench
