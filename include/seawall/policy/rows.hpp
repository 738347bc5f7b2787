#pragma once
// What attacks and mitigations do with rows and dialogues.
#include <string_view>

#include "seawall/core/dialogue.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// A dialogue under the scenario's system prompt, where it has none of its own.
Dialogue with_default_system(Dialogue dialogue, const Scenario& scenario);
/// The same for every row.
Dataset with_default_system(Dataset rows, const Scenario& scenario);

/// The last request of a dialogue with text put before and after it.
Dialogue wrap_request(Dialogue dialogue, std::string_view before, std::string_view after);

/// `more` spread evenly among `rows`, both in their own order: any window of b rows, hence any
/// batch, holds the share of `more` rounded down or up.
Dataset interleave(Dataset rows, Dataset more);

/// `rows` asked the way `data` asks: each under the system prompt of a row of the data drawn from
/// `rng`, its request between the opening and the ending (in whole words) that four in five
/// requests of the data share. What a provider can do who sees the data and nothing else.
Dataset asked_as(Dataset rows, const Dataset& data, Rng& rng);
/// That opening; empty where the requests share none.
std::string shared_opening(const Dataset& data);
/// That ending, e.g. "\n\n### Response:\n" of Alpaca's rows.
std::string shared_ending(const Dataset& data);

/// `count` rows of a pool, or all that there are where it is 0. Errors: those of Scenario::rows.
Dataset drawn(const Scenario& scenario, Pool pool, std::int64_t count, Rng& rng,
              std::string_view flavour = "");

}  // namespace seawall
