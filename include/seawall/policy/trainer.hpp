#pragma once
// The handle on the model: what a policy can ask while a model is trained. It is the first argument
// of every training hook, and valid from on_start to on_finish.
//
//   void before_step(Trainer& trainer, const Step&) {
//     const Batch batch = trainer.next(trainer.rows(Pool::safe, 100), 10);
//     const Tensors g = trainer.gradient([&] { return trainer.pass(batch).loss.mean(); });
//     …
//   }
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// Rows as the model reads them, planned once: tokens of all rows are flat, and a prefix that rows
/// share exists once. Index tensors are int64 on the model's device.
struct Batch {
  std::vector<Example> rows;         // what they are: id, kind, category; [B]
  Tensor row, place, source, token;  // [N] of each target: its row, its place in the answer, the
                                     // flat token that predicts it, the token itself
  Tensor prompt_end;                 // [B] flat token that predicts the first target of each row
  Tensor last;                       // [B] flat token of each row's last token
  std::int64_t tokens = 0;           // T, flat
  std::shared_ptr<const void> plan;  // of the trainer that made it
};

/// Which weights a pass reads: those of now, or theta0.
enum class Theta { now, start };

/// What a pass is to give besides the losses.
struct Ask {
  Theta theta = Theta::now;
  bool logits = false;
  Taps taps = {};
  /// Returns what flows on in place of x at every point of `edits`. Shapes: [T,C], as the tap says.
  std::function<Tensor(const TapPoint&, Tensor x)> edit = {};
  Taps edits = {};
};

/// One pass of a batch. Where gradients are on, everything is differentiable in the weights of now.
struct Pass {
  Tensor loss;    // [N] -log p(target), fp32 (fp64 for fp64 weights)
  Tensor logits;  // [N,V] in the model's type, where asked for
  std::vector<std::pair<TapPoint, Tensor>> taps;  // in the order of the forward pass; [T,·]
  /// The tap at a point. Errors: UsageError if it was not asked for.
  const Tensor& tap(const TapPoint& point) const {
    for (const auto& [place, value] : taps)
      if (place == point) return value;
    throw UsageError("pass: the tap of layer " + std::to_string(point.layer) +
                     " was not asked for; name its kind in Ask::taps");
  }
};

/// Asks a model: passes, gradients and rows of its own for each policy. Errors of every call that
/// encodes, answers or opens another model: UsageError where the program that trains gives no such
/// service (TrainContext::services).
class Trainer {
 public:
  virtual ~Trainer() = default;

  /// The trainable weights, in the order of the model.
  virtual ParamView params() const = 0;
  /// Any weight by its Hugging Face name, frozen ones as well; under LoRA the one under the
  /// factors. Not to be written. Errors: UsageError for a name that the model does not have.
  virtual Tensor weight(std::string_view name, Theta theta) const = 0;
  /// The weights of another model: a folder or `organism-base`, the organism before it was
  /// aligned. Read once. Errors: those of reading it; DataError where shapes differ from this
  /// model's.
  virtual const NamedTensors& other_model(const std::string& word) = 0;
  virtual const Scenario& scenario() const = 0;
  /// A stream of this policy's own; its position is part of checkpoints.
  virtual Rng& rng() = 0;

  /// `count` rows of a pool (0: all that are left), drawn once a policy from the run's seed, never
  /// one that the run trains on; under the scenario's system prompt. The reference is valid until
  /// the run ends. Errors: DataError naming the pool and the counts.
  virtual const Dataset& rows(Pool pool, std::int64_t count) = 0;
  /// The next `size` rows of a set in turn, from its beginning again after its end; the position is
  /// part of checkpoints, by the set's name. Errors: UsageError for a set without name or rows.
  virtual Batch next(const Dataset& rows, std::int64_t size) = 0;
  /// All of them. Errors: DataError naming a row without a token to learn.
  virtual Batch encode(const Dataset& rows) = 0;
  /// The micro-batch in hand; outside the passes of a step the last one. Errors: UsageError in a
  /// penalty that is asked for several of them.
  virtual const Batch& user() = 0;

  /// One forward pass, counted. Passes of one step draw the same dropout.
  virtual Pass pass(const Batch& batch, const Ask& ask) = 0;
  Pass pass(const Batch& batch) { return pass(batch, Ask{}); }
  /// Mean over the targets of the KL divergence between the vocabulary's distributions under theta0
  /// and now; differentiable in the weights of now. Memory: logits of one chunk of targets.
  virtual Tensor kl_to_start(const Batch& batch, KlDirection direction) = 0;
  /// Of every parameter, in their order: fp32 (fp64 for fp64 weights), in tensors of their own;
  /// what backward left in `.grad()` stays. Zeros where the loss does not reach. Counted.
  virtual Tensors gradient(const std::function<Tensor()>& loss) = 0;
  /// The same in other tensors that the loss is made of, such as what an edit adds to a tap; in
  /// their types. `of` is read when the loss is there.
  virtual Tensors gradient(const std::function<Tensor()>& loss, const Tensors& of) = 0;
  /// One optimizer step more, at this step's learning rate, counted as the policy's. For
  /// after_step.
  virtual void step(const std::function<Tensor()>& loss) = 0;
  /// One answer of the current weights to each probe. The prompt is the probe's own dialogue;
  /// decoding is greedy, up to --max-new-tokens. The hooks prompt, steer and choose are not called.
  /// Errors: DataError naming the first probe that has no answer, and why.
  virtual std::vector<std::string> answers(const std::vector<Probe>& probes) = 0;

  /// Training ends after this step; the reason is recorded.
  virtual void stop(std::string_view why) = 0;
  /// A number of this step, or of the whole run outside a step; NaN in steps without one. Of those
  /// measured in micro-batches the mean over their targets. Errors: UsageError for a name that is
  /// not of letters, digits, `-`, `_` and `/`.
  virtual void measure(std::string_view name, double value) = 0;

  /// Whose turn it is, for streams, rows and messages: the policy's place in the stack.
  std::size_t asking() const { return asking_; }

  /// The policy in whose name calls are made while it lives.
  class Turn {
   public:
    Turn(Trainer& trainer, std::size_t policy) : trainer_(trainer), before_(trainer.asking_) {
      trainer.asking_ = policy;
    }
    ~Turn() { trainer_.asking_ = before_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Trainer& trainer_;
    std::size_t before_;
  };

 private:
  std::size_t asking_ = 0;
};

}  // namespace seawall
