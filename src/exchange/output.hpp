#pragma once
// Inside exchange/ only: a file or folder that appears whole.
#include <filesystem>

namespace seawall {

/// What is written under a temporary name, until publish() renames it.
class Output {
 public:
  enum class Kind { file, folder };
  /// Errors: UsageError if `target` is there and `overwrite` is not set, or is of the other kind;
  /// IoError.
  Output(std::filesystem::path target, Kind kind, bool overwrite);
  /// Removes what was not published.
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// Where to write until then.
  const std::filesystem::path& place() const { return place_; }
  /// Errors: UsageError if a folder is there that holds other files; IoError.
  void publish();

 private:
  std::filesystem::path target_, place_;
  Kind kind_;
};

}  // namespace seawall
