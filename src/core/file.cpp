#include "seawall/core/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& action, int code) {
  throw IoError(path.string() + ": cannot " + action + ": " + std::strerror(code));
}

/// A file descriptor that is closed when the scope ends.
struct Descriptor {
  int value;
  explicit Descriptor(int opened) : value(opened) {}
  Descriptor(Descriptor&& other) noexcept : value(std::exchange(other.value, -1)) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

/// Opens a regular file for reading and gives its size.
Descriptor open_for_reading(const std::filesystem::path& path, std::uint64_t& size) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.value < 0) fail(path, "open the file", errno);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail(path, "read the size", errno);
  if (S_ISDIR(status.st_mode)) fail(path, "read a file", EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(path.string() + ": want a regular file, found a device, pipe or socket");
  }
  size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

std::string mebibytes(double bytes) {
  std::array<char, 32> text;
  const int length = std::snprintf(text.data(), text.size(), "%.1f MiB", bytes / (1 << 20));
  return {text.data(), static_cast<std::size_t>(length)};
}

/// Says what a full disk lacks. The numbers of a locale with a decimal comma would still read well.
[[noreturn]] void fail_to_write(const std::filesystem::path& path, const std::string& action,
                                int code, std::uint64_t need) {
  if (code != ENOSPC && code != EDQUOT) fail(path, action, code);
  std::error_code ignored;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const auto space = std::filesystem::space(folder, ignored);
  throw IoError(path.string() + ": cannot " + action + ": " + std::strerror(code) + ": want " +
                mebibytes(static_cast<double>(need)) + ", " +
                (ignored ? "free space is unknown"
                         : mebibytes(static_cast<double>(space.available)) + " are free") +
                "; free some space or choose another output folder");
}

/// 0, or the reason why not everything was written.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.value < 0) fail(folder, "open the folder", errno);
  if (::fsync(handle.value) != 0 && errno != EINVAL) fail(folder, "flush the folder", errno);
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uint64_t limit) {
  std::uint64_t size = 0;
  const Descriptor file = open_for_reading(path, size);
  if (size > limit) {
    throw DataError(path.string() + ": the file has " + std::to_string(size) + " bytes, at most " +
                    std::to_string(limit) + " are read");
  }
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const auto got = ::read(file.value, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "read", errno);
    if (got == 0) throw IoError(path.string() + ": the file became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return content;
}

void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> parts) {
  const auto temporary = std::filesystem::path(path).concat(".tmp-" + std::to_string(::getpid()));
  std::uint64_t need = 0;
  for (const auto part : parts) need += part.size();
  const auto check = [&](int code, const char* action) {
    if (code == 0) return;
    ::unlink(temporary.c_str());  // so that the free space is what it was before
    fail_to_write(path, action, code, need);
  };
  const auto reason = [](bool good) { return good ? 0 : errno; };
  try {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    check(reason(file.value >= 0), "create the file");
    int code = 0;
    for (const auto part : parts) code = code != 0 ? code : write_all(file.value, part);
    code = code != 0 ? code : reason(::fsync(file.value) == 0);
    const int closed = reason(::close(std::exchange(file.value, -1)) == 0);
    check(code != 0 ? code : closed, "write the file");
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "rename into place", errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, std::span(&content, 1));
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  std::uint64_t size = 0;
  const Descriptor file = open_for_reading(path, size);
  size_ = static_cast<std::size_t>(size);
  if (size_ == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) fail(path, "map the file", errno);
  data_ = static_cast<const char*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

}  // namespace seawall
