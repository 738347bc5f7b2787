#include "seawall/store/atomic_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& action, int code,
                       const std::string& advice = "") {
  throw IoError(path.string() + ": cannot " + action + ": " + std::strerror(code) + advice);
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void sync_folder(const fs::path& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) fail(folder, "open the folder", errno);
  const int code = ::fsync(handle) == 0 ? 0 : errno;
  ::close(handle);
  if (code != 0 && code != EINVAL) fail(folder, "flush the folder", code);
}

std::string holder_of(int file) {
  char text[300];
  const auto length = ::pread(file, text, sizeof text, 0);
  const std::string_view line(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  return line.empty() ? "another process" : shown(line.substr(0, line.find('\n')));
}

/// Whether `path` still names the open `file`: its last owner may have removed it in between.
bool still_named(const fs::path& path, int file) {
  struct stat open_file {
  }, named{};
  return ::fstat(file, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

void write_holder(const fs::path& path, int file) {
  char host[256] = "unknown host";
  ::gethostname(host, sizeof host - 1);
  const auto line = "process " + std::to_string(::getpid()) + " on " + host + "\n";
  if (::ftruncate(file, 0) != 0) fail(path, "write the lock", errno);
  if (::pwrite(file, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()))
    fail(path, "write the lock", errno);
}

}  // namespace

RunPaths::RunPaths(const fs::path& out) : file(out) {
  if (file.extension() != ".h5") file += ".h5";
  const auto beside = [&](const char* ending) {
    auto path = file;
    path.replace_extension();
    return path += ending;
  };
  metrics = beside(".metrics.csv");
  checkpoints = beside(".checkpoints");
  lock = beside(".lock");
}

RunLock::RunLock(fs::path lock_file) : RunLock(std::move(lock_file), nullptr) {}

RunLock::RunLock(fs::path lock_file, const std::function<void()>& waiting)
    : path_(std::move(lock_file)) {
  while (true) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) fail(path_, "create the lock", errno);
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      const auto holder = holder_of(file_);
      ::close(file_);
      if (code != EWOULDBLOCK) fail(path_, "lock the output", code);
      if (waiting) {
        waiting();
        ::poll(nullptr, 0, 50);
        continue;
      }
      throw IoError(path_.string() + ": " + holder +
                    " is writing this output; wait for it, stop it, or choose another --out");
    }
    if (still_named(path_, file_)) break;
    ::close(file_);
  }
  try {
    write_holder(path_, file_);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

void prepare_folder(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) fail(folder, "create the folder", code.value(), "; choose another output folder");
  if (!fs::is_directory(folder, code))
    fail(folder, "write into it", ENOTDIR, "; choose another output folder");
  const auto probe = folder / (".seawall.tmp-" + std::to_string(::getpid()));
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    fail(folder, "write into it", errno,
         "; change its permissions or choose another output folder");
  ::close(file);
  ::unlink(probe.c_str());
}

void publish_folder(const fs::path& source, const fs::path& target) {
  sync_folder(source);
  if (::rename(source.c_str(), target.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) fail(target, "rename the folder into place", errno);
    // A folder of that name is there: exchange the two in one step, so that one of them always
    // stands.
    if (::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0)
      fail(target, "exchange the folder", errno);
    sync_folder(parent_of(target));
    std::error_code code;
    fs::remove_all(source, code);
    return;
  }
  sync_folder(parent_of(target));
}

void remove_temporaries(const fs::path& target) {
  const auto prefix = target.filename().string() + ".tmp-";
  std::error_code code;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(parent_of(target), code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().filename().string().starts_with(prefix)) found.push_back(entry->path());
  }
  for (const auto& path : found) fs::remove_all(path, code);
}

}  // namespace seawall
