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
#include "seawall/train/memory.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

class LocalBackend final : public Backend {
 public:
  const ModelBundle& model() const { return model_; }

  void load(const RunSpec& spec) override;
  bool is_organism() const override { return model_.is_organism; }
  std::vector<double> row_losses(const RunSpec& spec, const Dataset& rows) override;
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
  void finish(Run& run) override;
  void clean_up(const Run& run) override;

  /// Trains the decoder on the stage's rows. Errors: those of seawall::train.
  template <StackLike S>
  void train(Run& run, const Stage& stage, S& stack) {
    trained_ = seawall::train(*model_.decoder, *source_, stack, options(run, stage), sink(run),
                              context(run));
  }

 private:
  TrainOptions options(const Run& run, const Stage& stage) const;
  TrainContext context(Run& run);
  static TraceSink& sink(Run& run);
  std::int64_t longest_row(const TrainingSpec& training) const;
  void encode(const Run& run, const Stage& stage);
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
  void count_rows_used(Run& run, std::int64_t steps) const;
  void save(Run& run, CheckpointState state) const;

  ModelBundle model_;
  NamedTensors start_;  // theta0, for spectra
  std::optional<Adapter> start_adapter_;
  MergedSystem merged_system_;
  std::unique_ptr<FixedRows> source_;  // of the only stage
  std::unique_ptr<CheckpointState> resumed_;
  TrainResult trained_;
};

}  // namespace seawall
