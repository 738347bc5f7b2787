#pragma once
// What an evaluation or a policy threw, thrown again with more in its message.
#include <exception>
#include <string>

namespace seawall {

/// Whether memory could not be had: std::bad_alloc, or libtorch's word for it on a device or the
/// CPU.
bool is_out_of_memory(const std::exception& error);

/// Throws what is being handled again, in its type, with `more` at the end of its message. What is
/// no Error becomes one: out of memory and others are said to be of an evaluation.
[[noreturn]] void rethrow_evaluation(const std::string& more);

/// Throws what is being handled again, in its type, with `who` before its message: a policy and its
/// hook. Interrupted goes on as it is. What is no Error becomes a RunError, with advice where
/// memory could not be had.
[[noreturn]] void rethrow_as_of(const std::string& who);

}  // namespace seawall
