#pragma once
// A run's model behind an endpoint: the rows are uploaded, a job trains on them, the probes are
// answered through chat completions; results, judges and run file are those of a local run.
#include <memory>
#include <string>
#include <vector>

#include "seawall/remote/chat.hpp"
#include "seawall/remote/fine_tuning.hpp"
#include "seawall/remote/journal.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/remote_setup.hpp"

namespace seawall {

/// What a run will come to, in USD and tokens, before anything is sent.
struct RemoteEstimate {
  std::size_t rows = 0, requests = 0, verdicts = 0;
  std::int64_t row_tokens = 0, epochs = 0;
  double training = 0, answers = 0, judging = 0;
  double total() const { return training + answers + judging; }
  /// For a person.
  std::string text(const RunSpec& spec, const std::string& url) const;
};

// The checks of a remote run, for tests too.

/// Errors: UsageError naming the first option that a remote model has no use for.
void check_remote_options(const RunSpec& spec);
/// Errors: UsageError naming the first mitigation that works on weights, gradients or activations.
void check_remote_stack(const std::vector<PolicyDescription>& stack, const std::string& model);

/// `--model openai:NAME`. Next to the run file are `NAME.remote.jsonl`, from which --resume goes
/// on, and `NAME.upload.jsonl`, the rows as they were sent. Errors: UsageError for words, policies
/// or a budget that do not fit, before anything is sent; DataError; IoError if the endpoint does
/// not answer; RunError if the job failed; Interrupted on a signal or a spent budget.
class EndpointBackend final : public Backend {
 public:
  void check(const RunSpec& spec, const std::vector<PolicyDescription>& stack) const override;
  std::vector<std::filesystem::path> files(const RunPaths& paths) const override;
  void load(const RunSpec& spec) override;
  /// Learning rate and batch size stay as they were given; unset, the provider chooses.
  void resolve(RunSpec& spec, const AnyAttack& attack, const Scenario& scenario) const override;
  std::vector<double> row_losses(const RunSpec& spec, const Dataset& rows) override;
  std::shared_ptr<Spending> spending() const override { return spending_; }
  void prepare(Run& run) override;
  void identify(Sha256& sha) const override;
  /// What the run would cost.
  std::string estimate(Run& run, const detail::StackFacts& facts) override;
  /// Restores the journal, holds the estimate against the budget and asks a person at a terminal.
  /// False if the job was cancelled, as --openai.cancel wants.
  bool begin(Run& run) override;
  void describe(const Run& run, RunInfo& info) const override;
  RunSwitches switches(const RunSpec& spec) const override;
  EvaluationRecord answer(const Run& run, const Asked& asked) override;
  void finish(Run& run) override;

  Trainer& handle(Run& run) override;
  void tamper(Run& run, const Stage& stage) override;
  /// Uploads the rows, follows the job, and has the trained model evaluated. No stack changes what
  /// a provider trains: those that would are refused by `check`.
  template <StackLike S>
  void train(Run& run, const Stage& stage, S&) {
    train_remotely(run, stage);
  }

 private:
  void train_remotely(Run& run, const Stage& stage);
  void follow(Run& run, FineTuning& tuning);
  /// The provider's own count takes the place of the estimate.
  void book(const Run& run, const TuningJob& job);
  void open_journal(const Run& run);
  RemoteEstimate reckon(const Run& run) const;
  ChatModel chat_model(const RunSpec& spec, const Decoding& decoding) const;
  /// On a terminal, a person says yes to the budget; elsewhere --budget has said it.
  void confirm(const RunSpec& spec, const std::string& text) const;
  /// A question, as the journal knows it.
  std::string question(const RunSpec& spec, const Dialogue& dialogue, const Decoding& decoding,
                       std::int64_t sample) const;
  struct Open {  // what is to be asked yet
    std::vector<Dialogue> dialogues;
    std::vector<std::string> questions;
  };
  void ask(const RunSpec& spec, const Open& open, const Decoding& decoding,
           const std::string& label);

  std::shared_ptr<Spending> spending_;
  std::string name_;    // of the model at the endpoint
  std::string asking_;  // the model that is asked now: the one named, or the one trained
  std::shared_ptr<HttpClient> client_;
  std::shared_ptr<ChatStyle> style_ = std::make_shared<ChatStyle>();
  std::unique_ptr<Journal> journal_;
  RemoteEstimate estimate_;
  std::int64_t last_step_ = 0;
};

}  // namespace seawall
