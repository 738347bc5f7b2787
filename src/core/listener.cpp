#include "seawall/core/listener.hpp"

#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

namespace seawall {
namespace {

class StandardStreams final : public Listener {
 public:
  void tell(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stdout); }
  void warn(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }
  void flush() override {
    std::fflush(stdout);
    std::fflush(stderr);
  }
};

std::shared_ptr<Listener>& current() {
  static std::shared_ptr<Listener> listener = std::make_shared<StandardStreams>();
  return listener;
}

[[gnu::format(printf, 1, 0)]] std::string formatted(const char* format, std::va_list values) {
  std::va_list again;
  va_copy(again, values);
  const int size = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (size <= 0) return "";
  std::string text(static_cast<std::size_t>(size) + 1, '\0');  // vsnprintf ends it with a zero
  std::vsnprintf(text.data(), text.size(), format, values);
  text.pop_back();
  return text;
}

}  // namespace

std::shared_ptr<Listener> listen(std::shared_ptr<Listener> listener) {
  if (!listener) listener = std::make_shared<StandardStreams>();
  return std::exchange(current(), std::move(listener));
}

void tell(const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  const std::string text = formatted(format, values);
  va_end(values);
  current()->tell(text);
}

void warn(const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  const std::string text = formatted(format, values);
  va_end(values);
  current()->warn(text);
}

void flush_listener() { current()->flush(); }

}  // namespace seawall
