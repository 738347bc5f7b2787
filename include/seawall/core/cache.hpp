#pragma once
// Where the program keeps what it can make again.
#include <cstdlib>
#include <filesystem>
#include <string>

namespace seawall {

/// SEAWALL_CACHE, else XDG_CACHE_HOME/seawall, else ~/.cache/seawall, with `name` in it. Empty
/// where none of the variables nor HOME is set. Makes nothing.
inline std::filesystem::path cache_folder(const std::string& name) {
  const auto from = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (const auto own = from("SEAWALL_CACHE"); !own.empty()) return own / name;
  if (const auto xdg = from("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "seawall" / name;
  const auto home = from("HOME");
  return home.empty() ? home : home / ".cache" / "seawall" / name;
}

}  // namespace seawall
