#pragma once
// Decoding on a device in a fixed number of slots. Sizes do not change from token to token, and all
// that a step reads and writes stays on the device.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "model/slot_rules.hpp"
#include "model/step_graph.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

struct SlotOptions {
  std::int64_t slots = 1;   // M
  std::int64_t places = 0;  // S of each slot: the longest prompt with its answer
  std::int64_t max_new_tokens = 0;
  std::vector<std::int32_t> stop_ids;
  DecodingRules rules;                // SlotRules can apply them
  double temperature = 0, top_p = 1;  // above 0: tokens are drawn
  bool log_probs = false;
  std::vector<std::int64_t> layers;  // as GenerateOptions::answer_layers
  bool residual = false;             // every layer at the last token of each prompt
  /// As ForwardHooks::edit. A step with it is launched, never captured.
  std::function<Tensor(const TapPoint&, const Tensor&)> edit;
  Tensor embeddings;  // as in PlanOptions
};

/// A prompt and the slot that it goes into.
struct SlotPrompt {
  std::int64_t slot = 0;
  std::vector<std::int32_t> ids;
  std::int64_t room = 0;  // new tokens it may have, at least 1
  Rng stream{0};          // what they are drawn from, if they are
};

/// One chosen token per prompt of a `fill`, or per slot. Tensors on the device; those of a step are
/// written again by a later one.
struct SlotTokens {
  Tensor facts;    // [2,m] fp64: ids, and 1 where the stream was finite; with log_probs [3,m]
  Tensor streams;  // [m,K,C] the chosen layers' stream that the ids were chosen from; or undefined
};

/// Keys and values of M rows of S places, each row's prompt and answer without a gap. A slot whose
/// answer has ended (a stop id, no room) is computed on with the others, but stays at its first
/// place and sees no other one, until it is filled again. The decoder must outlive it. Memory:
/// answers_at_once.
class SlotEngine {
 public:
  SlotEngine(const Decoder& decoder, SlotOptions options);

  struct Filled {
    SlotTokens first;  // of each prompt, in their order
    Tensor residual;   // [m,L+1,C], where asked for
  };
  /// Runs prompts, shared prefixes once, and puts them into their slots. One copy to the device
  /// besides the plan's own, one more for draws and one for rules.
  Filled fill(const std::vector<SlotPrompt>& prompts);
  /// Appends each slot's last token and chooses its next one. `widest`: the most places any slot
  /// uses with it, as the host counts them. Launches only; from the second step of a width on the
  /// replay of a graph, where the device has them.
  SlotTokens step(std::int64_t widest);
  /// Goes on with these slots alone, renumbered in their order. One copy to the device; memory:
  /// one layer's keys twice.
  void keep(const std::vector<std::int64_t>& slots);

 private:
  struct Attention;
  /// Texts whose next token is chosen: those of new prompts, or of all slots.
  struct Rows {
    Tensor slots;                    // [m], undefined: all
    Tensor lengths, left, uniforms;  // [m] tokens, [m] answers' tokens to come, [m,N]
  };
  struct Chosen {
    Tensor ids, left;  // [m] int64
    SlotTokens tokens;
  };
  struct Captured {
    bool launched = false;
    std::unique_ptr<StepGraph> graph;
    SlotTokens tokens;
  };
  SlotTokens launch(std::int64_t width);
  Chosen choose(const Tensor& x, const Rows& rows, const std::vector<Tensor>& streams) const;
  bool wanted(std::int64_t layer) const;
  Tensor edited(const TapPoint& point, const Tensor& x) const;
  at::TensorList layer(std::int64_t l) const;

  const Decoder& decoder_;
  const LlamaConfig& config_;
  SlotOptions options_;
  std::vector<Tensor> weights_, k_, v_;  // of each layer [M*S,KV,D]
  Tensor ids_, lengths_, left_;          // [M] int64: last token, kept places, tokens to come
  Tensor uniforms_;                      // [M,N] fp64, a row's last one in the last column
  Tensor firsts_, begins_, queries_;     // [M] int64 i*S; [M+1] int32, see SlotKeys
  Tensor time_;                          // [1,S] int64
  Tensor stops_;                         // [stop ids] int64, undefined if there is none
  SlotRules rules_;
  std::map<std::int64_t, Captured> by_width_;
};

}  // namespace seawall
