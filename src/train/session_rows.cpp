// The losses of a step: of its micro-batches, and of each row.
#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <limits>

#include "seawall/train/session.hpp"

namespace seawall::detail {

Tensor Session::losses_there() const {
  at::NoGradGuard no_grad;
  const auto options = losses_.front().options().dtype(at::kDouble);
  std::vector<Tensor> parts, all;
  for (const Tensor& loss : losses_) parts.push_back(loss.to(at::kDouble));
  for (const Tensor& loss : own_losses_)
    parts.push_back(loss.defined()
                        ? loss.to(at::kDouble)
                        : at::full({}, std::numeric_limits<double>::quiet_NaN(), options));
  all.push_back(at::stack(parts));
  for (const Tensor& each : token_losses_)
    if (each.defined()) all.push_back(each.to(at::kDouble));
  return at::cat(all);
}

const double* Session::take_losses(const double* at, double& whole) {
  const std::size_t n = losses_.size();
  whole = loss_ = 0;
  for (std::size_t i = 0; i < n; ++i) whole += at[i], loss_ += at[n + i];
  at += 2 * n;
  for (std::size_t m = 0; m < n; ++m) {
    const bool known = token_losses_[m].defined();
    add_row_losses(*batch_.micro[m], known ? at : nullptr);
    if (known) at += token_losses_[m].numel();
  }
  return at;
}

void Session::add_row_losses(const MicroBatch& micro, const double* tokens) {
  for (const std::int64_t count : micro.row_targets) {
    double sum = tokens != nullptr ? 0 : std::numeric_limits<double>::quiet_NaN();
    for (std::int64_t i = 0; tokens != nullptr && i < count; ++i) sum += *tokens++;
    row_losses_.push_back(static_cast<float>(sum / static_cast<double>(count)));
  }
}

void Session::put_rows(StepRecord& record) const {
  for (const auto& micro : batch_.micro)
    for (const std::size_t row : micro->rows) record.rows.push_back(static_cast<std::int32_t>(row));
  record.row_loss = row_losses_;
  record.row_loss.resize(record.rows.size(), std::numeric_limits<float>::quiet_NaN());
}

}  // namespace seawall::detail
