#pragma once
// Event files, as TensorBoard reads them.
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// Appends the curves of a run to an event file. Every record is given to the operating system
/// whole, with its checksum, so that a reader sees all that was added, and a process that dies
/// leaves a file that can be read up to the last whole record.
/// Tags: `train/loss`, `train/penalty`, `train/lr`, `train/grad_norm`, `train/drift`,
/// `train/moved`, `train/tokens_per_second`, `measured/POLICY/NAME`; by judge
/// `SET/CONDITION/JUDGE/rate`, `refusal_rate`, `mean_score` and `judged`, the number of rows that
/// rates are over. Rates are in 0..1; what is not known has no point. Values are float32, as
/// TensorBoard's scalars are. Source: tensorflow, event.proto, summary.proto and record_writer
/// (TFRecord).
class EventFile {
 public:
  /// A new file, and in it that all points of this folder's earlier files no longer count: a run
  /// that is resumed adds the points before its checkpoint again (see `add` of a whole run).
  /// Errors: IoError.
  EventFile(const std::filesystem::path& file, double wall_time);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// The points of a step or an evaluation. Units: `wall_time` in seconds since 1970.
  /// Errors: IoError.
  void add(const StepRecord& step, double wall_time);
  void add(const EvaluationRecord& evaluation, double wall_time);
  /// Those of a run so far; their times are the run's start and the seconds that its steps and
  /// evaluations took.
  void add(const RunData& run);

 private:
  using Points = std::vector<std::pair<std::string, double>>;
  void add_points(const Points& points, std::int64_t step, double wall_time);
  void append(std::string_view event);
  std::filesystem::path path_;
  int file_ = -1;
};

/// `events.out.tfevents.SECONDS.RUN_ID`: a name that TensorBoard looks for, and sorts by time.
std::string event_file_name(double wall_time, const std::string& run_id);
/// Seconds since 1970 now, and at a time such as `2026-01-31T12:00:00Z`; 0 if it is none.
double wall_time_now();
double wall_time_of(const std::string& utc);

}  // namespace seawall
