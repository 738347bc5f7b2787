#include "seawall/policy/catalogue.hpp"

#include <algorithm>
#include <numeric>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

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
  const auto nearest = std::min_element(known.begin(), known.end(), [&](auto a, auto b) {
    return distance(a, name) < distance(b, name);
  });
  // Beyond half of what was typed, a guess is noise.
  if (nearest != known.end() &&
      distance(*nearest, name) <= std::max<std::size_t>(2, name.size() / 2))
    text += "; did you mean `" + std::string(*nearest) + "`?";
  text += "; there are:";
  for (const auto& other : known)
    text += (&other == &known.front() ? " " : ", ") + std::string(other);
  if (known.empty()) text += " none";
  throw UsageError(text);
}

}  // namespace detail

std::vector<std::string_view> hook_names(Hook hooks) {
  static constexpr std::pair<Hook, std::string_view> all[] = {
      {Hook::compose, "compose"},
      {Hook::on_start, "on_start"},
      {Hook::penalty, "penalty"},
      {Hook::token_weights, "token_weights"},
      {Hook::around_loss, "around_loss"},
      {Hook::before_step, "before_step"},
      {Hook::after_step, "after_step"},
      {Hook::trains, "trains"},
      {Hook::edit, "edit"},
      {Hook::arm, "arm"},
      {Hook::on_finish, "on_finish"},
      {Hook::state, "state"}};
  return flag_names<Hook>(hooks, all);
}

std::vector<std::string_view> need_names(Need needs) {
  static constexpr std::pair<Need, std::string_view> all[] = {
      {Need::harmful_data, "harmful_data"},   {Need::safe_data, "safe_data"},
      {Need::benign_data, "benign_data"},     {Need::identity_data, "identity_data"},
      {Need::start_weights, "start_weights"}, {Need::reference_logprobs, "reference_logprobs"}};
  return flag_names<Need>(needs, all);
}

}  // namespace seawall
