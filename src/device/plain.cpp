// The operators in plain ATen. A GPU's kernels are compared with them, and where a kernel is not
// used they run in its place.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <optional>
#include <tuple>

#include "device/kernels.hpp"
#include "seawall/device/operators.hpp"

namespace seawall::device {

Tensor plain_adamw(const AdamWStep& step, const AdamWTensors& t, const Tensor& guard) {
  const bool kahan = t.term.defined();
  const auto wide = [](const Tensor& x) { return x.to(at::kFloat); };
  // Kahan computes in fp32 and stores in bf16; the others move the weight itself.
  const Tensor before = kahan ? wide(t.weight).add_(t.term) : t.weight.clone();
  const Tensor moving = !kahan ? t.weight : t.master.defined() ? t.master : before.clone();
  if (kahan && t.master.defined()) moving.copy_(before);
  const Tensor m = kahan ? wide(t.m) : t.m, v = kahan ? wide(t.v) : t.v;
  const auto type = moving.scalar_type();
  Tensor gradient = t.gradient.to(type);
  std::optional<Tensor> divisor, stays;
  if (guard.defined()) {
    stays = guard[1].eq(0).to(at::kFloat);
    if (t.weight.is_cpu()) {
      gradient = t.gradient.to(guard.scalar_type()).mul(guard[0]).to(type);
    } else {  // by the operator itself, in fp32; it writes the quotient to the gradient
      divisor = guard[0].to(at::kFloat).reciprocal();
      if (gradient.is_same(t.gradient)) gradient = gradient.clone();
    }
  }
  const Tensor updates =
      at::full({}, static_cast<double>(step.updates), moving.options().dtype(at::kFloat));
  const std::vector<Tensor> w{moving}, g{gradient}, ms{m}, vs{v}, none, steps{updates};
  at::_fused_adamw_(w, g, ms, vs, none, steps, step.lr, step.beta1, step.beta2, step.weight_decay,
                    step.eps, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/divisor,
                    /*found_inf=*/stays);
  if (kahan) {
    t.m.copy_(m);
    t.v.copy_(v);
    t.weight.copy_(moving);
    t.term.copy_(moving.sub(wide(t.weight)));
  }
  const Tensor after = kahan ? wide(t.weight).add_(t.term) : moving;
  const Tensor away = after.sub(t.start);
  const auto wide_type = away.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::stack(
      {at::ne(before, after).sum().to(at::kDouble),
       at::linalg_vector_norm(away, 2, {}, false, wide_type).to(at::kDouble).square()});
}

namespace plain {
namespace {
Tensor opened(const Tensor& gate, bool gelu) {
  return gelu ? at::gelu(gate, "tanh") : at::silu(gate);
}
}  // namespace

std::tuple<Tensor, Tensor> rms_norm(const Tensor& x, const Tensor& w, double eps) {
  const Tensor wide = x.to(at::kFloat);
  const Tensor inverse = (wide.square().mean(-1, true) + eps).rsqrt();
  const Tensor normed = wide * inverse;
  const bool rounds = w.scalar_type() == x.scalar_type();
  const Tensor y = rounds ? w * normed.to(x.scalar_type()) : (w * normed).to(x.scalar_type());
  return {y, inverse.flatten()};
}
std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                             const Tensor& inverse, bool of_weight) {
  auto sizes = x.sizes().vec();
  sizes.back() = 1;
  const Tensor s = inverse.view(sizes), wide = x.to(at::kFloat), d = dy.to(at::kFloat);
  const Tensor g = d * w;
  const Tensor dx = s * (g - wide * ((g * wide).mean(-1, true) * s.square()));
  Tensor dw;
  if (of_weight) dw = (d * wide * s).view({-1, x.size(-1)}).sum(0).to(w.scalar_type());
  return {dx.to(x.scalar_type()), dw};
}
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin, double turn) {
  const auto half = x.size(2) / 2;
  const Tensor turned = at::cat({-x.narrow(2, half, half), x.narrow(2, 0, half)}, 2);
  return x * cos + turned * (turn < 0 ? -sin : sin);
}
Tensor gated(const Tensor& gate, const Tensor& up, bool gelu) { return opened(gate, gelu) * up; }
std::tuple<Tensor, Tensor> gated_backward(const Tensor& dy, const Tensor& gate, const Tensor& up,
                                          bool gelu) {
  const Tensor d = dy * up;
  return {gelu ? at::gelu_backward(d, gate, "tanh") : at::silu_backward(d, gate),
          dy * opened(gate, gelu)};
}

Tensor merge_attention(Tensor& out, const Tensor& lse, const Tensor& other,
                       const Tensor& other_lse) {
  Tensor merged = at::logaddexp(lse, other_lse);  // [H,n]
  const auto share = [&](const Tensor& part) {
    return part.sub(merged).exp().t().unsqueeze(2);  // [n,H,1]
  };
  out.copy_(share(lse) * out + share(other_lse) * other);
  return merged;
}

}  // namespace plain

}  // namespace seawall::device
