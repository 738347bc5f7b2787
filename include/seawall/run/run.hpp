#pragma once
// A run from start to end: craft, compose, train stage by stage, evaluate, record. The command line
// and programs that name types both come here.
//
//   RunSpec spec;
//   spec.place.out = "run.h5";
//   Stack stack{WeightDrift{{.lambda = 1e-2}}};
//   const RunData data = run(AnyAttack(HarmfulExamples{{.count = 50}}), stack, spec);
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/listener.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/defence.hpp"
#include "seawall/run/endpoint_backend.hpp"
#include "seawall/run/local_backend.hpp"
#include "seawall/run/run_observer.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

/// Everything of a run that depends neither on the type of the stack nor on where the model is.
/// `run` below drives it; backends ask it.
class Run {
 public:
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
  /// Those that --judge names; answers to the task are graded by `exact` alone.
  const Judges& judges(ProbeSet set = ProbeSet::harmfulness) const {
    return set == ProbeSet::task ? task_judges_ : judges_;
  }
  const RunPaths& paths() const { return paths_; }
  const Provenance& provenance() const { return provenance_; }
  /// None under --no-training, or if the mitigations left no row: then the model is evaluated as it
  /// is.
  const std::vector<Stage>& stages() const { return stages_; }
  const Dataset& rows() const { return rows_; }  // of the attack, all its stages; may be empty
  /// Rows that no policy may be given: what the attack crafted, and what stages train on.
  const Dataset& used_rows() const { return used_; }
  /// SHA-256 of all that decides the run: version, options, policies, stages, probes and model, but
  /// not its place. Known after prepare().
  const std::string& key() const { return key_; }

  /// Has the stack's policies draw what they draw once; without training, they take what the
  /// model's checkpoint has of it.
  template <StackLike S>
  void ready(S& stack) {
    if (stack.uses(Hook::prepare))
      stack.prepare(*scenario_, static_cast<std::uint64_t>(spec_.seed));
    if (spec_.training.none)
      say_drawn(stack.restore([this](std::string_view group) { return saved_state(group); }));
  }
  /// Where answers come before training or without it: the policies that act on them begin on the
  /// model as it is, unless its checkpoint has their state.
  template <StackLike S>
  void begin_answers(S& stack) {
    if (answers_untrained())
      stack.on_start_of_answers(*backend_.asked(*this, stack.groups()), restored_);
  }
  /// The stages of the run, none under --no-training: those that mitigations ask for, then the
  /// attack's, whose rows are drawn from the seed's `craft` stream and go through the stack's
  /// compose hooks.
  template <StackLike S>
  std::vector<Stage> compose(S& stack) {
    std::vector<Stage> stages;
    if (spec_.training.none) return stages;
    face(stack.describe(), [&stack, this](Dataset rows) {
      S copy = stack;  // as it is now: what it learns of these rows is the attacker's
      return compose_rows(std::move(rows), copy, *context_, static_cast<std::uint64_t>(spec_.seed));
    });
    std::vector<StagePlan> attack = craft();
    Rng before = Rng(static_cast<std::uint64_t>(spec_.seed)).stream("before");
    for (auto& [owner, plan] : stack.before(*context_, before))
      stages.push_back(stage_of(std::move(plan), owner));
    attacks_with_rows_ = false;
    for (std::size_t i = 0; i < attack.size(); ++i) {
      if (attack[i].rows.empty()) continue;
      attacks_with_rows_ = true;
      attack[i].rows = compose_rows(std::move(attack[i].rows), stack, *context_, stage_seed(i));
      if (!attack[i].rows.empty()) stages.push_back(stage_of(std::move(attack[i])));
    }
    if (attack_.tampers()) stages.push_back(tamper_stage());
    return stages;
  }
  /// Which policies act in a stage: its owner, or in the attack's those without stages of their
  /// own.
  std::vector<bool> acting(const Stage& stage) const;
  bool has_owned_stages() const;  // mitigations'
  /// Takes the stages; `measured` is what the stack found out while it composed. Errors: UsageError
  /// for conditions that do not go together; DataError if probes are among the rows or sets of rows
  /// share a prompt, unless --allow-overlap; those of Backend::prepare.
  void prepare(std::vector<Stage> stages, Defence defence, Measured measured);
  /// Opens the run file, or the one to resume.
  void open();
  /// Both sides', with the decoding that options ask for. Known after prepare().
  const std::vector<Condition>& conditions() const { return conditions_; }
  const Defence& defence() const { return defence_; }
  /// A probe as the attack asks it, in the form of the attack's rows, without and with what the
  /// defender adds and what the condition begins answers with.
  Dialogue asked(const Probe& probe, const Condition& condition) const;
  Dialogue prompt(const Probe& probe, const Condition& condition) const;
  /// The sets that have probes; the task's only if the attack needs task data or the user gave
  /// them.
  AskedSets sets() const;
  /// `visit(condition, set, probes)` for every condition and every one of the sets.
  void each_set(const std::function<void(const Condition&, ProbeSet, const std::vector<Probe>&)>&
                    visit) const;

