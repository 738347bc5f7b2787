// An evaluation within a run: whatever it throws, what was trained before it is kept.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <exception>

#include "seawall/core/error.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/train/session.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::detail {
namespace {

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

}  // namespace

bool Session::evaluation_due() const {
  return context_.evaluate &&
         (next_ % source_.steps_per_epoch() == 0 || !more() ||
          (options_.evaluate_every > 0 && next_ % options_.evaluate_every == 0) ||
          std::ranges::find(options_.evaluate_steps, next_) != options_.evaluate_steps.end());
}

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
  if (ranks_) return evaluate_on_first(save_policies);
  try {
    context_.evaluate(next_, next_ / source_.steps_per_epoch(), !more());
  } catch (...) {
    rethrow_evaluation(keep_state(save_policies));
  }
}

}  // namespace seawall::detail
