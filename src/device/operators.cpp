#include "seawall/device/operators.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <tuple>

#include "device/kernels.hpp"
#include "seawall/core/error.hpp"

namespace seawall::device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

TORCH_LIBRARY(seawall, m) {
  m.def(
      "adamw(Tensor(a!) weight, Tensor gradient, Tensor(b!) m, Tensor(c!) v, Tensor start, "
      "Tensor(d!)? term, Tensor(e!)? master, Tensor guard, float lr, float beta1, float beta2, "
      "float eps, float weight_decay, int updates) -> Tensor");
  m.def("rms_norm(Tensor x, Tensor weight, float eps) -> (Tensor, Tensor)");
  m.def(
      "rms_norm_backward(Tensor dy, Tensor x, Tensor weight, Tensor inverse, bool of_weight) -> "
      "(Tensor, Tensor)");
  m.def("rotary(Tensor x, Tensor cos, Tensor sin, float turn) -> Tensor");
  m.def("gated(Tensor gate, Tensor up, bool gelu) -> Tensor");
  m.def("gated_backward(Tensor dy, Tensor gate, Tensor up, bool gelu) -> (Tensor, Tensor)");
  m.def("merge_attention(Tensor(a!) out, Tensor lse, Tensor other, Tensor other_lse) -> Tensor");
}

TORCH_LIBRARY_IMPL(seawall, CPU, m) { add_host_kernels(m); }
TORCH_LIBRARY_IMPL(seawall, CUDA, m) { add_gpu_kernels(m); }

template <class Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

std::pair<Tensor, Tensor> call_rms_norm(const Tensor& x, const Tensor& w, double eps) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, double)>("seawall::rms_norm");
  auto [y, inverse] = op.call(x, w, eps);
  return {y, inverse};
}
std::pair<Tensor, Tensor> call_rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                                 const Tensor& inverse, bool of_weight) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                      bool)>("seawall::rms_norm_backward");
  auto [dx, dw] = op.call(dy, x, w, inverse, of_weight);
  return {dx, dw};
}
Tensor call_rotary(const Tensor& x, const Tensor& cos, const Tensor& sin, double turn) {
  static const auto op =
      find<Tensor(const Tensor&, const Tensor&, const Tensor&, double)>("seawall::rotary");
  return op.call(x, cos, sin, turn);
}
Tensor call_gated(const Tensor& gate, const Tensor& up, bool gelu) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, bool)>("seawall::gated");
  return op.call(gate, up, gelu);
}
std::pair<Tensor, Tensor> call_gated_backward(const Tensor& dy, const Tensor& gate,
                                              const Tensor& up, bool gelu) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&, bool)>(
          "seawall::gated_backward");
  auto [d_gate, d_up] = op.call(dy, gate, up, gelu);
  return {d_gate, d_up};
}

void refuse_second_order() {
  if (at::GradMode::is_enabled())
    throw RunError("the operators of a device have no second derivative");
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, double eps) {
    const Tensor rows = x.contiguous();
    auto [y, inverse] = call_rms_norm(rows, w, eps);
    ctx->save_for_backward({rows, w, inverse});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    auto [dx, dw] = call_rms_norm_backward(d[0].contiguous(), saved[0], saved[1], saved[2],
                                           ctx->needs_input_grad(1));
    return {dx, ctx->needs_input_grad(1) ? dw : Tensor(), Tensor()};
  }
};

struct Rotary : torch::autograd::Function<Rotary> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos,
                        const Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return call_rotary(x.contiguous(), cos, sin, 1);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    return {call_rotary(d[0].contiguous(), saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

struct Gated : torch::autograd::Function<Gated> {
  static Tensor forward(AutogradContext* ctx, const Tensor& gate, const Tensor& up, bool gelu) {
    const Tensor g = gate.contiguous(), u = up.contiguous();
    ctx->save_for_backward({g, u});
    ctx->saved_data["gelu"] = gelu;
    return call_gated(g, u, gelu);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    auto [d_gate, d_up] = call_gated_backward(d[0].contiguous(), saved[0], saved[1],
                                              ctx->saved_data["gelu"].toBool());
    return {d_gate, d_up, Tensor()};
  }
};

}  // namespace

bool takes(const Tensor& x) {
  const auto type = x.scalar_type();
  return !x.is_cpu() && !x.is_meta() && (type == at::kFloat || type == at::kBFloat16);
}

rows::AdamWScalars scalars_of(const AdamWStep& step) {
  // Formed as at::_fused_adamw_ forms them: in double, then rounded.
  const double t = static_cast<double>(step.updates);
  rows::AdamWScalars s;
  s.decay = static_cast<float>(1 - step.lr * step.weight_decay);
  s.lerp = static_cast<float>(1 - step.beta1);
  s.beta2 = static_cast<float>(step.beta2);
  s.square = static_cast<float>(1 - step.beta2);
  s.root_correction = static_cast<float>(std::sqrt(1 - std::pow(step.beta2, t)));
  s.eps = static_cast<float>(step.eps);
  s.minus_step = static_cast<float>(-(step.lr / (1 - std::pow(step.beta1, t))));
  return s;
}

Tensor adamw(const AdamWStep& step, const AdamWTensors& t, const Tensor& guard) {
  using Maybe = std::optional<Tensor>;
  static const auto op = find<Tensor(Tensor&, const Tensor&, Tensor&, Tensor&, const Tensor&,
                                     const Maybe&, const Maybe&, const Tensor&, double, double,
                                     double, double, double, std::int64_t)>("seawall::adamw");
  const auto maybe = [](const Tensor& x) { return x.defined() ? Maybe(x) : std::nullopt; };
  Tensor weight = t.weight, m = t.m, v = t.v;
  return op.call(weight, t.gradient, m, v, t.start, maybe(t.term), maybe(t.master), guard, step.lr,
                 step.beta1, step.beta2, step.eps, step.weight_decay, step.updates);
}

Tensor rms_norm(const Tensor& x, const Tensor& w, double eps) { return RmsNorm::apply(x, w, eps); }
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  return Rotary::apply(x, cos, sin);
}
Tensor gated(const Tensor& gate, const Tensor& up, bool gelu) {
  return Gated::apply(gate, up, gelu);
}

}  // namespace seawall::device
