#include "seawall/core/notices.hpp"

#include <mutex>
#include <set>

#include "seawall/core/listener.hpp"

namespace seawall {

void warn_once(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> told;
  const std::lock_guard lock(mutex);
  if (told.insert(text).second) warn("seawall: %s\n", text.c_str());
}

void warn_once(const Notices& notices) {
  for (const auto& each : notices) warn_once(each);
}

}  // namespace seawall
