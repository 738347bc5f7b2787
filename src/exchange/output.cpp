#include "exchange/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/store/atomic_file.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Has the system write a file or folder to the disk.
void flush(const fs::path& path, int mode) {
  const int file = ::open(path.c_str(), mode | O_CLOEXEC);
  const bool good = file >= 0 && ::fsync(file) == 0;
  const int code = errno;
  if (file >= 0) ::close(file);
  if (!good) throw IoError(path.string() + ": cannot flush it: " + std::strerror(code));
}

}  // namespace

Output::Output(fs::path target, Kind kind, bool overwrite)
    : target_(std::move(target)), kind_(kind) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // of `folder/`
  const bool folder = kind_ == Kind::folder;
  if (fs::exists(target_) && fs::is_directory(target_) != folder)
    throw UsageError("--out " + target_.string() +
                     (folder ? ": is a file; want a folder" : ": is a folder; want a file"));
  if (fs::exists(target_) && !overwrite && !(folder && fs::is_empty(target_)))
    throw UsageError("--out " + target_.string() +
                     ": is there already; give --overwrite or another --out");
  prepare_folder(folder_of(target_));
  remove_temporaries(target_);
  place_ = fs::path(target_).concat(".tmp-" + std::to_string(::getpid()));
  if (folder) fs::create_directory(place_);
}

Output::~Output() {
  std::error_code ignored;
  fs::remove_all(place_, ignored);
}

void Output::publish() {
  if (kind_ == Kind::file) {
    flush(place_, O_RDONLY);
    std::error_code code;
    fs::rename(place_, target_, code);
    if (code)
      throw IoError(target_.string() + ": cannot rename the file into place: " + code.message());
    return flush(folder_of(target_), O_RDONLY | O_DIRECTORY);
  }
  if (fs::exists(target_))
    for (const auto& entry : fs::directory_iterator(target_))
      if (!fs::exists(place_ / entry.path().filename()))
        throw UsageError("--out " + target_.string() + ": holds " +
                         entry.path().filename().string() +
                         ", which is not replaced; choose another folder");
  for (const auto& entry : fs::directory_iterator(place_)) flush(entry.path(), O_RDONLY);
  publish_folder(place_, target_);
}

}  // namespace seawall
