// What a session gives policies while it trains.
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/train/session.hpp"
#include "train/ranks.hpp"

namespace seawall::detail {

const Decoder& Session::start() const {
  if (ranks_)
    throw UsageError("the start model: is asked for, and among " + std::to_string(ranks_->size()) +
                     " processes no one has it whole; train with one");
  if (start_) return *start_;
  if (!decoder().adapter()) return start_.emplace(decoder().config(), weights_.start_values());
  start_.emplace(decoder().config(), decoder().parameters());
  Adapter before = *decoder().adapter();
  before.replace(weights_.start_values());
  before.dropout_key = 0;
  if (!before.is_zero()) start_->adapt(std::move(before));
  return *start_;
}

const Batch& Session::user() {
  if (batch_.micro.empty()) throw UsageError("user: no batch is in hand before the first step");
  if (in_step_ && !in_micro_ && losses_.empty() && batch_.micro.size() > 1)
    throw UsageError("user: a penalty is asked once for the " +
                     std::to_string(batch_.micro.size()) +
                     " micro-batches of a step; put what is of the user's rows into around_loss, "
                     "which is asked for each");
  if (user_.plan == batch_.micro[micro_]) return user_;
  std::vector<Example> rows;
  if (const Dataset* all = trained_rows())
    for (const std::size_t row : batch_.micro[micro_]->rows) rows.push_back(all->rows.at(row));
  return user_ = batch_of(batch_.micro[micro_], std::move(rows));
}

void Session::fold_measures(std::int64_t targets) {
  in_micro_ = false;
  const auto weight = static_cast<double>(targets);
  for (const auto& [name, value] : micro_measures_) {
    double& before = measured_targets_[name];
    const double mean = before == 0 ? 0 : step_measures_.at(name);
    step_measures_[name] = mean + (value - mean) * (weight / (before + weight));
    before += weight;
  }
  micro_measures_.clear();
}

void Session::own_loss(const Tensor& loss, const Tensor& each) {
  if (!in_step_ || own_losses_[micro_].defined()) return;
  own_losses_[micro_] = loss.detach();
  token_losses_[micro_] = each;
}

void Session::passed(const BatchPlan& plan, const Tensor& loss) {
  if (!in_step_ || batch_.micro.empty()) return;  // an edit of weights has no batch in hand
  if (&plan == &batch_.micro[micro_]->plan) own_loss(loss.detach().mean(), loss.detach());
}

void Session::step(const std::function<Tensor()>& loss) {
  if (!in_step_ || !facts_.after_step)
    throw UsageError("step: want it within after_step, where the user's step is made");
  weights_.clear_gradients(1);
  {
    const at::AutoGradMode on(true);
    loss().backward();
  }
  count_backward();
  const double norm = adam_.gradient_norm().norm;
  if (!std::isfinite(norm))
    throw RunError("the gradient of a step of its own is NaN or infinite; lower its strength");
  if (options_.clip_norm > 0) adam_.clip(norm, options_.clip_norm);
  adam_.step(step_.lr);
  weights_.publish();
  stepped_ = true;
  ++result_.policy_steps;
}

Measures& Session::measures() {
  if (ranks_)
    throw UsageError("measure: each of " + std::to_string(ranks_->size()) +
                     " processes sees a part of the weights and rows; train with one");
  return in_micro_ ? micro_measures_ : in_step_ ? step_measures_ : run_measures_;
}

void Session::stop(std::string_view why) {
  if (result_.stopped.empty())
    result_.stopped = facts_.names.at(asking()) + ": " + std::string(why);
}

}  // namespace seawall::detail
