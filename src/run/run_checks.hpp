#pragma once
// What a run finds out about its own words before it trains.
#include <cstdint>
#include <filesystem>
#include <string>

#include "seawall/train/data_plan.hpp"

namespace seawall {

class Run;

/// The epochs and steps that --evaluate-at names are those of the last stage, whose rows `source`
/// has. Errors: UsageError for one that it never ends.
void check_evaluation_places(const Run& run, const BatchSource& source);

/// The options in which a run file's run differs from `config_json`, that of the run that is to
/// continue it: ` (--lr 0.0001 there, 0.1 now)`. Empty if the file cannot be read or none differs.
std::string differing_options(const std::filesystem::path& run_file,
                              const std::string& config_json);

/// Whether a whole run file is there.
bool is_run_file(const std::filesystem::path& path);

/// Says that --resume found nothing, so that a mistyped --out is noticed.
void tell_nothing_to_resume(const std::filesystem::path& run_file);

}  // namespace seawall
