#pragma once
// The part of the training loop that no policy changes: weights, optimizer, records, checkpoints.
// `train` (trainer.hpp) drives it.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/policy/hooks.hpp"
#include "seawall/policy/products.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/train/data_plan.hpp"
#include "seawall/train/handle.hpp"
#include "seawall/train/optimizer.hpp"
#include "seawall/train/precision.hpp"
#include "seawall/train/stack_facts.hpp"
#include "seawall/train/train_options.hpp"

namespace seawall {

namespace detail {

/// The saved state of one policy. Errors: DataError naming the policy that the checkpoint does not
/// know.
StateIn& policy_group(std::map<std::string, StateGroup>& groups, std::string_view name);
/// The step as one micro-batch: what a penalty is asked with.
Step whole_step(Step step);

/// Policies freeze weights by their names; both factors of a frozen weight's product are frozen.
std::function<bool(std::string_view)> by_weight(
    const std::function<bool(std::string_view)>& trains);

class Ranks;

class Session : public Handle {
 public:
  /// Checks options and needs, and makes the decoder's weights trainable. Errors: UsageError.
  Session(Decoder& decoder, BatchSource& source, const TrainOptions& options,
          const TrainContext& context, StackFacts facts);
  ~Session() override;

  /// Among several processes those that this one owns.
  ParamView params() const override { return weights_.params(); }
  void publish();
  /// Takes weights, moments and the position from `TrainContext::resume`. Errors: UsageError where
  /// it belongs to another run; DataError naming what is missing.
  void restore();

  const Batch& user() override;
  void step(const std::function<Tensor()>& loss) override;
  void stop(std::string_view why) override;

  bool more() const { return next_ < source_.steps() && result_.stopped.empty(); }
  /// Begins the next step: its rows, its learning rate, no gradients.
  const Step& begin_step();
  const StepBatch& batch() const { return batch_; }
  /// Where the stack's edits are asked.
  Taps taps() const { return facts_.taps; }
  /// Whether micro-batch `index` is this process's, and its first, with which penalties are asked.
  bool takes(std::size_t index) const;
  bool asks_penalty(std::size_t index) const;
  /// The passes that follow are those of micro-batch `index`.
  void begin_micro(std::size_t index) { micro_ = index, in_micro_ = true; }
  void begin_forward() override;
  /// The cross-entropy of the micro-batch in hand, if no pass gave it before, and of each of its
  /// targets. Shapes: [], [N].
  void own_loss(const Tensor& loss, const Tensor& each);
  /// log p of the targets under theta0. Computed once a micro-batch that is kept.
  const Tensor& reference(MicroBatch& micro);

  /// Adds the gradient of `loss` (the mean over the targets of micro-batch `index`) and of
  /// `penalty` (undefined: none).
  void backward(std::size_t index, const Tensor& loss, const Tensor& penalty);
  /// On a device: makes the plans of the next step while this one is computed there.
  void plan_ahead();
  /// Looks at the loss of the step. False: the step is left out. Errors: RunError naming the step
  /// under OnNan::stop.
  bool loss_is_finite();
  /// Measures the gradient. False: as above. Errors: RunError naming step and parameter.
  bool gradients_are_finite();
  /// Clips, moves the masters and puts them into the values, or remembers for `measure_moved` where
  /// hooks follow.
  void update();
  /// After the hooks moved weights.
  void measure_moved();
  /// Counts what was written since the step began as its update.
  void edited();
  /// Errors: RunError where a weight is no longer finite.
  StepRecord end_step();

  /// After on_finish: values follow, drift is measured.
  void finish();
  bool finished() const { return finished_; }

  /// Calls `evaluate` where this step is the end of an epoch or due, and checkpoints where due, at
  /// the end, or asked by a signal. Errors: Interrupted after SIGINT or SIGTERM, once the state is
  /// saved.
  void between_steps(const std::function<void(const OpenStateOut&)>& save_policies);
  /// An evaluation that the checkpoint was saved before.
  void catch_up();

  TrainResult result() const { return result_; }

