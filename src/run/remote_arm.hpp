#pragma once
// Inside cli/ only: a remote run in its steps. Set-up and estimate are in remote_arm.cpp, what is
// sent in remote_run.cpp.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/remote/chat.hpp"
#include "seawall/remote/fine_tuning.hpp"
#include "seawall/remote/journal.hpp"
#include "seawall/run/remote_run.hpp"
#include "seawall/store/atomic_file.hpp"

namespace seawall {

// Purposes that the run's money goes to, beside the judges' names.
inline constexpr const char *kAnswers = "answers", *kTraining = "training";

std::string money(double usd);

struct RemotePaths {
  explicit RemotePaths(const RunPaths& run)
      : journal(std::filesystem::path(run.file).replace_extension(".remote.jsonl")),
        upload(std::filesystem::path(run.file).replace_extension(".upload.jsonl")) {}
  std::filesystem::path journal, upload;
};

/// The run, in the order of its steps.
class RemoteArm {
 public:
  RemoteArm(const AnyAttack& attack, AnyStack& stack, RunSpec spec);
  RunData run();

 private:
  void check_words();
  void take_output();
  /// Scenario, rows and judges.
  void gather();
  std::vector<Dialogue> dialogues(const std::vector<Probe>& probes,
                                  const Condition& condition) const;
  RemoteEstimate reckon() const;
  ChatModel chat_model(const std::string& name) const;
  void begin();
  /// On a terminal, a person says yes to the budget; elsewhere --budget has said it.
  void confirm(const std::string& text) const;
  void open_run_file();
  void say(const std::string& text) const;
  RunData cancel();
  void train(const RemoteEstimate& estimate);
  void follow(FineTuning& tuning, const RemoteEstimate& estimate);
  /// The provider's own count takes the place of the estimate.
  void book(const TuningJob& job, const RemoteEstimate& estimate);
  /// Errors: what an evaluation throws; the evaluations before it are kept then.
  void evaluate(const std::string& model, std::int64_t step, std::int64_t epoch);
  void evaluate_all(const std::string& model, std::int64_t step, std::int64_t epoch);
  /// A question, as the journal knows it.
  std::string question(const std::string& model, const Dialogue& dialogue) const;
  EvaluationRecord answer(const std::string& model, const std::vector<Probe>& probes,
                          const Condition& condition, const std::string& label);
  void ask(const std::string& model, const std::vector<Dialogue>& open,
           const std::vector<std::string>& questions, const std::string& label);
  /// Says on stderr how many probes have no answer, and why most of them.
  static void say_what_is_missing(const EvaluationRecord& record, const std::string& label);
  RunData finish();

  const AnyAttack& attack_;
  AnyStack& stack_;
  RunSpec spec_;
  RunPaths run_;
  RemotePaths paths_;
  std::shared_ptr<Spending> spending_;
  std::string name_, key_;
  std::shared_ptr<HttpClient> client_;
  std::shared_ptr<ChatStyle> style_ = std::make_shared<ChatStyle>();
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<Scenario> scenario_;
  std::optional<RequestForm> form_;  // of probes
  Dataset rows_;
  Provenance provenance_;
  std::unique_ptr<Journal> journal_;
  Judges judges_;
  std::unique_ptr<RunFile> file_;
  std::int64_t last_step_ = 0;
};

}  // namespace seawall
