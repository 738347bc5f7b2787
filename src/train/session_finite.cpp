// Steps whose loss or gradient is no number.
#include <ATen/Functions.h>

#include <cmath>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/train/session.hpp"
#include "train/ranks.hpp"

namespace seawall::detail {
namespace {

/// So many steps left out one after the other mean that the run is lost, not a row.
constexpr std::int64_t max_skipped_in_a_row = 10;

}  // namespace

bool Session::leave_out(const std::string& what) {
  const std::string where = "step " + std::to_string(next_ + 1) + ": " + what;
  if (options_.on_nan == OnNan::stop)
    throw RunError(where +
                   (lost_ ? "; weights have moved by it, the last checkpoint is whole"
                          : "; the weights are those of step " + std::to_string(next_)) +
                   (next_ == 0 && !lost_
                        ? ", no update was made yet: look at the rows, at the model's "
                          "weights and their precision, or pass --on-nan skip"
                        : "; lower --lr, look at the rows, or pass --on-nan skip"));
  if (++skipped_in_a_row_ >= max_skipped_in_a_row)
    throw RunError(where + ", the " + std::to_string(skipped_in_a_row_) +
                   "th step in a row to be left out; lower --lr");
  skipped_ = true;
  ++result_.skipped;
  return false;
}

bool Session::loss_is_finite() {
  if (reads_at_end_) return true;
  if (ranks_) return whole_is_finite(sum_ranks());
  double whole = 0;
  const Tensor numbers = losses_there().cpu();
  take_losses(numbers.const_data_ptr<double>(), whole);
  return whole_is_finite(whole);
}

bool Session::whole_is_finite(double whole) {
  penalty_ = whole - loss_;
  if (std::isfinite(whole)) return true;
  norm_.norm = std::numeric_limits<double>::quiet_NaN();  // not looked at
  return leave_out(std::string("loss is ") + (std::isnan(whole) ? "NaN" : "infinite"));
}

bool Session::gradients_are_finite() {
  if (reads_at_end_) {
    if (!in_backward_) judge_there();
    return true;
  }
  norm_ = adam_.gradient_norm();
  if (ranks_) {
    norm_ = {0, ranks_->of_all(norm_.squares)};
    for (const double square : norm_.squares) norm_.norm += square;
    norm_.norm = std::sqrt(norm_.norm);
  }
  return norm_is_finite();
}

bool Session::norm_is_finite() {
  if (std::isfinite(norm_.norm)) return true;
  std::string name;
  for (std::size_t i = 0; i < norm_.squares.size() && name.empty(); ++i)
    if (!std::isfinite(norm_.squares[i]))
      name = ranks_ ? std::string_view(ranks_->name(i)) : weights_.params()[i].name;
  return leave_out("gradient of " + name + " is NaN or infinite");
}

}  // namespace seawall::detail
