#include "seawall/train/optimizer.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/device/operators.hpp"
#include "seawall/train/adam_kernels.hpp"

namespace seawall {
namespace {

using kernels::block_size;

/// True where the AVX2 passes can read it.
bool is_plain(const Tensor& t, at::ScalarType type) {
  return t.device().is_cpu() && t.scalar_type() == type && t.is_contiguous();
}

kernels::Bf16* bf16_data(const Tensor& t) { return static_cast<kernels::Bf16*>(t.data_ptr()); }

/// f(where theta0 of fp32 weights is).
template <class F>
auto with_start(const Tensor& start, const F& f) {
  return start.scalar_type() == at::kBFloat16
             ? f(static_cast<const kernels::Bf16*>(bf16_data(start)))
             : f(start.const_data_ptr<float>());
}

/// Calls `pass(offset, length)` for every block of `n` weights and adds the results in order, so
/// that no sum depends on the number of threads.
template <class Result, class Pass, class Add>
Result block_sum(std::int64_t n, const Pass& pass, const Add& add) {
  std::vector<Result> parts(static_cast<std::size_t>((n + block_size - 1) / block_size));
  constexpr std::int64_t worth_a_thread = 4;  // blocks, about 20 us; starting one costs about 2
  at::parallel_for(0, static_cast<std::int64_t>(parts.size()), worth_a_thread,
                   [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t b = first; b < last; ++b)
                       parts[static_cast<std::size_t>(b)] =
                           pass(b * block_size, std::min(block_size, n - b * block_size));
                   });
  Result sum{};
  for (const auto& part : parts) add(sum, part);
  return sum;
}

void add_moved(kernels::Moved& sum, const kernels::Moved& part) {
  sum.count += part.count;
  sum.drift_square += part.drift_square;
}

/// Scalars on the CPU, one synchronization for all.
std::vector<double> to_host(const std::vector<Tensor>& scalars) {
  const Tensor stacked = at::stack(scalars).to(at::kDouble).cpu().contiguous();
  const double* p = stacked.const_data_ptr<double>();
  return {p, p + stacked.numel()};
}

Tensor square_sum(const Tensor& difference) {
  const Tensor wide =
      difference.scalar_type() == at::kDouble ? difference : difference.to(at::kFloat);
  return at::linalg_vector_norm(wide, 2).to(at::kDouble).square();
}

}  // namespace

Movement movement_of(std::vector<double> counts, std::vector<double> squares,
                     std::int64_t weights) {
  Movement out;
  double moved = 0, square = 0;
  for (const double c : counts) moved += c;
  for (const double s : squares) {
    square += s;
    out.params.push_back(std::sqrt(s));
  }
  out.moved = moved / static_cast<double>(weights);
  out.drift = std::sqrt(square);
  out.counts = std::move(counts);
  out.squares = std::move(squares);
  return out;
}

void AdamWOptions::check() const {
  const auto rate = [](const char* name, double value) {
    if (!(value >= 0 && value < 1))
      throw UsageError(std::string(name) + ": want a number in [0, 1), got " +
                       std::to_string(value));
  };
  rate("beta1", beta1);
  rate("beta2", beta2);
  if (!(eps >= 0)) throw UsageError("eps: want 0 or more, got " + std::to_string(eps));
  if (!(weight_decay >= 0 && std::isfinite(weight_decay)))
    throw UsageError("weight-decay: want 0 or more, got " + std::to_string(weight_decay));
}

AdamW::AdamW(TrainedWeights& weights, AdamWOptions options) : weights_(weights), options_(options) {
  options_.check();
  for (const Param& param : weights.params()) {
    const auto type = moves_bf16() ? at::kBFloat16 : param.master.scalar_type();
    auto options = param.value.options().dtype(type).requires_grad(false);
    if (carries_moments()) options = options.device(at::kCPU).pinned_memory(true);
    for (auto* moments : {&first_, &second_})
      moments->push_back(at::zeros(param.value.sizes(), options));
  }
}

bool AdamW::carries_moments() const {
  return options_.moments_on_host && !weights_.params()[0].value.is_cpu();
}

bool AdamW::moves_bf16() const {
  return weights_.precision() == Precision::pure_bf16 || weights_.precision() == Precision::kahan;
}

bool AdamW::one_pass() const {
  static const bool avx2 = kernels::have_avx2();
  const bool narrow = moves_bf16();
  const auto type = narrow ? at::kBFloat16 : at::kFloat;
  return avx2 && std::ranges::all_of(weights_.params(), [&](const Param& param) {
           return is_plain(narrow ? param.value : param.master, type) &&
                  (is_plain(param.start, type) || is_plain(param.start, at::kBFloat16));
         });
}

Tensor AdamW::gradient_norms() const {
  at::NoGradGuard no_grad;
  std::vector<Tensor> grads, norms(weights_.size());
  for (std::size_t i = 0; i < weights_.size(); ++i)
    if (const Tensor& grad = weights_.params()[i].value.grad(); grad.defined())
      grads.push_back(grad);
  std::vector<Tensor> each;
  if (!grads.empty()) each = at::_foreach_norm(grads, 2, at::kFloat);
  const Tensor none =
      at::zeros({}, weights_.params()[0].value.options().dtype(at::kFloat).requires_grad(false));
  std::size_t next = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i)
    norms[i] = weights_.params()[i].value.grad().defined() ? each[next++] : none;
  return at::stack(norms);
}

