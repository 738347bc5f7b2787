#pragma once
// A run from start to end: craft, compose, train stage by stage, evaluate, record. The command line
// and programs that name types both come here.
//
//   RunSpec spec;
//   spec.training.epochs = 5;
//   spec.place.out = "run.h5";
//   Stack stack{WeightDrift{{.lambda = 1e-2}}};
//   const RunData data = run(AnyAttack(HarmfulExamples{{.count = 50}}), stack, spec);
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/listener.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/endpoint_backend.hpp"
#include "seawall/run/local_backend.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

/// Sees what a run records, as it is recorded.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_stage(const Stage&) {}
  virtual void on_step(const StepRecord&) {}
  virtual void on_evaluation(const EvaluationRecord&) {}
};

/// Everything of a run that depends neither on the type of the stack nor on where the model is.
/// `run` below drives it; backends ask it.
class Run {
 public:
  using Prompt = std::function<Dialogue(Dialogue)>;

  /// Checks the output and takes its lock, has the backend load its model, makes scenario and
  /// judges. `stack` describes the mitigations. Errors: UsageError, DataError, IoError before
  /// anything is written.
  Run(AnyAttack attack, std::vector<PolicyDescription> stack, RunSpec spec, Backend& backend,
      RunObserver* observer = nullptr);
  ~Run();

  const RunSpec& spec() const { return spec_; }  // resolved
  const AnyAttack& attack() const { return attack_; }
  const std::vector<PolicyDescription>& stack() const { return stack_; }
  const Scenario& scenario() const { return *scenario_; }
  const Context& context() const { return *context_; }
  const Judges& judges() const { return judges_; }
  const RunPaths& paths() const { return paths_; }
  const Provenance& provenance() const { return provenance_; }
  /// None under --no-training, or if the mitigations left no row: then the model is evaluated as it
  /// is.
  const std::vector<Stage>& stages() const { return stages_; }
  const Dataset& rows() const;  // of the first stage; empty without one
  /// SHA-256 of all that decides the run: version, options, policies, stages, probes and model, but
  /// not its place. Known after prepare().
  const std::string& key() const { return key_; }

  /// The attack's rows, drawn from the seed's `craft` stream; none under --no-training.
  Dataset craft() const;
  /// The attack's rows after the stack's compose hooks.
  template <StackLike S>
  Dataset compose(S& stack) const {
    Dataset rows = craft();
    if (rows.empty()) return rows;
    return compose_rows(std::move(rows), stack, *context_, static_cast<std::uint64_t>(spec_.seed));
  }
  /// Takes the composed rows; `defend` is what the defender adds to a prompt, `measured` what the
  /// stack found out while it composed. Errors: DataError if probes are among the rows or sets of
  /// rows share a prompt, unless --allow-overlap; those of Backend::prepare.
  void prepare(Dataset rows, Prompt defend, Measured measured);
  /// Opens the run file, or the one to resume.
  void open();
  /// A probe as the attack asks it, in the form of the attack's rows, without and with what the
  /// defender adds.
  Dialogue asked(const Probe& probe, const Condition& condition) const;
  Dialogue prompt(const Probe& probe, const Condition& condition) const {
    return defend_(asked(probe, condition));
  }
  /// `visit(condition, set, probes)` for every condition and every set that has probes.
  void each_set(const std::function<void(const Condition&, ProbeSet, const std::vector<Probe>&)>&
                    visit) const;

  /// Epochs that --evaluate-at names.
  const std::vector<std::int64_t>& evaluate_epochs() const { return evaluate_epochs_; }
  /// Whether the longest answer was given, or comes from the scenario.
  bool length_given() const { return length_given_; }

  TraceSink& sink();
  RunFile& file();
  /// Whether options ask for an evaluation after this step, `last` of the run or not.
  bool wants_evaluation(std::int64_t epoch, bool last) const;
  /// Asks and judges under every condition, leaving out what is recorded already. Errors: what an
  /// evaluation throws; the evaluations before it are kept then.
  void evaluate(std::int64_t step, std::int64_t epoch);
  /// The evaluations that no training step brings: before step 1, or all of them without stages.
  void evaluate_start();
  /// Costs, the final state of the run file, and what it holds.
  RunData finish();

 private:
  struct Recording;
  void take_output();
  void evaluate_sets(std::int64_t step, std::int64_t epoch);
  void find_key();
  /// Whether --resume finds a run file of this very run, whose evaluations of step 0 count.
  bool holds_this_run() const;
  /// --resume found nothing of this run: says so if nothing is there. Errors: UsageError if another
  /// run's file is.
  void check_replaced_file() const;
  RunInfo info() const;

  AnyAttack attack_;
  std::vector<PolicyDescription> stack_;
  RunSpec spec_;
  Backend& backend_;
  RunObserver* observer_;
  RunPaths paths_;
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<Scenario> scenario_;
  std::unique_ptr<Context> context_;
  Judges judges_;
  std::optional<RequestForm> form_;  // of probes from files
  std::vector<Stage> stages_;
  Prompt defend_ = [](Dialogue d) { return d; };
  Measured measured_;
  Provenance provenance_;
  std::string key_;
  std::vector<std::int64_t> evaluate_epochs_;
  std::unique_ptr<Recording> recording_;
  bool length_given_ = false;
  bool resumed_ = false;  // from a checkpoint
};

/// Runs an attack under a stack (a Stack of types, or an AnyStack) on the backend's model and
/// returns what the run file holds. Under --dry-run nothing is written and `steps` stays empty.
/// Errors: those of Run and of the backend's training.
template <StackLike S, TrainsUnder<S> B>
RunData run(const AnyAttack& attack, S& stack, const RunSpec& spec, B& backend,
            RunObserver* observer = nullptr) {
  Run run(attack, stack.describe(), spec, backend, observer);
  Dataset rows = run.compose(stack);  // before the stack is asked what it measured
  run.prepare(
      std::move(rows), [&stack](Dialogue d) { return stack.prompt(std::move(d)); },
      stack.measured());
  if (spec.place.dry_run) {
    tell("%s", backend.estimate(run, detail::facts_of(stack)).c_str());
    return {};
  }
  if (!backend.begin(run)) return {};
  run.open();
  run.evaluate_start();
  for (const Stage& stage : run.stages()) backend.train(run, stage, stack);
  return run.finish();
}

/// The same on the model that the spec names: in this process, or behind an endpoint.
template <StackLike S>
RunData run(const AnyAttack& attack, S& stack, const RunSpec& spec,
            RunObserver* observer = nullptr) {
  if (!is_remote(spec)) {
    LocalBackend backend;
    return run(attack, stack, spec, backend, observer);
  }
  EndpointBackend backend;
  return run(attack, stack, spec, backend, observer);
}

/// The key of the run that `spec` asks for, before anything is written or trained. Errors: those of
/// Run.
std::string run_key(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec);

}  // namespace seawall
