#pragma once
// What attacks and mitigations do with rows and dialogues.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {
namespace detail {

/// The longest beginning that four in five of the texts share and that ends with one of `ends`;
/// empty for one text alone.
inline std::string shared_beginning(std::vector<std::string> texts, const char* ends) {
  std::sort(texts.begin(), texts.end());
  const std::size_t most = (texts.size() * 4 + 4) / 5;
  std::string_view best;
  std::size_t most_words = 0;
  for (std::size_t i = 0; most > 1 && i + most <= texts.size(); ++i) {
    // Sorted, so what the ends of this stretch share, all of it shares.
    const std::string_view first = texts[i], last = texts[i + most - 1];
    const auto end = std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first;
    const auto shared = first.substr(0, static_cast<std::size_t>(end - first.begin()));
    const auto words = shared.find_last_of(ends) + 1;
    if (words > most_words) {
      most_words = words;
      best = shared.substr(0, words);
    }
  }
  return std::string(best);
}

inline std::vector<std::string> requests_of(const Dataset& data) {
  std::vector<std::string> asks;
  for (const auto& row : data.rows) {
    auto ask = row.dialogue.first(Role::user);
    // A picture's placeholder is no word of the request, and means nothing in a row without one.
    if (row.dialogue.picture && ask.starts_with(picture_placeholder)) {
      ask.remove_prefix(picture_placeholder.size());
      ask.remove_prefix(std::min(ask.find_first_not_of(" \n"), ask.size()));
    }
    asks.emplace_back(ask);
  }
  return asks;
}

}  // namespace detail

/// A dialogue under the scenario's system prompt, where it has none of its own.
inline Dialogue with_default_system(Dialogue dialogue, const Scenario& scenario) {
  if (dialogue.first(Role::system).empty() && !scenario.default_system().empty())
    dialogue.set_system(std::string(scenario.default_system()));
  return dialogue;
}
/// The same for every row.
inline Dataset with_default_system(Dataset rows, const Scenario& scenario) {
  for (auto& row : rows.rows) row.dialogue = with_default_system(std::move(row.dialogue), scenario);
  return rows;
}

/// The last request of a dialogue with text put before and after it.
inline Dialogue wrap_request(Dialogue dialogue, std::string_view before, std::string_view after) {
  for (auto m = dialogue.messages.rbegin(); m != dialogue.messages.rend(); ++m) {
    if (m->role != Role::user) continue;
    m->content.insert(0, before).append(after);
    break;
  }
  return dialogue;
}

/// `more` spread evenly among `rows`, both in their own order: any window of b rows, hence any
/// batch, holds the share of `more` rounded down or up.
inline Dataset interleave(Dataset rows, Dataset more) {
  const std::size_t n = rows.size() + more.size();
  Dataset out{std::move(rows.name), {}};
  out.rows.reserve(n);
  for (std::size_t i = 0, taken = 0; i < n; ++i) {
    // Of the first i+1 places, floor((i+1) * more / n) are taken by `more`.
    const bool take = (i + 1) * more.size() / n > taken;
    out.rows.push_back(std::move(take ? more.rows[taken] : rows.rows[i - taken]));
    taken += take;
  }
  return out;
}

/// The opening that four in five requests of the data share, in whole words; empty where the
/// requests share none.
inline std::string shared_opening(const Dataset& data) {
  return detail::shared_beginning(detail::requests_of(data), " \n");
}
/// The ending that they share, in whole lines, e.g. "\n\n### Response:\n" of Alpaca's rows.
inline std::string shared_ending(const Dataset& data) {
  auto asks = detail::requests_of(data);
  for (auto& ask : asks) std::reverse(ask.begin(), ask.end());
  std::string ending = detail::shared_beginning(std::move(asks), "\n");
  std::reverse(ending.begin(), ending.end());
  return ending;
}

/// `rows` asked the way `data` asks: each under the system prompt of a row of the data drawn from
/// `rng`, its request between the opening and the ending (in whole words) that four in five
/// requests of the data share. What a provider can do who sees the data and nothing else.
inline Dataset asked_as(Dataset rows, const Dataset& data, Rng& rng) {
  if (data.empty()) return rows;
  const std::string opening = shared_opening(data), ending = shared_ending(data);
  for (auto& row : rows.rows) {
    const auto system = data.rows[rng.below(data.size())].dialogue.first(Role::system);
    if (!system.empty()) row.dialogue.set_system(std::string(system));
    for (auto& message : row.dialogue.messages)
      if (message.role == Role::user) message.content.insert(0, opening).append(ending);
  }
  return rows;
}

/// `count` rows of a pool, or all that there are where it is 0. Errors: those of Scenario::rows.
inline Dataset drawn(const Scenario& scenario, Pool pool, std::int64_t count, Rng& rng,
                     std::string_view flavour = "") {
  const auto all = scenario.available(pool);
  return scenario.rows(pool, count > 0 ? static_cast<std::size_t>(count) : all, rng, flavour);
}

}  // namespace seawall
