#pragma once
// What an evaluation threw, thrown again with more in its message.
#include <string>

namespace seawall {

/// Throws what is being handled again, in its type, with `more` at the end of its message. What is
/// no Error becomes one: out of memory and others are said to be of an evaluation.
[[noreturn]] void rethrow_evaluation(const std::string& more);

}  // namespace seawall
