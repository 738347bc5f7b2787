#pragma once
// What generation runs on: prefill of a batch plan, then steps of one token a row over kept keys
// and values.
#include <functional>
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

/// One batch of prompts being continued. Rows are named by their place in the plan ("slots"); rows
/// that are not stepped any more cost nothing.
class DecodeEngine {
 public:
  virtual ~DecodeEngine() = default;
  /// Runs the prompts; every shared prefix is computed and kept once. Shapes: -> residual stream of
  /// each row's last token [B,C].
  virtual Tensor prefill() = 0;
  /// Appends one token to each row of `slots` (distinct). Shapes: ids [M] -> residual stream [M,C].
  virtual Tensor step(const std::vector<std::int64_t>& slots,
                      const std::vector<std::int64_t>& ids) = 0;
  /// The most likely next token of each row, the first one of equals; -1 if its logit is not
  /// finite. `log_probs`: room for the log-softmax of its logit, or null. Shapes: x [M,C] -> [M];
  /// log_probs [M].
  virtual std::vector<std::int64_t> choose(const Tensor& x, float* log_probs) = 0;
};

struct DecodeOptions {
  std::int64_t max_new_tokens = 0;
  /// As ForwardHooks::edit.
  std::function<Tensor(const TapPoint&, const Tensor&)> edit;
  /// Sees the residual stream of each row's last prompt token. Shapes: [B,C].
  std::function<void(const TapPoint&, const Tensor&)> take;
  /// Whether `take` sees the stream of appended tokens too. Shapes: [M,C].
  bool take_steps = false;
};

/// The engine for the decoder's device and type. The decoder and its weights must outlive it.
std::unique_ptr<DecodeEngine> make_decode_engine(const Decoder& decoder, BatchPlan plan,
                                                 DecodeOptions options);
std::unique_ptr<DecodeEngine> make_cpu_engine(const Decoder& decoder, BatchPlan plan,
                                              DecodeOptions options);
std::unique_ptr<DecodeEngine> make_aten_engine(const Decoder& decoder, BatchPlan plan,
                                               DecodeOptions options);

}  // namespace seawall
