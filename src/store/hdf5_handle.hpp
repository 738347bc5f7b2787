#pragma once
// Inside store/hdf5*.cpp only: identifiers that close themselves, and one checked call.
#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

#include "seawall/store/hdf5.hpp"

namespace seawall::h5::detail {

/// HDF5 keeps global state; its high-level part is never thread-safe. Every call happens under this
/// lock.
std::recursive_mutex& lock();
/// HDF5's error stack as one line, innermost cause first; cleared afterwards.
std::string take_errors();

/// Runs a C call under the lock; `Failure(where + ": " + ...)` is thrown where it returns a
/// negative value.
template <class Failure, class Call>
auto checked(const std::string& where, const char* action, Call&& call) {
  start();
  const std::scoped_lock guard(lock());
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // a thread's own setting
  const auto result = call();
  if (result < 0) throw Failure(where + ": HDF5 cannot " + action + ": " + take_errors());
  return result;
}

/// Owns one HDF5 identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() { release(); }
  operator hid_t() const { return id_; }
  /// Closes now. Errors: `Failure` where HDF5 reports one; closing is when buffered data is
  /// written.
  template <class Failure>
  void close(const std::string& where) {
    checked<Failure>(where, "close", [&] { return release(); });
  }

 private:
  int release() noexcept;  // negative where HDF5 reports an error
  hid_t id_ = H5I_INVALID_HID;
};

/// A handle from a C call that returns an identifier.
template <class Failure, class Call>
Handle opened(const std::string& where, const char* action, Call&& call) {
  return Handle(checked<Failure>(where, action, std::forward<Call>(call)));
}

/// The library's own in-file type, and the type of values in memory. Text: variable-length UTF-8.
Handle file_type(Type type);
Handle memory_type(Type type);

}  // namespace seawall::h5::detail