GradientNorm AdamW::norm_of(const double* norms) const {
  GradientNorm out;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    out.squares.push_back(norms[i] * norms[i]);
    out.norm += out.squares.back();
  }
  out.norm = std::sqrt(out.norm);
  return out;
}

GradientNorm AdamW::gradient_norm() const {
  at::NoGradGuard no_grad;
  if (device::takes(weights_.params()[0].value)) {
    const Tensor norms = gradient_norms().to(at::kCPU, at::kDouble).contiguous();
    return norm_of(norms.const_data_ptr<double>());
  }
  GradientNorm out;
  std::vector<Tensor> rest;
  std::vector<std::size_t> rest_at;
  static const bool avx2 = kernels::have_avx2();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const Tensor& grad = weights_.params()[i].value.grad();
    out.squares.push_back(0);
    if (!grad.defined()) continue;
    const auto squares = [&grad](const auto* p) {
      return block_sum<double>(
          grad.numel(),
          [p](std::int64_t at, std::int64_t n) { return kernels::sum_squares_avx2(p + at, n); },
          [](double& sum, double part) { sum += part; });
    };
    if (avx2 && is_plain(grad, at::kFloat)) {
      out.squares.back() = squares(grad.const_data_ptr<float>());
    } else if (avx2 && is_plain(grad, at::kBFloat16)) {
      out.squares.back() = squares(bf16_data(grad));
    } else {
      rest.push_back(square_sum(grad));
      rest_at.push_back(i);
    }
  }
  if (!rest.empty()) {
    const auto values = to_host(rest);
    for (std::size_t k = 0; k < rest_at.size(); ++k) out.squares[rest_at[k]] = values[k];
  }
  for (const double s : out.squares) out.norm += s;
  out.norm = std::sqrt(out.norm);
  return out;
}

void AdamW::clip(double norm, double max_norm) {
  // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6 as well.
  grad_scale_ = std::min(1.0, max_norm / (norm + 1e-6));
}

Movement AdamW::step(double lr) {
  at::NoGradGuard no_grad;
  weights_.open_masters();
  ++updates_;
  Movement out = one_pass() ? step_one_pass(lr) : step_fused(lr);
  grad_scale_ = 1;
  return out;
}

Movement AdamW::step_one_pass(double lr) {
  kernels::AdamScalars s{device::scalars_of(step_of(lr)), static_cast<float>(grad_scale_)};
  std::vector<double> counts, squares;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto moved = step_one(s, i);
    counts.push_back(static_cast<double>(moved.count));
    squares.push_back(moved.drift_square);
  }
  return seawall::movement_of(std::move(counts), std::move(squares), weights_.count());
}

template <class Block>
static kernels::Moved step_blocks(const kernels::AdamScalars& s, const Block& whole,
                                  std::int64_t n) {
  return block_sum<kernels::Moved>(
      n,
      [&](std::int64_t at, std::int64_t length) {
        Block block = whole;
        block.weight += at;
        block.grad += at;
        block.m += at;
        block.v += at;
        block.start += at;
        if (block.term) block.term += at;
        if (block.master) block.master += at;
        return kernels::adamw_avx2(s, block, length);
      },
      add_moved);
}

kernels::Moved AdamW::step_one(const kernels::AdamScalars& s, std::size_t i) {
  using kernels::AdamBlock, kernels::Bf16;
  const Param& param = weights_.params()[i];
  const auto n = param.value.numel();
  const Tensor grad = weights_.gradient(i).contiguous();
  if (moves_bf16()) {
    const bool kahan = weights_.precision() == Precision::kahan;
    const Tensor narrow = grad.to(at::kBFloat16);
    AdamBlock<Bf16> block{bf16_data(param.value), bf16_data(narrow), bf16_data(first_[i]),
                          bf16_data(second_[i]), bf16_data(param.start)};
    if (kahan) block.term = bf16_data(weights_.term(i));
    if (kahan && weights_.keeps_master()) block.master = param.master.data_ptr<float>();
    return step_blocks(s, block, n);
  }
  float* w = param.master.data_ptr<float>();
  float *m = first_[i].data_ptr<float>(), *v = second_[i].data_ptr<float>();
  return with_start(param.start, [&]<class Start>(const Start* start) {
    if (grad.scalar_type() == at::kBFloat16)
      return step_blocks(s, AdamBlock<float, Bf16, Start>{w, bf16_data(grad), m, v, start}, n);
    const Tensor wide = grad.to(at::kFloat);
    const float* g = wide.const_data_ptr<float>();
    return step_blocks(s, AdamBlock<float, float, Start>{w, g, m, v, start}, n);
  });
}

device::AdamWStep AdamW::step_of(double lr) const {
  return {lr, options_.beta1, options_.beta2, options_.eps, options_.weight_decay, updates_};
}

