#pragma once
// What tests may find on a machine that `make test` set up, and must do without where it is absent.
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace seawall::testing {

/// The cache folder of cmake/setup.
inline std::filesystem::path cache_folder() {
  if (const char* cache = std::getenv("SEAWALL_CACHE")) return cache;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME")) {
    return std::filesystem::path(xdg) / "seawall";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/") / ".cache" / "seawall";
}

namespace detail {
inline std::optional<std::filesystem::path> find(const char* variable,
                                                 const std::filesystem::path& in_cache) {
  const char* given = std::getenv(variable);
  const auto path = given != nullptr ? std::filesystem::path(given) : cache_folder() / in_cache;
  return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
}
}  // namespace detail

/// SmolLM2-135M-Instruct.Q4_1.gguf: SEAWALL_SMOLLM2, or the cache; skip with GTEST_SKIP where
/// nullopt.
inline std::optional<std::filesystem::path> smollm2() {
  return detail::find("SEAWALL_SMOLLM2", "models/SmolLM2-135M-Instruct.Q4_1.gguf");
}

/// A Python that imports numpy, h5py, h5netcdf, xarray and safetensors (not torch: that takes 3 GB
/// of CUDA libraries).
inline std::optional<std::filesystem::path> oracle_python() {
  return detail::find("SEAWALL_ORACLE", "oracle/python");
}

}  // namespace seawall::testing