 private:
  void count_backward() override { ++result_.backward_passes; }
  void count_forward_of_start() override { ++result_.forward_passes; }
  const Decoder& start() const override;
  Measures& measures() override;
  /// What was measured in a micro-batch is part of the step's mean over targets.
  void fold_measures(std::int64_t targets);
  void passed(const BatchPlan& plan, const Tensor& loss) override;
  void checkpoint(const std::function<void(const OpenStateOut&)>& save_policies,
                  bool evaluation_pending);
  /// Calls `evaluate`; what it throws comes out once the state is saved. Errors: those of evaluate.
  void evaluate(const std::function<void(const OpenStateOut&)>& save_policies);
  /// Saves the state before what an evaluation threw goes on. Returns what to say of it.
  std::string keep_state(const std::function<void(const OpenStateOut&)>& save_policies);
  bool leave_out(const std::string& what);
  /// Of the loss as it is minimised, and of the gradient; what leaves a step out.
  bool whole_is_finite(double whole);
  bool norm_is_finite();
  bool evaluation_due() const;
  void set_up_adapter();
  // Among several processes (session_ranks.cpp).
  void check_ranks() const;         // that all do the same run
  void take_row_losses();           // of all
  double sum_ranks();               // gradients to their owners; the loss of all
  Movement of_all(Movement) const;  // trained parameters, from this process's
  void agree();                     // on signals, requests and counts
  void evaluate_on_first(const std::function<void(const OpenStateOut&)>& save_policies);
  int signal() const;
  int requests() const;
  /// Under LoRA the drift is that of the products, per weight they belong to. Shapes: -> [products]
  /// fp64 on the device, undefined without any.
  Tensor product_squares() const;
  Movement of_products(Movement movement, const double* squares) const;
  Movement of_products(Movement movement) const;
  /// On a device the numbers of a step are read once, at its end, and the device itself leaves out
  /// an update that is not finite; unless a hook comes between, which must not see such gradients.
  bool reads_at_end() const;
  /// All losses of the step in one tensor, and what they are once they are on the host. Shapes: ->
  /// [losses, own losses, token losses] fp64. Returns the place after them.
  Tensor losses_there() const;
  const double* take_losses(const double* at, double& whole);
  /// `tokens`: the loss of each target of the micro-batch; null: not known.
  void add_row_losses(const MicroBatch& micro, const double* tokens);
  void put_rows(StepRecord& record) const;
  void judge_there();
  /// Whether each weight moves as soon as its gradient is there: on a device, where nothing wants
  /// the gradients of all (clipping, micro-batches, hooks), and a gradient that is not finite stops
  /// the run.
  bool updates_in_backward() const;
  void backward_with_updates(const Tensor& total);
  void read_numbers();

  BatchSource& source_;
  TrainOptions options_;
  TrainContext context_;
  StackFacts facts_;
  std::unique_ptr<Ranks> ranks_;  // null: this process is alone
  TrainedWeights weights_;
  AdamW adam_;
  mutable std::optional<Decoder> start_;  // theta0, made when a policy asks for it
  std::vector<ProductPlace> products_;
  std::vector<std::size_t> drift_places_;  // places in the decoder's parameters of Movement::params

  std::int64_t next_ = 0;  // step to do
  Step step_;
  StepBatch batch_;
  std::optional<StepBatch> ahead_;    // of the step after it
  std::size_t micro_ = 0;             // in hand
  Batch user_;                        // of it; without a plan until asked for
  std::vector<Tensor> losses_;        // scaled, of the micro-batches: what is minimised
  std::vector<Tensor> own_losses_;    // their cross-entropy alone
  std::vector<Tensor> token_losses_;  // the same of each target, [N] each
  std::vector<float> row_losses_;     // of the step's rows
  double loss_ = 0, penalty_ = 0;
  bool in_step_ = false, in_micro_ = false;
  bool stepped_ = false;  // a policy moved the weights
  Measures micro_measures_, step_measures_, run_measures_;
  std::map<std::string, double> measured_targets_;  // that a mean of the step is over
  bool reads_at_end_ = false, in_backward_ = false;
  bool lost_ = false;                   // weights moved by a gradient that is not finite
  Tensor guard_, norms_, facts_there_;  // on the device until the step ends
  GradientNorm norm_;
  Movement movement_;
  std::vector<std::int64_t> versions_;  // of the masters, before after_step
  bool skipped_ = false, finished_ = false, evaluation_pending_ = false, checkpointed_ = false;
  std::int64_t skipped_in_a_row_ = 0;
  int requests_seen_ = 0;
  std::chrono::steady_clock::time_point begun_;
  TrainResult result_;
};

}  // namespace detail
}  // namespace seawall
