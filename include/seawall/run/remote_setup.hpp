#pragma once
// What a run's remote words become: endpoints, clients, judges, and what of them decides a result.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/remote/http.hpp"
#include "seawall/remote/spending.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// Whether the model is behind an endpoint: `openai:NAME`.
bool is_remote(const RunSpec& spec);
/// The name behind `openai:`; empty for a model that is not remote.
std::string remote_model_name(const RunSpec& spec);
/// Models behind `rubric:` among the judges.
std::vector<std::string> rubric_models(const RunSpec& spec);

/// The texts a rubric judge is given, policy and scale in one; for estimates.
std::string rubric_texts(const RunSpec& spec);

/// A client whose transfers end on Ctrl-C: its poll throws Interrupted. Errors: those of Endpoint.
std::shared_ptr<HttpClient> make_client(const std::string& base_url, const HttpOptions& options,
                                        bool needs_key = true);

/// `rubric:MODEL`. Looks once whether the endpoint lets us in, unless it is a dry run. Errors:
/// UsageError for a word without a model, a budget without prices, or a key that is refused;
/// IoError where the endpoint cannot be reached; those of RubricText and Endpoint.
std::unique_ptr<Judge> make_rubric_judge(const std::string& word, const RunSpec& spec,
                                         std::shared_ptr<Spending> spending);

/// A moderation service behind --base-url, reached when it is first asked; what it said of a text
/// stays in the cache folder. A dry run sends nothing and flags nothing. Errors when asked: those
/// of Endpoint and moderate_rows.
Moderation make_moderation(const RunSpec& spec);

/// Name and value of what decides the result of remote parts: for hashes and run files. Empty where
/// a run has none. Errors: those of RubricText.
std::vector<std::pair<std::string, std::string>> remote_fields(const RunSpec& spec);

/// Errors: UsageError naming the first of `given` that belongs to something the run does not use.
void check_remote_words(const RunSpec& spec, const std::vector<std::string>& given);

}  // namespace seawall
