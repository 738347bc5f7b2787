#include "seawall/policy/catalogue.hpp"

#include <span>

namespace seawall {
namespace {

template <class Flag>
std::vector<std::string_view> flag_names(Flag set,
                                         std::span<const std::pair<Flag, std::string_view>> all) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : all)
    if (has(set, flag)) names.push_back(name);
  return names;
}

}  // namespace

std::vector<std::string_view> hook_names(Hook hooks) {
  std::vector<std::string_view> names;
  const auto add = [&]<class... Blocks>(TypeList<Blocks...>) {
    const auto one = [&](Hook flag, std::string_view name) {
      if (has(hooks, flag) && (names.empty() || names.back() != name)) names.push_back(name);
    };
    (one(Blocks::flag, Blocks::name), ...);
  };
  add(detail::HookBlocks{});
  return names;
}

std::vector<std::string_view> need_names(Need needs) {
  static constexpr std::pair<Need, std::string_view> all[] = {
      {Need::harmful_data, "harmful_data"},   {Need::safe_data, "safe_data"},
      {Need::benign_data, "benign_data"},     {Need::identity_data, "identity_data"},
      {Need::start_weights, "start_weights"}, {Need::reference_logprobs, "reference_logprobs"},
      {Need::task_data, "task_data"}};
  return flag_names<Need>(needs, all);
}

}  // namespace seawall
