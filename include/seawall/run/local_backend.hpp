#pragma once
// A run's model in this process.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "seawall/eval/probe_prompts.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/train/memory.hpp"
#include "seawall/train/still_model.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

struct DrawnRows;

class LocalBackend final : public Backend {
 public:
  LocalBackend();
  ~LocalBackend() override;
  /// One of several processes that train the run's model together. `world` outlives this.
  explicit LocalBackend(World* world);
  const ModelBundle& model() const { return model_; }

  bool records() const override;
  int processes() const override;
  void check(const RunSpec& spec, const std::vector<PolicyDescription>& stack) const override;
  void load(const RunSpec& spec) override;
  bool is_organism() const override { return model_.is_organism; }
  std::vector<double> row_losses(const RunSpec& spec, const Dataset& rows) override;
  std::map<std::string, StateGroup> saved_policies(const RunSpec& spec) const override;
  void prepare(Run& run) override;
  void identify(Sha256& sha) const override;
  /// Sizes, memory, disk and time; from one batch that was really computed if the model is loaded.
  std::string estimate(Run& run, const detail::StackFacts& facts) override;
  bool begin(Run& run) override;
  void describe(const Run& run, RunInfo& info) const override;
  RunSwitches switches(const RunSpec& spec) const override;
  std::int64_t steps() const override;
  std::int64_t resume(const Run& run) override;
  EvaluationRecord answer(const Run& run, const Asked& asked) override;
  void trace_depth(Run& run, EvaluationRecord& record) override;
  void finish(Run& run) override;
  void clean_up(const Run& run) override;

  Trainer& handle(Run& run) override;
  std::unique_ptr<Trainer> asked(Run& run, const std::vector<std::string>& groups) override;
  /// Trains the decoder on the stage's rows, or takes what an earlier run left of the stage.
  /// Errors: those of seawall::train.
  template <StackLike S>
  void train(Run& run, const Stage& stage, S& stack) {
    if (!enter(run, stage)) return;
    leave(run, stage,
          seawall::train(*model_.decoder, source(run, stage), stack, options(run, stage),
                         stage_sink(), context(run, stage)));
  }
  void tamper(Run& run, const Stage& stage) override;

 private:
  std::int64_t threads(const RunSpec& spec) const;
  bool keeps_start() const;
  bool whole_spectra() const;  // small enough for all singular values
  /// Errors: UsageError for stages that several processes do not train.
  void check_stages(const std::vector<Stage>& stages) const;
  TrainOptions options(const Run& run, const Stage& stage) const;
  TrainContext context(Run& run, const Stage& stage);
  ModelServices services(Run& run, const Stage& stage);
  /// The options that answers for a policy and answers to be judged share.
  static EvaluateOptions answering(const Run& run);
  struct StageSink;
  /// A stage's rows, and its place among the run's steps.
  struct LocalStage {
    std::unique_ptr<FixedRows> source;  // null: an edit of weights, one step
    std::int64_t first_step = 0;
    bool owned = false;  // of a mitigation
    std::int64_t steps() const;
  };
  static std::size_t index_of(const Run& run, const Stage& stage);
  FixedRows& source(const Run& run, const Stage& stage) {
    return *stages_.at(index_of(run, stage)).source;
  }
  TraceSink& stage_sink();
  /// A policy drew rows in the stage in hand, or before the first.
  void drew(Run& run, std::string_view policy, Pool pool, const Dataset& rows);
  /// The same sets once more. False: they would be others now.
  bool draw_again(Run& run, const std::vector<DrawnRows>& sets);
  std::string drawn() const;  // in the stage in hand, for a checkpoint
  /// The attack's last stage with rows; null without one.
  const FixedRows* attack_rows() const;
  /// Of all that decides the weights at the end of a stage.
  std::string stage_key(const Run& run, std::size_t index) const;
  /// Of the decoder, and then of its adapter.
  NamedTensors weights() const;
  void set_weights(const NamedTensors& weights);
  /// Merges an adapter of another rank than the stage trains, and makes its own.
  void set_adapter(const Run& run, const Stage& stage);
  /// False: the stage was trained before, and the decoder has its weights.
  bool enter(Run& run, const Stage& stage);
  /// Takes what is kept of a stage. False: nothing is, or its policies would draw other rows now.
  bool take_kept(Run& run, const Stage& stage);
  /// Keeps theta0 of the attack. Of several processes each has its part in the trainer; whole it is
  /// kept for spectra alone, which rank 0 computes.
  void begin_attack();
  void leave(Run& run, const Stage& stage, const TrainResult& result);
  void add(const TrainResult& result);
  std::int64_t longest_row(const TrainingSpec& training) const;
  void encode(Run& run, const Stage& stage);
  std::vector<ProbePrompt> prompts_of(const Run& run, const std::vector<Probe>& probes,
                                      const Condition& condition) const;
  /// Says how many probes of each set and condition cannot be asked, and which is the first.
  /// Errors: DataError if none of a set can.
  void check_probes(const Run& run) const;
  /// Errors: DataError naming the first row with a token beyond the vocabulary.
  void check_rows(const Dataset& rows, const std::vector<Sequence>& encoded) const;
  std::int64_t checkpoints_written(const PlaceSpec& place) const;  // if nothing interrupts
  MemoryQuestion memory_question(const Run& run, const detail::StackFacts& facts);
  Spectra spectra_of_drift() const;
  /// Rows of the attack that so many steps of the run see.
  std::int64_t rows_used(std::int64_t steps) const;
  void count_rows_used(Run& run, std::int64_t steps) const;
  void save(Run& run, CheckpointState state) const;

  World* world_ = nullptr;  // null: this process is alone
  ModelBundle model_;
  NamedTensors start_;  // theta0 of the attack; empty with a start_adapter_
  std::optional<Adapter> start_adapter_;
  NamedTensors start_factors_;  // its tensors
  MergedSystem merged_system_;
  std::vector<LocalStage> stages_;
  std::unique_ptr<StageSink> sink_;
  std::unique_ptr<RunLock> claim_;  // of the stage that is being trained
  std::unique_ptr<StillModel> still_;
  std::unique_ptr<CheckpointState> resumed_;
  std::size_t resumed_stage_ = static_cast<std::size_t>(-1);
  std::optional<std::int64_t> rescued_step_;  // of the run, where the state resumed is a rescue
  bool attacked_ = false;
  TrainResult trained_;
};

}  // namespace seawall
