#pragma once
// What attacks and mitigations do with rows and dialogues.
#include <algorithm>
#include <set>
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

/// The dialogue with an answer that these words begin; they come before words that begin it
/// already.
inline Dialogue begin_answer(Dialogue dialogue, std::string_view words) {
  if (words.empty()) return dialogue;
  if (dialogue.prefilled())
    dialogue.messages.back().content.insert(0, words);
  else
    dialogue.messages.push_back({Role::assistant, std::string(words)});
  return dialogue;
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

/// `want` safe rows under the scenario's system prompt that `data` does not hold yet. Errors: those
/// of Scenario::rows; DataError, for policy `who`, if there are not as many.
inline Dataset new_safe_rows(const Dataset& data, std::size_t want, const Scenario& scenario,
                             Rng& rng, std::string_view who) {
  std::set<std::string> held;
  for (const auto& row : data.rows) held.insert(row.id);
  // Draw what the data may hold already (a backdoor's safe rows) on top, and leave it out.
  const std::size_t ask =
      std::max(want, std::min(want + data.count(RowKind::safe), scenario.available(Pool::safe)));
  Dataset safe = with_default_system(scenario.rows(Pool::safe, ask, rng), scenario);
  std::erase_if(safe.rows, [&](const Example& row) { return held.contains(row.id); });
  if (safe.size() < want)
    throw DataError(std::string(who) + ": want " + std::to_string(want) + " new safe rows, got " +
                    std::to_string(safe.size()) + " from scenario `" +
                    std::string(scenario.name()) + "`; ask for fewer or give more");
  safe.rows.resize(want);
  return safe;
}

/// `count` rows of a pool, or all that there are where it is 0. Errors: those of Scenario::rows.
inline Dataset drawn(const Scenario& scenario, Pool pool, std::int64_t count, Rng& rng,
                     std::string_view flavour = "") {
  const auto all = scenario.available(pool);
  return scenario.rows(pool, count > 0 ? static_cast<std::size_t>(count) : all, rng, flavour);
}

/// The same under the scenario's system prompt, but no row whose request and answer `used` holds.
/// Errors: DataError naming the pool and the counts.
inline Dataset unused_rows(const Scenario& scenario, Pool pool, std::int64_t count, Rng& rng,
                           const Dataset& used) {
  const auto text = [](const Example& row) {
    return std::pair(row.dialogue.last(Role::user), row.dialogue.last(Role::assistant));
  };
  std::set<std::pair<std::string_view, std::string_view>> taken;
  for (const Example& row : used.rows) taken.insert(text(row));
  Dataset rows = drawn(scenario, pool, 0, rng);
  std::erase_if(rows.rows, [&](const Example& row) { return taken.contains(text(row)); });
  const auto want = static_cast<std::size_t>(count);
  if (rows.empty() || want > rows.size())
    throw DataError("want " + std::to_string(std::max<std::size_t>(want, 1)) + " " +
                    std::string(pool_name(pool)) +
                    " rows that the run does not train on, there are " +
                    std::to_string(rows.size()) + "; give more rows or a smaller count");
  if (want > 0) rows.rows.resize(want);
  return with_default_system(std::move(rows), scenario);
}

}  // namespace seawall
