#pragma once
// What a training is told and what it says at its end.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/train/handle.hpp"
#include "seawall/train/optimizer.hpp"
#include "seawall/train/precision.hpp"
#include "seawall/train/schedule.hpp"
#include "seawall/train/training_spec.hpp"

namespace seawall {

class World;

/// What to do with a step whose loss or gradient is NaN or infinite: stop before the weights are
/// touched, or leave the step out.
enum class OnNan { stop, skip };
/// Reads `stop` or `skip`. Errors: UsageError.
OnNan on_nan_from(std::string_view name);

struct TrainOptions {
  ScheduleOptions schedule;
  AdamWOptions adamw;
  Precision precision = Precision::fp32;
  double clip_norm = 0;  // 0: off, as in the paper
  OnNan on_nan = OnNan::stop;
  std::uint64_t seed = 0;
  std::int64_t evaluate_every =
      0;  // steps between calls of `evaluate` besides the ends of epochs; 0: none
  std::vector<std::int64_t> evaluate_steps;  // further ones, of them all
  std::int64_t checkpoint_every = 0;         // steps; 0: at the end and on a signal
  std::string config_hash;  // of all that makes the run; a checkpoint of another one is refused
  /// Errors: UsageError naming the field.
  void check() const;
};

/// Of a spec that says everything but what the run knows: seed, checkpoints and key. Errors:
/// UsageError for words that name nothing.
TrainOptions train_options(const TrainingSpec& spec);

/// What is around a run; all of it may be left out.
struct TrainContext {
  const Scenario* scenario = nullptr;  // asked for the data that the stack needs
  /// After the last step of each epoch and every `evaluate_every` steps, without gradients; the
  /// last call sees the weights after on_finish. `step` is the number of updates, `epochs` of whole
  /// epochs done, `last` says that no step follows. Whatever it throws, the state is saved first by
  /// `checkpoint` or `rescue`, the message says so, and a resume calls it again.
  std::function<void(std::int64_t step, std::int64_t epochs, bool last)> evaluate;
  /// Must have written the state when it returns. Tensors are the trainer's own.
  std::function<void(CheckpointState)> checkpoint;
  /// Takes the place of a `checkpoint` that is not there when an evaluation throws, so that a run
  /// without checkpoints does not lose what it trained. Not called after a signal.
  std::function<void(CheckpointState)> rescue;
  std::string state_place;  // where both write, for messages
  const CheckpointState* resume = nullptr;
  /// theta0 where it is not what the decoder holds: of a run's later stages. Null: that.
  const NamedTensors* start = nullptr;
  ModelServices services = {};  // what policies may ask for
  /// The processes that train this model together, each of which calls `train` with the same words.
  /// Rank 0 calls `evaluate`, `checkpoint` and `rescue`; the others wait. Null: this one alone.
  World* world = nullptr;
};

struct TrainResult {
  std::int64_t steps = 0;    // steps done in all, before a resume included
  std::int64_t skipped = 0;  // of them, left out for NaN or Inf
  std::int64_t tokens = 0;   // what the examples of this process's steps held
  double seconds = 0;        // in steps, without evaluations and checkpoints
  // Micro-batches that went through the model and back, before a resume included; a mitigation that
  // asks for the loss twice pays twice.
  std::int64_t forward_passes = 0, backward_passes = 0;
  std::int64_t policy_steps = 0;  // optimizer steps that policies made besides
  double loss = 0;                // of the last step
  std::string stopped;            // POLICY: why it ended the training, or nothing
  Movement final;                 // drift after on_finish; `moved` unused
  std::vector<std::pair<std::string, double>> measured;  // by policies, outside steps
};

}  // namespace seawall
