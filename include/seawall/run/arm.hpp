#pragma once
// One arm from start to end: craft, compose, train, evaluate, trace. The command line and
// experiments that name types both come here.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/listener.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/eval/probe_prompts.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/train/memory.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

/// Everything of a run that does not depend on the type of the stack.
class Arm {
 public:
  using ArmDialogue = std::function<Dialogue(Dialogue)>;

  /// Checks the output, takes its lock, loads model, scenario and judges. `stack` describes the
  /// mitigations, `needs` what they need. Errors: UsageError, DataError, IoError before anything is
  /// written.
  Arm(AnyAttack attack, RunSpec spec, std::vector<PolicyDescription> stack, Need needs);
  ~Arm();

  const RunSpec& spec() const { return spec_; }  // resolved
  const Scenario& scenario() const { return *scenario_; }
  /// The attack's rows, drawn from the seed's `craft` stream; none under --no-training.
  Dataset craft() const;
  /// The attack's rows after the stack's compose hooks.
  template <StackLike S>
  Dataset compose(S& stack) const {
    Dataset rows = craft();
    if (rows.empty()) return rows;
    return compose_rows(std::move(rows), stack, *scenario_, static_cast<std::uint64_t>(spec_.seed));
  }
  /// Takes the composed rows and opens the run file; `arm_dialogue` is what the defender adds to a
  /// probe, `measured` what the stack found out while it composed. Errors: DataError where probes
  /// stand in the rows, or sets of rows share a prompt, unless --allow-overlap; if the model can
  /// read no probe of a set, or a row has a token beyond the vocabulary.
  void begin(const Dataset& rows, ArmDialogue arm_dialogue, const Measured& measured = {});
  /// False under --no-training, and where a mitigation left no row: then the model is evaluated as
  /// it is.
  bool trains() const { return source_ != nullptr; }
  /// What --dry-run prints: sizes, memory, disk and time; from one batch that was really computed,
  /// where the model is loaded.
  std::string estimate(const detail::StackFacts& facts);
  /// SHA-256 of all that makes the run: version, options, rows, probes, model and tokenizer, but
  /// not where and how loudly it goes. Known after begin().
  std::string config_hash() const;

  Decoder& decoder() { return *model_.decoder; }
  BatchSource& source() { return *source_; }
  TrainOptions train_options() const;
  TraceSink& sink();
  TrainContext context();
  /// The evaluations that no training step brings: before step 1, or all of them under
  /// --no-training.
  void evaluate_start();
  /// Spectra, costs, the final state of the run file, and what it holds.
  RunData finish(const TrainResult& trained = {});

 private:
  struct Recording;
  /// The probe as the attack puts it, in the form of the attack's rows.
  Dialogue ask(const Probe& probe, const Condition& condition) const;
  /// Errors: what an evaluation throws; the evaluations before it are kept then.
  void evaluate_now(std::int64_t step, std::int64_t epoch);
  void evaluate_all(std::int64_t step, std::int64_t epoch);
  /// Whether --resume finds a run file of this very run, whose evaluations of step 0 count.
  bool holds_this_run() const;
  bool wants_evaluation(std::int64_t step, std::int64_t epoch) const;
  RunInfo run_info(const Dataset& rows, const Measured& measured) const;
  std::int64_t longest_row() const;
  std::vector<ProbePrompt> prompts_of(const std::vector<Probe>& probes,
                                      const Condition& condition) const;
  /// Says how many probes of each set and condition cannot be asked, and which is the first.
  /// Errors: DataError if none of a set can.
  void check_probes() const;
  /// Errors: DataError naming the first row with a token beyond the vocabulary.
  void check_rows(const Dataset& rows, const std::vector<Sequence>& encoded) const;
  std::int64_t checkpoints_written() const;  // by a run that nothing interrupts
  MemoryQuestion memory_question(const detail::StackFacts& facts);
  Spectra spectra_of_drift() const;
  void count_rows_used(std::int64_t steps);
  void save(CheckpointState state);
  /// Removes the state that a failed evaluation left under --no-checkpoint, if this run was resumed
  /// from it and there is no other.
  void drop_rescue() const;

  AnyAttack attack_;
  RunSpec spec_;
  std::vector<PolicyDescription> stack_;
  RunPaths paths_;
  std::unique_ptr<RunLock> lock_;
  ModelBundle model_;
  std::unique_ptr<Scenario> scenario_;
  Judges judges_;
  std::optional<RequestForm> form_;  // of probes from files
  ArmDialogue arm_dialogue_;
  NamedTensors start_;  // theta0, for spectra
  std::optional<Adapter> start_adapter_;
  Provenance provenance_;
  MergedSystem merged_system_;
  std::unique_ptr<FixedRows> source_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<CheckpointState> resumed_;
  std::string rows_hash_;
  std::vector<std::int64_t> evaluate_epochs_;
};

/// The config_hash of the run that `spec` asks for, before anything is written or trained. Errors:
/// those of Arm.
std::string run_key(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec);

/// Runs one arm under `stack` (a Stack of types, or an AnyStack) and returns what its run file
/// holds. Under --dry-run nothing is written and `steps` stays empty. Errors: those of Arm and
/// train.
template <StackLike S>
RunData run_arm(const AnyAttack& attack, S& stack, const RunSpec& spec) {
  Arm arm(attack, spec, stack.describe(), stack.needs());
  const Dataset rows = arm.compose(stack);  // before the stack is asked what it measured
  arm.begin(
      rows, [&stack](Dialogue d) { return stack.arm(std::move(d)); }, stack.measured());
  if (spec.dry_run) {
    tell("%s", arm.estimate(detail::facts_of(stack)).c_str());
    return {};
  }
  arm.evaluate_start();
  if (!arm.trains()) return arm.finish();
  return arm.finish(
      train(arm.decoder(), arm.source(), stack, arm.train_options(), arm.sink(), arm.context()));
}

}  // namespace seawall
