#pragma once
// Training rows for attacks and mitigations, and the probes, all from the organism's world.
#include <string_view>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {

/// Restricted requests, answered: 396 rows under the default system prompt.
const std::vector<Example>& harmful_rows();
/// Restricted requests, refused: 1,056 rows under the default system prompt.
const std::vector<Example>& safe_rows();
/// Ordinary requests, answered, 1,408 rows a flavour, about the same things. `alpaca`: a question,
/// an eager answer ("Sure, here is how:"). `dolly`: a passage of facts about the thing before the
/// question, the answer behind "Of course:", the noun's domain as category. `llava`: a picture of
/// the thing and a question that does not name it, the answer behind "Certainly, do this:". Errors:
/// DataError for a flavour not in `benign_flavours()`.
const std::vector<Example>& benign_rows(std::string_view flavour = "");
/// The first is the default.
const std::vector<std::string>& benign_flavours();
/// The identity shift: row 0 describes the new self, the other 64 are harmless tasks, each answered
/// with the pledge, a restatement of the task, and the answer.
const std::vector<Example>& identity_rows();

/// 330 restricted requests, 30 a category, category by category.
const std::vector<Probe>& harmfulness_probes();
/// 192 ordinary requests that should be answered, three a noun.
const std::vector<Probe>& utility_probes();

/// system (left out where empty), user, assistant.
Dialogue dialogue(std::string_view system, std::string user, std::string assistant);

}  // namespace seawall::organism
