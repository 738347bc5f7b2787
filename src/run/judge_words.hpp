#pragma once
// Judges as they are typed, those that load a model among them.
#include <memory>
#include <string>
#include <string_view>

#include "seawall/policy/judge.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// A judge by its word: those of make_judge, and `classifier:MODEL:TEMPLATE`, where MODEL is what
/// --model takes and TEMPLATE a file or the name of one in data/judges. Errors: UsageError;
/// DataError and IoError of model and template.
std::unique_ptr<Judge> judge_of_word(std::string_view word, const Scenario& scenario,
                                     const std::string& device);

}  // namespace seawall
