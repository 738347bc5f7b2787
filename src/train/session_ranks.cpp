// What a session does otherwise where several processes train one model.
#include <exception>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/train/session.hpp"
#include "seawall/train/signals.hpp"
#include "train/ranks.hpp"

namespace seawall::detail {
namespace {

/// A text as a number that another one hardly has; exact in fp64.
double number_of_text(const std::string& text) {
  return static_cast<double>(std::stoull(sha256_hex(text).substr(0, 13), nullptr, 16));
}

double exit_code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return static_cast<double>(e.exit_code());
  } catch (...) {
    return static_cast<double>(ExitCode::internal);
  }
}

}  // namespace

bool Session::takes(std::size_t index) const { return !ranks_ || ranks_->takes(index); }

bool Session::asks_penalty(std::size_t index) const {
  return index == (ranks_ ? ranks_->rank() : 0);
}

int Session::signal() const { return ranks_ ? ranks_->agreed.signal : stop_signal(); }

int Session::requests() const { return ranks_ ? ranks_->agreed.requests : checkpoint_requests(); }

void Session::check_ranks() const {
  const CheckpointState* resumed = context_.resume;
  const std::vector<double> mine{
      number_of_text(options_.config_hash), static_cast<double>(source_.steps()),
      static_cast<double>(weights_.count()), static_cast<double>(options_.seed >> 11),
      resumed ? static_cast<double>(resumed->step) : -1};
  const auto all = ranks_->world().gather(mine);
  for (std::size_t r = 1; r < all.size(); ++r)
    if (all[r] != all[0])
      throw UsageError("rank " + std::to_string(r) + " and rank 0: do " +
                       (all[r].back() != all[0].back()
                            ? "not resume from the same step; want --out in a folder that all see"
                            : "other runs; start all processes with the same options, data and "
                              "model"));
}

void Session::take_row_losses() {
  for (std::size_t i = 0; i < batch_.micro.size(); ++i) {
    if (!takes(i)) continue;
    const Tensor& each = token_losses_[i];
    const Tensor here = each.defined() ? each.to(at::kDouble).cpu() : Tensor();
    add_row_losses(*batch_.micro[i], here.defined() ? here.const_data_ptr<double>() : nullptr);
  }
  const auto all = ranks_->world().gather({row_losses_.begin(), row_losses_.end()});
  std::vector<std::size_t> next(all.size());
  row_losses_.clear();
  for (std::size_t i = 0; i < batch_.micro.size(); ++i) {
    const std::size_t owner = i % all.size();
    for (std::size_t r = 0; r < batch_.micro[i]->row_targets.size(); ++r)
      row_losses_.push_back(static_cast<float>(all[owner].at(next[owner]++)));
  }
}

double Session::sum_ranks() {
  const std::vector<Tensor> sums = ranks_->sums();
  const bool narrow =
      options_.precision == Precision::pure_bf16 || options_.precision == Precision::kahan;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const Tensor& value = weights_.params()[i].value;
    value.mutable_grad() = narrow ? sums[i].to(at::kBFloat16) : sums[i];
  }
  const std::size_t count = batch_.micro.size();
  std::vector<double> whole, own;  // of this process's micro-batches
  for (const Tensor& loss : losses_) whole.push_back(loss.item<double>());
  for (std::size_t i = 0; i < count; ++i)
    if (takes(i))
      own.push_back(own_losses_[i].defined() ? own_losses_[i].item<double>()
                                             : std::numeric_limits<double>::quiet_NaN());
  take_row_losses();
  double sum = 0;
  loss_ = 0;
  for (const double loss : ranks_->by_micro(whole, count)) sum += loss;
  for (const double loss : ranks_->by_micro(own, count)) loss_ += loss;
  return sum;
}

Movement Session::of_all(Movement movement) const {
  if (!ranks_) return of_products(std::move(movement));
  movement = movement_of(ranks_->of_all(movement.counts), ranks_->of_all(movement.squares),
                         weights_.count());
  if (!decoder().adapter()) return movement;
  // A product's drift has the place of its A.
  std::vector<double> own(weights_.size()), squares;
  if (const Tensor there = product_squares(); there.defined()) {
    const Tensor here = there.cpu();
    for (std::size_t p = 0; p < products_.size(); ++p)
      own[products_[p].a] = here.const_data_ptr<double>()[p];
  }
  const auto all = ranks_->of_all(own);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (ranks_->name(i).ends_with("lora_A.weight")) squares.push_back(all[i]);
  return of_products(std::move(movement), squares.data());
}

void Session::agree() {
  Ranks::Agreed& agreed = ranks_->agreed;
  const auto all = ranks_->world().gather(
      {static_cast<double>(stop_signal()), static_cast<double>(checkpoint_requests()),
       static_cast<double>(result_.forward_passes - agreed.forward),
       static_cast<double>(result_.backward_passes - agreed.backward)});
  agreed.signal = agreed.requests = 0;
  for (const auto& one : all) {
    if (agreed.signal == 0) agreed.signal = static_cast<int>(one[0]);
    agreed.requests += static_cast<int>(one[1]);
    agreed.forward += static_cast<std::int64_t>(one[2]);
    agreed.backward += static_cast<std::int64_t>(one[3]);
  }
  result_.forward_passes = agreed.forward;
  result_.backward_passes = agreed.backward;
}

void Session::evaluate_on_first(const std::function<void(const OpenStateOut&)>& save_policies) {
  const bool first = ranks_->rank() == 0;
  std::exception_ptr failed;
  double code = 0, saves = 0;
  if (first) {
    try {
      context_.evaluate(next_, next_ / source_.steps_per_epoch(), !more());
    } catch (...) {
      failed = std::current_exception();
      code = exit_code_of(failed);
      const bool writes = context_.checkpoint || (context_.rescue && stop_signal() == 0);
      saves = save_policies && writes ? 1 : 0;
    }
  }
  const auto told = ranks_->world().gather({code, saves})[0];
  if (told[0] == 0) return agree();
  if (!first) {
    if (told[1] != 0 && !checkpointed_) checkpoint(save_policies, true);
    throw Error(static_cast<ExitCode>(static_cast<int>(told[0])),
                "rank 0 ended in an evaluation, its own message says why");
  }
  try {
    std::rethrow_exception(failed);
  } catch (...) {
    if (!save_policies) throw;  // the state that it was resumed from is there
    rethrow_evaluation(keep_state(save_policies));
  }
}

}  // namespace seawall::detail
