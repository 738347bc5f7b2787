#pragma once
// Rules of decoding that are applied on a device, slot by slot.
#include <cstdint>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/decoding.hpp"

namespace seawall {

/// The repetition penalty, bans of tokens, and bans of an end that comes too early. What
/// apply_rules (decoding.hpp) does, in its order.
class SlotRules {
 public:
  /// Whether there are no other rules than these.
  static bool can(const DecodingRules& rules);
  /// Memory: with a repetition penalty a byte for each slot and token of the vocabulary.
  SlotRules(const DecodingRules& rules, std::int64_t slots, std::int64_t vocabulary,
            const at::Device& device);

  /// Whether some rule changes a score.
  bool any() const { return !rules_.plain(); }
  /// Prompts take these slots. One copy to the device.
  void fill(const std::vector<std::int64_t>& slots,
            const std::vector<std::vector<std::int32_t>>& prompts);
  /// As SlotEngine::keep. Shapes: slots [m].
  void keep(const Tensor& slots);
  /// Every slot's text has one more token. Shapes: ids [M].
  void append(const Tensor& ids);
  /// Scores after the rules. `slots` [m]: whose rows these are, of prompts without an answer; or
  /// undefined, all of them. Shapes: logits [m,V], lengths [m] tokens of each text -> [m,V] fp32.
  Tensor applied(const Tensor& logits, const Tensor& lengths, const Tensor& slots = {}) const;

 private:
  DecodingRules rules_;
  std::int64_t vocabulary_;
  at::Device device_;
  Tensor seen_;   // [M,V] bool, or undefined
  Tensor until_;  // [M] length that a text has before its end, or undefined
  Tensor eos_, suppress_, suppress_first_;  // ids, or undefined
};

}  // namespace seawall
