#pragma once
// What makes several files one commit: a lock on an output name, folders that appear whole,
// leftovers of killed processes.
#include <filesystem>
#include <functional>
#include <string>

namespace seawall {

/// The files next to an output `NAME.h5`.
struct RunPaths {
  /// `out` may end in `.h5`; without the ending it is added.
  explicit RunPaths(const std::filesystem::path& out);
  std::filesystem::path file;         // NAME.h5
  std::filesystem::path metrics;      // NAME.metrics.csv
  std::filesystem::path checkpoints;  // NAME.checkpoints
  std::filesystem::path lock;         // NAME.lock
};

/// Holds `NAME.lock` (process id and host inside) for as long as it lives; released by the kernel
/// when the process dies, so a stale lock never blocks. Errors: IoError naming the holder where
/// another process has it, or the reason why the lock cannot be made.
class RunLock {
 public:
  explicit RunLock(std::filesystem::path lock_file);
  /// Waits for one that another process has, and asks `waiting` every moment; what it throws ends
  /// the wait.
  RunLock(std::filesystem::path lock_file, const std::function<void()>& waiting);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

/// Creates `folder` with its parents and tries that a file can be written in it, before any long
/// work starts. Errors: IoError naming the folder and the reason.
void prepare_folder(const std::filesystem::path& folder);

/// Makes `source` appear as `target` in one step (same parent), replacing a folder that is there,
/// and flushes the parent.
void publish_folder(const std::filesystem::path& source, const std::filesystem::path& target);

/// Removes `NAME.tmp-*` next to `target`: what a killed process left. The caller holds the run's
/// lock.
void remove_temporaries(const std::filesystem::path& target);

}  // namespace seawall
