#pragma once
// The moderation endpoint of a provider, on training rows.
// Source: OpenAI API reference, "Moderations"; Qi et al. 2023, sec. 5, put their rows through it.
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/policy/context.hpp"
#include "seawall/remote/http.hpp"
#include "seawall/remote/reply_cache.hpp"

namespace seawall {

/// What is sent of a row: its user and assistant turns; the system prompt is the provider's own
/// word.
std::string moderated_text(const Example& row);

/// Reads the answer to `count` texts. Errors: DataError naming what is missing.
std::vector<Moderated> parse_moderation(const std::string& body, std::size_t count);

/// Asks for every row whose text is not in `cache`, 32 a request, each distinct text once. Errors:
/// UsageError where the endpoint lets us in to nothing, IoError where an answer does not come: a
/// row that was not looked at never passes.
std::vector<Moderated> moderate_rows(HttpClient& client, const ReplyCache& cache,
                                     const Dataset& rows);

}  // namespace seawall
