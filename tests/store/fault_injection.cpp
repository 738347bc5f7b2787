// Fails, delays or kills at the k-th call of the operations by which files are published. Linked
// into a program, or built as a shared library for LD_PRELOAD: `g++ -shared -fPIC -o libfault.so
// fault_injection.cpp -ldl`, then SEAWALL_FAULT=K:eio|enospc|kill|eintr|short[:for-ever].
#include "fault_injection.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace seawall::faults {
namespace {

std::atomic<long> calls = 0;
long at = 0;  // 0: never
Kind kind = Kind::eio;
bool for_ever = false;

void read_environment() {
  static const bool done = [] {
    const char* text = getenv("SEAWALL_FAULT");
    if (text == nullptr) return true;
    at = strtol(text, nullptr, 10);
    kind = strstr(text, "kill") != nullptr     ? Kind::kill
           : strstr(text, "enospc") != nullptr ? Kind::enospc
           : strstr(text, "eintr") != nullptr  ? Kind::eintr
           : strstr(text, "short") != nullptr  ? Kind::short_write
                                               : Kind::eio;
    for_ever = strstr(text, "for-ever") != nullptr;
    return true;
  }();
  static_cast<void>(done);
}

/// Counts a call. True where it is to fail, with errno set.
bool fails(bool may_be_short, bool* cut) {
  read_environment();
  const long now = ++calls;
  if (at == 0 || now < at || (now > at && !for_ever)) return false;
  if (kind == Kind::kill) raise(SIGKILL);
  if (kind == Kind::short_write) {
    if (cut != nullptr) *cut = true;
    return false;
  }
  if (kind == Kind::eintr && !may_be_short) return false;
  errno = kind == Kind::enospc ? ENOSPC : kind == Kind::eintr ? EINTR : EIO;
  return true;
}

std::atomic<std::vector<Operation>*> record = nullptr;

/// The path of an open file.
std::string path_of(int file) {
  char path[4096];
  const auto link = "/proc/self/fd/" + std::to_string(file);
  const auto size = readlink(link.c_str(), path, sizeof path);
  return size < 0 ? "" : std::string(path, static_cast<std::size_t>(size));
}

void note(const char* what, const std::string& path, const std::string& to = "") {
  if (auto* list = record.load()) list->push_back({what, path, to});
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void arm(long call, Kind how, bool always) {
  at = call;
  kind = how;
  for_ever = always;
  calls = 0;
}
long count() { return calls; }

std::vector<Operation> recorded(const std::function<void()>& work) {
  std::vector<Operation> list;
  record = &list;
  work();
  record = nullptr;
  return list;
}

}  // namespace seawall::faults

using seawall::faults::fails;
using seawall::faults::next;
using seawall::faults::note;
using seawall::faults::path_of;
using seawall::faults::record;

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  bool cut = false;
  if (file > 2 && fails(true, &cut)) return -1;
  if (record.load() != nullptr) note("write", path_of(file));
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return real(file, data, cut && size > 1 ? size / 2 : size);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t place) {
  if (fails(false, nullptr)) return -1;
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return real(file, data, size, place);
}

int fsync(int file) {
  if (fails(false, nullptr)) return -1;
  if (record.load() != nullptr) note("fsync", path_of(file));
  static const auto real = next<int (*)(int)>("fsync");
  return real(file);
}

int rename(const char* from, const char* to) {
  if (fails(false, nullptr)) return -1;
  note("rename", from, to);
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return real(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  if (fails(false, nullptr)) return -1;
  note("rename", from, to);
  static const auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return real(from_folder, from, to_folder, to, flags);
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (fails(false, nullptr)) return -1;
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return real(path, mode);
}

int open(const char* path, int flags, ...) {
  unsigned mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, unsigned);
    va_end(rest);
    if (fails(false, nullptr)) return -1;
  }
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  return real(path, flags, mode);
}

}  // extern "C"
