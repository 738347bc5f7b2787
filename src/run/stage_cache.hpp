#pragma once
// What earlier stages of a run leave, kept so that arms with the same alignment stage, and resumed
// runs, need not train it again.
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/train/session.hpp"

namespace seawall {

/// A set of rows that a policy drew in a stage.
struct DrawnRows {
  std::string policy;
  Pool pool = Pool::safe;
  std::int64_t count = 0;  // as asked for
  std::string sha256;      // Dataset::content_hash
  bool operator==(const DrawnRows&) const = default;
};

/// A stage that was trained: the weights at its end, its records, counted from 1, its totals, and
/// what policies drew for it.
struct StageOutcome {
  NamedTensors weights;
  std::vector<StepRecord> steps;
  TrainResult result;
  std::vector<DrawnRows> drawn;
};

/// Outcomes by key in a folder; an empty path keeps nothing.
class StageCache {
 public:
  explicit StageCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// nullopt if there is none, or one that cannot be read.
  std::optional<StageOutcome> find(const std::string& key) const;
  /// While it lives no other process trains that stage: one that wants to waits until it is kept,
  /// and takes it. Null where nothing is kept or the folder cannot be locked. `waiting` as of
  /// RunLock.
  std::unique_ptr<RunLock> claim(const std::string& key,
                                 const std::function<void()>& waiting) const;
  /// A failure to write is told and changes nothing else.
  void keep(const std::string& key, const StageOutcome& outcome) const;

 private:
  std::filesystem::path folder_;
};

/// As a text in a checkpoint, one line for each set.
std::string drawn_text(const std::vector<DrawnRows>& drawn);
std::vector<DrawnRows> drawn_from(const std::string& text);

/// As `--stages` says: a folder, `none`, or the user's cache if it is empty.
std::filesystem::path stage_folder(const std::string& option);

}  // namespace seawall
