#pragma once
// Where a run's model is: a decoder in this process, or a job behind an endpoint.
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "seawall/core/hash.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/policy/sub_stack.hpp"
#include "seawall/remote/spending.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/train/session.hpp"

namespace seawall {

class Run;

/// One stage of a run: rows, and how they are trained on.
struct Stage {
  static constexpr std::size_t attackers = static_cast<std::size_t>(-1);

  std::string name = "attack";
  Dataset rows;
  TrainingSpec training;
  /// Place in the stack of the mitigation that asked for it before the attack, or the attackers'.
  std::size_t owner = attackers;
  bool tampers = false;  // the attack edits the weights, and trains on nothing
};

/// The probes of one set as they are asked under one condition.
struct Asked {
  const std::vector<Probe>& probes;
  std::function<Dialogue(const Probe&)> prompt;
  std::string label;      // of the progress bar
  bool residual = false;  // keep the residual stream at the last prompt token
  Decoding decoding = {};
  ProbeSet set = ProbeSet::harmfulness;  // whose judges grade the answers
  /// As EvaluateOptions::begin.
  std::function<std::vector<std::int32_t>(const ProbeResult&)> begin = {};
};

/// What a run asks of its model, in the order in which it asks. `run` is the one that asks.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Whether this process writes what the run records: of several that train one model, rank 0.
  virtual bool records() const { return true; }
  virtual int processes() const { return 1; }  // that train the model together
  /// Before anything is read or written: what this backend has no use for. Errors: UsageError.
  virtual void check(const RunSpec&, const std::vector<PolicyDescription>&) const {}
  /// Files next to the run file that hold a run as well, so that one of them forbids a new run.
  virtual std::vector<std::filesystem::path> files(const RunPaths&) const { return {}; }
  /// Loads the model, or reaches for it. Errors: those of load_model or Endpoint.
  virtual void load(const RunSpec& spec) = 0;
  virtual bool is_organism() const { return false; }
  /// Fills in what is unset: from the attack, then from the scenario.
  virtual void resolve(RunSpec& spec, const AnyAttack& attack, const Scenario& scenario) const;
  /// See Context. Errors: UsageError if this backend has none.
  virtual std::vector<double> row_losses(const RunSpec& spec, const Dataset& rows) = 0;
  /// The policies' state in the checkpoint that the model was read from; none without one. Errors:
  /// those of load_checkpoint.
  virtual std::map<std::string, StateGroup> saved_policies(const RunSpec&) const { return {}; }
  /// What the run's money comes from; null: nothing is paid.
  virtual std::shared_ptr<Spending> spending() const { return nullptr; }

  /// Takes the stages' rows and looks at the probes. Errors: DataError for what the model cannot
  /// read.
  virtual void prepare(Run& run) = 0;
  /// Adds what identifies the model to the run's key.
  virtual void identify(Sha256& sha) const = 0;
  /// What --dry-run prints.
  virtual std::string estimate(Run& run, const detail::StackFacts& facts) = 0;
  /// Before the run file is opened. False: there is nothing to run.
  virtual bool begin(Run& run) = 0;
  /// What the run file says of model and rows.
  virtual void describe(const Run& run, RunInfo& info) const = 0;
  virtual RunSwitches switches(const RunSpec& spec) const = 0;
  /// Steps of all stages; 0 if they are not known.
  virtual std::int64_t steps() const { return 0; }
  /// Continues from a checkpoint of `run` if there is one: then the state is kept for `train`, and
  /// the number of updates is returned; -1 without one. Errors: UsageError if it is of another run.
  virtual std::int64_t resume(const Run&) { return -1; }

  /// Asks the model as it is before the run, for attacks that choose rows. Errors: UsageError if
  /// this backend has none.
  virtual Trainer& handle(Run& run) = 0;
  /// Asks the model as it is for mitigations, named by their groups. Errors: UsageError if this
  /// backend has none.
  virtual std::unique_ptr<Trainer> asked(Run& run, const std::vector<std::string>& groups);
  /// Has the attack edit the weights. Errors: UsageError if this backend has none.
  virtual void tamper(Run& run, const Stage& stage) = 0;

  /// Answers and judges, with the model as it is now. Step, condition and set are the run's to fill
  /// in.
  virtual EvaluationRecord answer(const Run& run, const Asked& asked) = 0;
  /// Adds to an answered record what the weights of the start make of it (`--trace depth`).
  virtual void trace_depth(Run&, EvaluationRecord&) {}
  /// The last words of the run file.
  virtual void finish(Run& run) = 0;
  /// After the run file is complete.
  virtual void clean_up(const Run&) {}
};

/// A backend that trains under stacks of type S: evaluations that training brings are asked of
/// `run`.
template <class B, class S>
concept TrainsUnder = std::derived_from<B, Backend> &&
    requires(B& backend, Run& run, const Stage& stage, S& stack, SubStack<S>& part) {
  backend.train(run, stage, stack);
  backend.train(run, stage, part);
};

}  // namespace seawall
