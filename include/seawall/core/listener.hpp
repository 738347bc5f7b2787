#pragma once
// Where the library's words go. Only the command line prints; every other room tells a listener,
// which a program may replace by its own.
#include <memory>
#include <string_view>

namespace seawall {

/// Hears whole pieces of text, newlines included, from any thread.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void tell(std::string_view text) = 0;  // what was asked for: sizes, files written
  virtual void warn(std::string_view text) = 0;  // remarks and progress
  virtual void flush() {}                        // before this process forks or ends
};

/// Replaces the listener and returns the one before; null restores the first, which writes what is
/// told to stdout and warnings to stderr. Call it before other threads run.
std::shared_ptr<Listener> listen(std::shared_ptr<Listener> listener);

/// Formats as printf does and hands the text to the listener.
[[gnu::format(printf, 1, 2)]] void tell(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void warn(const char* format, ...);
/// Nothing that was told is left in a buffer, so that a fork does not print it twice.
void flush_listener();

}  // namespace seawall
