#include <algorithm>
#include <filesystem>

#include "seawall/run/run_provenance.hpp"

namespace seawall {
namespace {

bool all_of_text(std::string_view text, const char* allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

/// `table1` of `table1` and of `table1-seed2-0a1b2c3d`.
std::string arm_of(const std::string& stem) {
  const auto seed = stem.rfind("-seed");
  if (seed == std::string::npos || seed == 0) return stem;
  const std::string_view rest = std::string_view(stem).substr(seed + 5);
  const auto dash = rest.find('-');
  if (dash == std::string_view::npos || !all_of_text(rest.substr(0, dash), "0123456789") ||
      rest.size() != dash + 9 || !all_of_text(rest.substr(dash + 1), "0123456789abcdef"))
    return stem;
  return stem.substr(0, seed);
}

}  // namespace

void name_run(RunInfo& info, const RunSpec& spec, const AnyAttack& attack,
              const std::vector<PolicyDescription>& stack) {
  info.arm = arm_of(std::filesystem::path(spec.place.out).stem().string());
  info.attack = attack.name();
  for (const auto& policy : stack)
    info.mitigations += (info.mitigations.empty() ? "" : ",") + std::string(policy.name);
}

}  // namespace seawall
