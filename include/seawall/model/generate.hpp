#pragma once
// Generation in batches: prompts share prefixes, finished rows make room.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "seawall/core/rng.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/decoding.hpp"

namespace seawall {

/// The tokens that are about to be chosen.
struct TokenChoice {
  std::int64_t place = 0;              // in the answers, 0-based
  std::span<const std::int64_t> rows;  // [M] the prompts' places
  /// The logits under other weights, by name; those not named are the decoder's. One forward pass
  /// over prompts and answers, without kept keys and values. Shapes: -> [M,V] fp32. Errors:
  /// DataError for a name or a shape that the decoder does not have.
  std::function<Tensor(const NamedTensors&)> under;
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 256;
  std::vector<std::int32_t> stop_ids;
  /// Whether the last token of `answer` ends it, besides the stop ids; it stays in the answer.
  std::function<bool(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer)>
      ends = {};
  /// Sees and changes the logits before the next token of some prompts is chosen. Shapes: [M,V]
  /// fp32 -> the same.
  std::function<Tensor(const TokenChoice&, Tensor logits)> choose = {};
  /// What changes the choice of the next token; none: the most likely one.
  DecodingRules rules = {};
  /// Above 0 tokens are drawn, after the rules, in place of the most likely one (see warp, draw).
  double temperature = 0, top_p = 1;
  /// What the tokens of each prompt's answer are drawn from; one per prompt if any is drawn.
  std::vector<Rng> streams = {};
  /// Rows decoded together; 0 lets memory decide.
  std::int64_t max_batch = 0;
  /// Called as rows finish, with how many are done.
  std::function<void(std::int64_t done, std::int64_t new_tokens)> progress;
  /// Changes the residual stream in prefill and decode alike.
  std::function<Tensor(const TapPoint&, const Tensor&)> edit;
  /// What ids below 0 of the prompts read, as in PlanOptions. Shapes: [R,C].
  Tensor embeddings = {};
  /// Asks for the residual stream at each prompt's last token.
  bool residual = false;
  /// Asks for the log-probability of each token of the answers, before rules and temperature.
  bool log_probs = false;
  /// Layers, ascending, whose residual stream is wanted where each token of the answers was chosen
  /// from; 0 is the embedding, l the output of block l.
  std::vector<std::int64_t> answer_layers = {};
};

struct Generation {
  std::vector<std::int32_t> ids;  // without the stop id
  bool finished = false;          // an end came before max_new_tokens, or with it
  /// Of each of the ids, where asked for: log_softmax of the model's logits, in fp32.
  std::vector<float> log_probs = {};
  /// Where answer_layers asks for it: the stream from which each of the ids was chosen. Shapes:
  /// [ids,K,C] fp32 on CPU.
  Tensor residual = {};
};

struct GenerateResult {
  std::vector<Generation> rows;  // in the order of the prompts
  Tensor residual;  // [prompt, L+1, C] fp32 on CPU where asked for; layer 0 is the embedding
};

/// Argmax decoding, after the rules, or a draw; the result of a row does not depend on which rows
/// share its batch beyond rounding. On a device prompts take the place of answers that have ended,
/// and the host does not wait for a token; with rules or `choose` it does, as these read the
/// logits. Errors: UsageError for an empty prompt, one longer than max_position_embeddings, or
/// layers that the model does not have; RunError naming the first block whose output is not finite.
GenerateResult generate(const Decoder& decoder,
                        const std::vector<std::vector<std::int32_t>>& prompts,
                        const GenerateOptions& options);

/// Bytes that keys and values may take where max_batch is 0: 4 GiB on a CPU, on another device
/// seven tenths of what it has free now, or nine tenths less 4 GiB if that is more.
std::int64_t cache_budget(const at::Device& device);
/// Prompts whose keys and values fit into that. `longest` counts the longest prompt and its answer;
/// `type` is the cache's.
std::int64_t answers_at_once(const LlamaConfig& config, at::ScalarType type, std::int64_t longest,
                             std::int64_t budget = cache_budget(at::kCPU));
/// The type of kept keys and values: the weights', but at least fp32 on a CPU.
at::ScalarType cache_type(at::ScalarType weights, bool cpu);

}  // namespace seawall
