// A step on a device, of which nothing is read before its end, and the next one's plans.
#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <exception>

#include "seawall/device/operators.hpp"
#include "seawall/train/session.hpp"
#include "train/ranks.hpp"

namespace seawall::detail {

bool Session::reads_at_end() const {
  return !ranks_ && !facts_.before_step && !facts_.after_step && !batch_.micro.empty() &&
         device::takes(weights_.params()[0].value);
}

void Session::plan_ahead() {
  if (decoder().device().is_cpu() || next_ + 1 >= source_.steps()) return;
  try {
    ahead_ = source_.batch(next_ + 1);
  } catch (const std::exception&) {
    // What is wrong with those rows is said when their step begins, and not before this one ends.
  }
}

void Session::judge_there() {
  at::NoGradGuard no_grad;
  norms_ = adam_.gradient_norms();
  const Tensor norm = norms_.to(at::kDouble).square().sum().sqrt();
  const Tensor whole = at::stack(losses_).to(at::kDouble).sum();
  const Tensor moves = whole.isfinite().logical_and(norm.isfinite()).to(at::kDouble);
  // As AdamW::clip has it.
  const Tensor factor = options_.clip_norm > 0
                            ? (norm + 1e-6).reciprocal().mul(options_.clip_norm).clamp_max(1)
                            : at::ones_like(norm);
  guard_ = at::stack({factor, moves}).to(at::kFloat);
}

void Session::read_numbers() {
  at::NoGradGuard no_grad;
  std::vector<Tensor> all{losses_there(), norms_.to(at::kDouble), facts_there_.flatten()};
  if (const Tensor squares = product_squares(); squares.defined()) all.push_back(squares);
  const Tensor numbers = at::cat(all).cpu();  // the one time the host waits
  double whole = 0;
  const double* const norms = take_losses(numbers.const_data_ptr<double>(), whole);
  norm_ = adam_.norm_of(norms);
  const double* facts = norms + norms_.numel();
  movement_ = adam_.movement_of(facts);
  if (!products_.empty())
    movement_ = of_products(std::move(movement_), facts + facts_there_.numel());
  guard_ = norms_ = facts_there_ = Tensor();
  lost_ = in_backward_ && std::isfinite(whole) && !std::isfinite(norm_.norm);
  if (!(std::isfinite(whole) && std::isfinite(norm_.norm))) adam_.take_back();
  if (!whole_is_finite(whole) || !norm_is_finite()) movement_.moved = 0;
}

}  // namespace seawall::detail