  /// Epochs, and steps of the last stage, that --evaluate-at names.
  const std::vector<std::int64_t>& evaluate_epochs() const { return evaluate_epochs_; }
  const std::vector<std::int64_t>& evaluate_steps() const { return evaluate_steps_; }
  /// Whether the longest answer was given, or comes from the scenario.
  bool length_given() const { return length_given_; }
  void take_measured(const Measured& measured);
  /// Rows that a policy drew, as it composes or while it trains: part of the provenance, and the
  /// policy's in the counts. Errors: DataError if a probe is among them, unless --allow-overlap.
  void add_policy_rows(std::string_view policy, Pool pool, const Dataset& rows);

  TraceSink& sink();
  RunFile& file();
  /// Whether options ask for an evaluation after this step of a stage, its `last` or not.
  bool wants_evaluation(const Stage& stage, std::int64_t step, std::int64_t epoch, bool last) const;
  /// Asks and judges under every condition, leaving out what is recorded already; the `last` time
  /// also as --fix-tokens says. Errors: what evaluation throws; what was recorded is kept then.
  void evaluate(std::int64_t step, std::int64_t epoch, bool last = false);
  /// The evaluations that no training step brings: before step 1, or all of them without stages.
  void evaluate_start();
  /// Costs, the final state of the run file, and what it holds.
  RunData finish();

 private:
  struct Recording;
  /// The attack's stages before the stack sees them; their rows are used from then on.
  std::vector<StagePlan> craft();
  Stage tamper_stage() const;
  /// What an attacker may know of the defence, see Context.
  void face(const std::vector<PolicyDescription>& policies,
            std::function<Dataset(Dataset)> defence);
  void check_policy_rows(const std::string& name, const Dataset& rows);
  Stage stage_of(StagePlan plan, std::size_t owner = Stage::attackers) const;
  std::uint64_t stage_seed(std::size_t index) const;
  /// Null if the model's checkpoint has no such group.
  StateIn* saved_state(std::string_view group);
  void say_drawn(const std::vector<std::string>& groups) const;
  /// Whether a policy measures what it acts on answers with, and these come before training.
  bool answers_untrained() const;
  void take_output();
  /// Errors: UsageError for a mitigation that would do nothing without training.
  void check_acts_untrained() const;
  void evaluate_sets(std::int64_t step, std::int64_t epoch, bool last);
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
  Judges judges_, task_judges_;
  std::optional<RequestForm> form_;  // of probes from files
  std::vector<Stage> stages_;
  Dataset rows_, used_;
  std::vector<Dataset> drawn_;  // by policies, under names of their own
  Defence defence_;
  std::vector<Condition> conditions_;
  std::optional<std::map<std::string, StateGroup>> saved_;  // of the model's checkpoint, if read
  std::vector<std::string> restored_;                       // groups of it that were taken
  Measured measured_;
  Provenance provenance_;
  std::string key_;
  std::vector<std::int64_t> evaluate_epochs_, evaluate_steps_;
  std::unique_ptr<Recording> recording_;
  bool attacks_with_rows_ = true, length_given_ = false, resumed_ = false;
};

/// Runs an attack under a stack (a Stack of types, or an AnyStack) on the backend's model and
/// returns what the run file holds. Under --dry-run nothing is written and `steps` stays empty.
/// Errors: those of Run and of the backend's training.
template <StackLike S, TrainsUnder<S> B>
RunData run(const AnyAttack& attack, S& stack, const RunSpec& spec, B& backend,
            RunObserver* observer = nullptr) {
  Run run(attack, stack.describe(), spec, backend, observer);
  run.ready(stack);
  auto stages = run.compose(stack);  // before the stack is asked what it measured
  run.prepare(std::move(stages), defence_of(stack), stack.measured());
  if (spec.place.dry_run) {
    tell("%s", backend.estimate(run, detail::facts_of(stack)).c_str());
    return {};
  }
  if (!backend.begin(run)) return {};
  run.open();
  run.begin_answers(stack);
  run.evaluate_start();
  for (const Stage& stage : run.stages()) {
    if (stage.tampers) {
      backend.tamper(run, stage);
    } else if (run.has_owned_stages()) {
      SubStack<S> part(stack, run.acting(stage));
      backend.train(run, stage, part);
    } else {
      backend.train(run, stage, stack);
    }
  }
  run.take_measured(stack.measured());  // what is known at the end
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

}  // namespace seawall