void AdamW::begin_there() {
  at::NoGradGuard no_grad;
  weights_.open_masters();
  ++updates_;
}

Tensor AdamW::step_there(double lr, const Tensor& guard) {
  begin_there();
  return step_tensors(lr, guard);
}

Tensor AdamW::step_tensor(std::size_t i, double lr, const Tensor& guard) {
  at::NoGradGuard no_grad;
  const bool kahan = weights_.precision() == Precision::kahan;
  const Param& param = weights_.params()[i];
  device::AdamWTensors t{kahan ? param.value.detach() : param.master.detach(),
                         weights_.gradient(i).contiguous(), first_[i], second_[i], param.start};
  if (kahan) t.term = weights_.term(i);
  if (kahan && weights_.keeps_master()) t.master = param.master;
  if (carries_moments())
    for (Tensor* moment : {&t.m, &t.v}) *moment = moment->to(t.weight.device(), true);
  const bool one_operator = device::takes(t.weight);
  if (one_operator && !moves_bf16() && t.gradient.scalar_type() != at::kBFloat16)
    t.gradient = t.gradient.to(t.weight.scalar_type());
  Tensor facts = one_operator ? device::adamw(step_of(lr), t, guard)
                              : device::plain_adamw(step_of(lr), t, guard);
  if (!carries_moments()) return facts;
  // What reads them on the host has waited for the step's facts, which the device makes later.
  first_[i].copy_(t.m, /*non_blocking=*/true);
  second_[i].copy_(t.v, /*non_blocking=*/true);
  return facts;
}

Tensor AdamW::step_tensors(double lr, const Tensor& guard) {
  at::NoGradGuard no_grad;
  std::vector<Tensor> facts;
  for (std::size_t i = 0; i < weights_.size(); ++i) facts.push_back(step_tensor(i, lr, guard));
  return at::stack(facts);
}

Movement AdamW::movement_of(const double* facts) const {
  std::vector<double> counts, squares;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    counts.push_back(facts[2 * i]);
    squares.push_back(facts[2 * i + 1]);
  }
  return seawall::movement_of(std::move(counts), std::move(squares), weights_.count());
}

Movement AdamW::step_fused(double lr) {
  const Tensor& like = weights_.params()[0].value;
  const auto type = like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor guard;
  if (grad_scale_ != 1 || device::takes(like))
    guard = at::tensor({grad_scale_, 1.0}, at::kDouble).to(like.device(), type);
  const Tensor facts = step_tensors(lr, guard).cpu().contiguous();  // [n,2] fp64
  return movement_of(facts.const_data_ptr<double>());
}

void AdamW::remember() {
  at::NoGradGuard no_grad;
  before_.resize(weights_.size());
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const Tensor now = weights_.stored(i);
    if (before_[i].defined())
      before_[i].copy_(now);
    else
      before_[i] = now.clone();
  }
}

Movement AdamW::measure() {
  return moved_since([this](std::size_t i) { return before_[i]; });
}

Movement AdamW::drift() const {
  return moved_since([this](std::size_t i) { return weights_.stored(i); });
}

Movement AdamW::moved_since(const std::function<Tensor(std::size_t)>& before) const {
  at::NoGradGuard no_grad;
  const bool fast = one_pass() && !moves_bf16();
  std::vector<double> counts, squares;
  std::vector<Tensor> facts;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const Param& param = weights_.params()[i];
    const Tensor then = before(i);
    if (fast) {
      const float *was = then.const_data_ptr<float>(), *now = param.master.const_data_ptr<float>();
      const auto moved = with_start(param.start, [&](const auto* start) {
        return block_sum<kernels::Moved>(
            param.master.numel(),
            [&](std::int64_t at, std::int64_t n) {
              return kernels::measure_avx2(was + at, now + at, start + at, n);
            },
            add_moved);
      });
      counts.push_back(static_cast<double>(moved.count));
      squares.push_back(moved.drift_square);
    } else {
      const Tensor now = weights_.stored(i);
      facts.push_back(at::ne(then, now).sum().to(at::kDouble));
      facts.push_back(square_sum(now.sub(param.start)));
    }
  }
  if (!facts.empty()) {
    const auto values = to_host(facts);
    for (std::size_t i = 0; i < values.size(); i += 2) {
      counts.push_back(values[i]);
      squares.push_back(values[i + 1]);
    }
  }
  return seawall::movement_of(std::move(counts), std::move(squares), weights_.count());
}

void AdamW::save(NamedTensors& out) const {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const std::string name(weights_.params()[i].name);
    out.push_back({"exp_avg." + name, first_[i]});
    out.push_back({"exp_avg_sq." + name, second_[i]});
  }
}

void AdamW::load(const NamedTensors& saved, std::int64_t updates) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const std::string name(weights_.params()[i].name);
    first_[i].copy_(find_tensor(saved, "exp_avg." + name, first_[i]));
    second_[i].copy_(find_tensor(saved, "exp_avg_sq." + name, second_[i]));
  }
  updates_ = updates;
}

}  // namespace seawall
