// A step whose weights move while the backward pass still runs: each as soon as its gradient is
// whole, which is then let go, so that a model's gradients are never there at once. Source: Lv et
// al. 2023, "Full parameter fine-tuning for large language models with limited resources", sec. 3.
#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "seawall/train/session.hpp"
#include "train/ranks.hpp"

namespace seawall::detail {
namespace {

/// While it lives, `update(i)` is called for weight `i` once its gradient is whole.
class AsGradientsCome {
 public:
  AsGradientsCome(ParamView weights, const std::function<void(std::size_t)>& update)
      : weights_(weights) {
    for (std::size_t i = 0; i < weights_.size(); ++i)
      torch::autograd::impl::set_post_acc_grad_hooks(weights_[i].value,
                                                     std::make_unique<Call>(update, i));
  }
  ~AsGradientsCome() {
    for (const Param& param : weights_)
      torch::autograd::impl::set_post_acc_grad_hooks(param.value, nullptr);
  }
  AsGradientsCome(const AsGradientsCome&) = delete;
  AsGradientsCome& operator=(const AsGradientsCome&) = delete;

 private:
  struct Call final : torch::autograd::PostAccumulateGradHook {
    Call(const std::function<void(std::size_t)>& f, std::size_t place) : update(f), i(place) {}
    void operator()(const torch::autograd::Variable&) override { update(i); }
    const std::function<void(std::size_t)>& update;
    std::size_t i;
  };
  ParamView weights_;
};

}  // namespace

bool Session::updates_in_backward() const {
  return reads_at_end_ && options_.clip_norm == 0 && options_.on_nan == OnNan::stop &&
         batch_.micro.size() == 1 && !decoder().adapter() && !ranks_;
}

void Session::backward_with_updates(const Tensor& total) {
  const auto n = weights_.size();
  std::vector<Tensor> norms(n), facts(n);
  {
    at::NoGradGuard no_grad;
    const Tensor moves = total.detach().isfinite().to(at::kFloat);
    guard_ = at::stack({at::ones_like(moves), moves});
  }
  adam_.begin_there();
  const std::function<void(std::size_t)> update = [&](std::size_t i) {
    at::NoGradGuard no_grad;
    Tensor& grad = weights_.params()[i].value.mutable_grad();
    norms[i] = grad.defined() ? at::linalg_vector_norm(grad, 2, {}, false, at::kFloat)
                              : at::zeros({}, guard_.options());
    facts[i] = adam_.step_tensor(i, step_.lr, guard_);
    grad = Tensor();
  };
  {
    const AsGradientsCome hooks(weights_.params(), update);
    total.backward();
  }
  for (std::size_t i = 0; i < n; ++i)
    if (!facts[i].defined()) update(i);  // the loss did not reach it
  norms_ = at::stack(norms);
  facts_there_ = at::stack(facts);
}

}  // namespace seawall::detail
