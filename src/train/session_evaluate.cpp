// An evaluation within a run: whatever it throws, what was trained before it is kept.
#include <ATen/core/grad_mode.h>

#include <exception>
#include <new>

#include "seawall/core/error.hpp"
#include "seawall/train/session.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::detail {
namespace {

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

/// Throws what is being handled again, in its type, with `more` at the end of its message.
[[noreturn]] void throw_with(const std::string& more) {
  try {
    throw;
  } catch (const UsageError& error) {
    throw UsageError(error.what() + more);
  } catch (const DataError& error) {
    throw DataError(error.what() + more);
  } catch (const IoError& error) {
    throw IoError(error.what() + more);
  } catch (const RunError& error) {
    throw RunError(error.what() + more);
  } catch (const Interrupted& error) {
    throw Interrupted(error.exit_code(), error.what() + more);
  } catch (const Error& error) {
    throw Error(error.exit_code(), error.what() + more);
  } catch (const std::bad_alloc&) {
    throw Error(ExitCode::internal,
                "out of memory in an evaluation; give a smaller --max-batch" + more);
  } catch (const std::exception& error) {
    throw Error(ExitCode::internal, "an evaluation failed: " + first_line(error.what()) + more);
  }
}

}  // namespace

std::string Session::keep_state(const std::function<void(const OpenStateOut&)>& save_policies) {
  const std::string what = "; the state after step " + std::to_string(next_);
  // After a signal a run without checkpoints keeps nothing, as it was asked to.
  const bool writes = context_.checkpoint || (context_.rescue && stop_signal() == 0);
  if (!writes) return "";
  try {
    if (!checkpointed_) checkpoint(save_policies, true);
  } catch (const std::exception& error) {
    return what + " could not be saved: " + first_line(error.what());
  }
  const std::string place = context_.state_place;
  return what + " is saved" + (place.empty() ? "" : " in " + place) + ", --resume continues";
}

void Session::evaluate(const std::function<void(const OpenStateOut&)>& save_policies) {
  at::NoGradGuard no_grad;
  try {
    context_.evaluate(next_, next_ / source_.steps_per_epoch());
  } catch (...) {
    throw_with(keep_state(save_policies));
  }
}

}  // namespace seawall::detail
