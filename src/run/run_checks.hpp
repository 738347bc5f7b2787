#pragma once
// What a run finds out about its own words before it trains.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "seawall/text/chat_template.hpp"
#include "seawall/train/data_plan.hpp"

namespace seawall {

class Run;
struct RunSpec;

/// What --evaluate-at and --fix-tokens name.
struct EvaluationPlaces {
  std::vector<std::int64_t> epochs, steps, fixed_tokens;
};
/// `end` is none here, as the last evaluation is always made. Errors: UsageError for other words,
/// and for fixed tokens of a model that is not trained.
EvaluationPlaces evaluation_places(const RunSpec& spec);

/// Errors: UsageError where --trace, --fix-tokens or --row-agreement asks for what this run cannot
/// record.
void check_recording(const Run& run);

/// The epochs and steps that --evaluate-at names are those of the last stage, whose rows `source`
/// has. Errors: UsageError for one that it never ends.
void check_evaluation_places(const Run& run, const BatchSource& source);

/// The options in which a run file's run differs from `config_json`, that of the run that is to
/// continue it: ` (--lr 0.0001 there, 0.1 now)`. Empty if the file cannot be read or none differs.
std::string differing_options(const std::filesystem::path& run_file,
                              const std::string& config_json);

/// What the options came to, for config_json: the judges, the chat template, the system message of
/// the rows, and of the probes with the decoding under each condition. A message that differs from
/// row to row is a list of at most ten of those that there are.
nlohmann::json resolved_json(const Run& run, const ChatTemplate& chat, const Tokenizer& tokenizer);

/// Whether a whole run file is there.
bool is_run_file(const std::filesystem::path& path);

/// Says that --resume found nothing, so that a mistyped --out is noticed.
void tell_nothing_to_resume(const std::filesystem::path& run_file);

}  // namespace seawall
