#include "seawall/policy/catalogue.hpp"

#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"

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

namespace detail {

void unknown_policy(std::string_view kind, std::string_view name,
                    const std::vector<std::string_view>& known) {
  std::string text = "unknown " + std::string(kind) + " `" + std::string(name) + "`";
  if (const auto near = nearest_name(name, {known.begin(), known.end()}))
    text += "; did you mean `" + *near + "`?";
  text += "; there are:";
  for (const auto& other : known)
    text += (&other == &known.front() ? " " : ", ") + std::string(other);
  if (known.empty()) text += " none";
  throw UsageError(text);
}

}  // namespace detail

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
      {Need::start_weights, "start_weights"}, {Need::reference_logprobs, "reference_logprobs"}};
  return flag_names<Need>(needs, all);
}

}  // namespace seawall
