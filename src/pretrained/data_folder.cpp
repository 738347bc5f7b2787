#include "seawall/pretrained/data_folder.hpp"

#include <cstdlib>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/pretrained/built_in.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

fs::path& installed_data() {
  static fs::path folder;
  return folder;
}

}  // namespace

bool set_data_folder(const char* folder) {
  installed_data() = folder;
  return true;
}

bool is_built_in_model(std::string_view word) {
  return word == "organism" || word == "organism-base";
}

fs::path built_in_model(std::string_view word) {
  const fs::path organism = data_folder() / "organism";
  return word == "organism" ? organism : organism / "base";
}

fs::path data_folder() {
  std::string tried;
  const auto good = [&](const fs::path& p) {
    tried += (tried.empty() ? "" : ", ") + p.string();
    return fs::exists(p / "organism" / "config.json");
  };
  if (const char* env = std::getenv("SEAWALL_DATA"); env != nullptr && *env != '\0') {
    if (good(env)) return env;
    throw IoError("SEAWALL_DATA=" + std::string(env) + ": no organism/config.json in it");
  }
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path prefix = self.parent_path().parent_path();
  if (!error && good(prefix / "share" / "seawall")) return prefix / "share" / "seawall";
  if (!installed_data().empty() && good(installed_data())) return installed_data();
  if (good(fs::path(SEAWALL_SOURCE_DIR) / "data")) return fs::path(SEAWALL_SOURCE_DIR) / "data";
  throw IoError("cannot find the organism's files (looked at " + tried +
                "); set SEAWALL_DATA to the data folder");
}

}  // namespace seawall
