#pragma once
// The words a policy speaks: which hooks there are, what they get, and what a policy needs.
//
// A mitigation is a struct with `static constexpr std::string_view name, summary`, an `Options
// options` member, `static constexpr Hook hooks`, `static constexpr Need needs`, and exactly the
// member functions that `hooks` declares. A stack joins them as the right-hand side says:
//
//   Dataset compose(Dataset, const Context&, Rng&)
//     before tokenizing: mix, filter, audit                           | piped left to right
//   std::vector<StagePlan> before(const Context&, Rng&)
//     stages of its own before the attack's; its training hooks act in these alone | in order
//   void on_start(Trainer&)
//     before the first step; on a resume again, on theta0, before load. Of a policy with steer or
//     choose also where answers come first or nothing is trained, on the model as it then is,
//     unless its checkpoint has the policy's state                           | in order
//   Tensor penalty(Trainer&, const Step&)
//     a scalar term of the step's loss, asked once per step: of the weights, of rows of the
//     policy's own; what is of the user's rows belongs in around_loss | summed; undefined = none
//   Tensor token_weights(Trainer&, const TokenLosses&)
//     [N] weights of the targets                                      | multiplied
//   Tensor around_loss(Trainer&, const LossFn&)
//     several passes around the loss of a micro-batch; what it returns counts as a mean over the
//     micro-batch's targets, and is weighed by their number           | nested, first outermost
//   void before_step(Trainer&, const Step&)
//     gradients are ready, not yet clipped: edit, project             | in order
//   void after_step(Trainer&, const Step&)
//     the optimizer moved the weights                                 | in order
//   bool trains(std::string_view parameter) const
//     which parameters move; asked once                               | and-ed
//   Tensor edit(const TapPoint&, Tensor) const
//     in the forward pass while training                              | in order
//   Dialogue prompt(Dialogue, const Condition&, const Scenario&) const
//     what the defender adds at test time                             | piped left to right
//   void on_finish(Trainer&)
//     after the last step: projection, pruning, no gradients          | in order
//   void save(StateOut&) const, void load(StateIn&)
//     the policy's own state in a checkpoint (Hook::state)            | each under its own group
//   void prepare(const Scenario&, Rng&)
//     always, before compose: what is drawn once, such as a secret    | in order, own streams
//   Tensor steer(const TapPoint&, Tensor) const
//     in the forward pass while answering probes                      | in order
//   Tensor choose(const AnswerStep&, Tensor logits) const
//     [B,V] fp32 before a token of each answer is chosen              | piped left to right
//
// It may also have `std::vector<Condition> conditions() const`: the conditions that its side puts
// probes under, times those of the attack.
//
// A hook is added with its flag below and a block in hooks/ (see hooks/block.hpp), listed in
// mitigation.hpp; the trainer then calls it where it belongs.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/state.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/policy/condition.hpp"

namespace seawall {

enum class Hook : std::uint32_t {
  none = 0,
  compose = 1u << 0,
  on_start = 1u << 1,
  penalty = 1u << 2,
  token_weights = 1u << 3,
  around_loss = 1u << 4,
  before_step = 1u << 5,
  after_step = 1u << 6,
  trains = 1u << 7,
  edit = 1u << 8,
  prompt = 1u << 9,
  on_finish = 1u << 10,
  state = 1u << 11,  // save and load
  prepare = 1u << 12,
  steer = 1u << 13,
  choose = 1u << 14,
  before = 1u << 15,
};
constexpr Hook operator|(Hook a, Hook b) {
  return static_cast<Hook>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr Hook operator&(Hook a, Hook b) {
  return static_cast<Hook>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
constexpr bool has(Hook set, Hook one) {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

/// Hooks that act on a model that is not trained.
inline constexpr Hook test_time_hooks = Hook::prompt | Hook::prepare | Hook::steer | Hook::choose;

/// What must be there before step 1; a missing one is an error, never a silent plain fine-tuning.
enum class Need : std::uint32_t {
  none = 0,
  harmful_data = 1u << 0,
  safe_data = 1u << 1,
  benign_data = 1u << 2,
  identity_data = 1u << 3,
  start_weights = 1u << 4,
  reference_logprobs = 1u << 5,
  task_data = 1u << 6,
};
constexpr Need operator|(Need a, Need b) {
  return static_cast<Need>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(Need set, Need one) {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

/// Where the training loop is.
struct Step {
  std::int64_t index = 0;          // 0-based optimizer step
  std::int64_t epoch = 0;          // 0-based
  std::int64_t total = 0;          // steps of the whole run
  std::int64_t micro_batch = 0;    // within the step
  std::int64_t micro_batches = 1;  // in this step
  double lr = 0;
};

/// One trainable weight. Under fp32 and pure-bf16 `master` is `value`; under bf16 with a master or
/// a Kahan term the optimizer moves `master` (or value and term), and the trainer copies it to
/// `value` after the hooks ran.
struct Param {
  std::string_view name;  // Hugging Face name
  Tensor value;           // what the forward pass reads; a leaf whose .grad() holds the gradient
  Tensor master;          // what the optimizer moves; hooks that move weights write here
  Tensor start;           // theta0: the value before step 1, never moved
  /// s where this is a factor of a product s B A on a frozen weight (LoRA); A [r,in] is
  /// right before its B [out,r]. 0: a whole weight.
  double scale = 0;
};

/// The trainable weights, in the order of the model. Valid until the run ends.
using ParamView = const std::vector<Param>&;

class Trainer;  // trainer.hpp: what a policy can ask while a model is trained

/// Per-target losses of a micro-batch. Shapes: all [N].
struct TokenLosses {
  Tensor loss;       // fp32, differentiable: -log p(target)
  Tensor row;        // int64: row of the micro-batch
  Tensor place;      // int64: 0-based place within the answer
  Tensor reference;  // fp32: log p under theta0, or undefined unless Need::reference_logprobs
};

/// Computes the loss of the current micro-batch again: scalar, differentiable in the parameters as
/// they now are.
using LossFn = std::function<Tensor()>;

/// The tokens that are about to be chosen, one for each answer that goes on.
struct AnswerStep {
  std::int64_t place = 0;               // 0-based, within the answer
  std::vector<std::int64_t> rows = {};  // [B] places of these answers among the evaluation's
  /// What is chosen from if the weights named here are in place of the model's own, in a pass over
  /// the whole of each dialogue. Shapes: -> [B,V] fp32. Errors: DataError for a name or a shape
  /// that the model does not have.
  std::function<Tensor(const NamedTensors&)> under = {};
};

}  // namespace seawall
