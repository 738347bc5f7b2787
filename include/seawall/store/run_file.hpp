#pragma once
// `run.h5` and its `.metrics.csv`: what a run records, published whole, opened by xarray as
// labelled dimensions.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/store/atomic_file.hpp"

namespace seawall {

/// What a run file holds.
struct RunSwitches {
  bool residual = true;     // residual streams of evaluations
  bool param_drift = true;  // drift of every parameter at every step
  bool compress = true;     // gzip-1 on large arrays
};

/// How W - W0 of each matrix is spread over directions.
struct Spectra {
  std::vector<std::string> names;  // parameters, e.g. `model.layers.0.mlp.down_proj.weight`
  std::vector<std::vector<double>>
      singular_values;                 // largest first; each of the same length k, padded with NaN
  std::vector<double> effective_rank;  // exp of the entropy of the normalised singular values
};

/// All that a run file holds, as plain structs.
struct RunData {
  RunInfo info;
  std::string written_utc;
  bool complete = false;  // the run came to its end
  std::vector<StepRecord> steps;
  std::vector<EvaluationRecord> evaluations;  // in the order of recording
  Spectra spectra;
};

/// Evaluations with first tokens fixed are a set of their own, so that nobody takes them for what
/// the model answers by itself.
inline constexpr std::string_view fixed_set = "fixed";
inline std::string set_name(const EvaluationRecord& record) {
  return record.decoding.fixed_tokens > 0 ? std::string(fixed_set) : probe_set_name(record.set);
}

/// Where an evaluation is in its run: `start` before step 1, `end` after the last step of a
/// complete run, else `mid`.
std::string phase_of(const EvaluationRecord& record, const RunData& run);

/// Takes the records of a run in memory and in `NAME.metrics.csv`, and publishes `NAME.h5`.
/// Call publish() before save_checkpoint() of the same step: a resume then always finds the records
/// up to its step. Memory: every record, residual streams included, and one image of the file while
/// it is published.
class RunFile : public TraceSink {
 public:
  /// A new run. Truncates `NAME.metrics.csv`; `NAME.h5` stays as it is until publish(). The caller
  /// holds the RunLock. An empty path: records are kept in memory alone. Errors: IoError.
  RunFile(const std::filesystem::path& path, RunInfo info, RunSwitches switches = {});
  /// Continues the run in `path` after `step` updates: later steps and evaluations are dropped,
  /// from the metrics as well. Errors: DataError where the file ends before `step` or has other
  /// parameters.
  static RunFile resume(const std::filesystem::path& path, RunInfo info, std::int64_t step,
                        RunSwitches switches = {});
  ~RunFile() override;
  RunFile(RunFile&&) noexcept;

  /// Adds the step and its line of metrics, flushed to the operating system. Errors: RunError for a
  /// step out of order; IoError.
  void on_step(const StepRecord& record) override;
  /// Adds the evaluation; one of the same step, condition and set is replaced. Errors: RunError
  /// where records do not fit.
  void on_evaluation(EvaluationRecord record) override;
  bool wants_residual() const override { return switches_.residual; }
  /// True where this evaluation is recorded already, so that a resumed run need not repeat it.
  bool has_evaluation(std::int64_t step, const std::string& condition, ProbeSet set) const;
  /// Sets what the run learned after its start (counts, hashes).
  RunInfo& info() { return data_.info; }
  void set_spectra(Spectra spectra);
  /// Writes `NAME.h5` whole: either the old or the new file is there. `complete` marks the end of
  /// the run. Errors: IoError.
  void publish(bool complete = false);

  const RunData& data() const { return data_; }
  const RunPaths& paths() const { return paths_; }

 private:
  RunPaths paths_;
  RunSwitches switches_;
  RunData data_;
  int metrics_ = -1;  // file descriptor of NAME.metrics.csv
};

/// Reads a run file; residual streams, but not their means, only where asked for. Errors: IoError;
/// DataError where the file is not a run file, was cut or changed after it was written.
RunData read_run(const std::filesystem::path& path, bool with_residual = false);

}  // namespace seawall
