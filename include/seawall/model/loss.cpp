#include "seawall/model/loss.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/model/gemm.hpp"
#include "seawall/model/kernels.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/model/stack.hpp"

namespace seawall {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t chunk_bytes = 64 << 20;  // logits held at once

at::ScalarType loss_type(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// Rows a chunk, evenly spread.
std::int64_t chunk_rows(std::int64_t n, const Tensor& head) {
  const auto most = std::clamp<std::int64_t>(chunk_bytes / (head.size(0) * head.element_size()), 16,
                                             std::max<std::int64_t>(n, 16));
  const auto chunks = (n + most - 1) / most;
  return chunks ? (n + chunks - 1) / chunks : 1;
}

/// Cross-entropy of rows of logits; where `scale` is given the logits become scale * d loss / d
/// logits. Shapes: logits [R,V], targets, losses, scale [R].
template <class Real>
void cross_entropy_rows(const Tensor& logits, const Tensor& targets, const Tensor& losses,
                        const Tensor& scale) {
  const auto& kernel = kernels::table<Real>();
  const auto v = logits.size(1);
  Real* const all = logits.data_ptr<Real>();
  const auto* target = targets.const_data_ptr<std::int64_t>();
  Real* const loss = losses.data_ptr<Real>();
  const Real* factor = scale.defined() ? scale.const_data_ptr<Real>() : nullptr;
  at::parallel_for(0, logits.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = begin; r < end; ++r) {
      Real* row = all + r * v;
      const Real lse = kernel.log_sum_exp(row, v);
      loss[r] = lse - row[target[r]];
      if (!factor) continue;
      kernel.scaled_exp(row, lse, factor[r], v);
      row[target[r]] -= factor[r];
    }
  });
}

/// The same with ATen operators, for every device and type; returns the gradient in the type of
/// `logits`.
Tensor cross_entropy_aten(const Tensor& logits, const Tensor& targets, const Tensor& losses,
                          const Tensor& scale) {
  const Tensor wide = logits.to(losses.scalar_type());
  const Tensor lse = wide.logsumexp(1, true), at_target = targets.unsqueeze(1);  // [R,1]
  losses.copy_((lse - wide.gather(1, at_target)).squeeze(1));
  if (!scale.defined()) return {};
  const Tensor factor = scale.unsqueeze(1);
  return wide.sub(lse)
      .exp_()
      .mul_(factor)
      .scatter_add_(1, at_target, -factor)
      .to(logits.scalar_type());
}

enum class Layout { plain, transposed_left, transposed_right };

template <class Real>
void cpu_product(const Tensor& c, const Tensor& a, const Tensor& b, Layout layout, bool add) {
  const bool left = layout == Layout::transposed_left, right = layout == Layout::transposed_right;
  cpu::gemm<Real>(left, right, {c.size(0), c.size(1), left ? a.size(0) : a.size(1)},
                  {a.const_data_ptr<Real>(), a.stride(0)}, {b.const_data_ptr<Real>(), b.stride(0)},
                  {c.data_ptr<Real>(), c.stride(0)}, add ? cpu::Store::add : cpu::Store::set);
}

/// c = a b (+ c). Operands have contiguous rows.
void product(Tensor& c, const Tensor& a, const Tensor& b, Layout layout, bool add) {
  if (can_fuse({a, b}))
    return c.scalar_type() == at::kFloat ? cpu_product<float>(c, a, b, layout, add)
                                         : cpu_product<double>(c, a, b, layout, add);
  at::addmm_out(c, c, layout == Layout::transposed_left ? a.t() : a,
                layout == Layout::transposed_right ? b.t() : b, add ? 1 : 0, 1);
}

struct HeadGradients {
  Tensor hidden, norm, head;
};
struct Wanted {
  bool hidden = false, norm = false, head = false;
  bool any() const { return hidden || norm || head; }
};

/// Losses of all targets into `losses`, and gradients of sum(scale * losses) where wanted.
HeadGradients head_pass(const HeadInputs& in, const Targets& targets, const Tensor& losses,
                        const Tensor& scale, Wanted wanted) {
  const Tensor rows = in.hidden.index_select(0, targets.sources);   // [N,C]
  const Tensor normed = composite_rms_norm(rows, in.norm, in.eps);  // [N,C]
  const bool fused = can_fuse({in.hidden, in.head});
  const auto n = rows.size(0), step = chunk_rows(n, in.head);
  HeadGradients out;
  Tensor d_normed;
  if (wanted.hidden || wanted.norm) d_normed = at::empty_like(normed);
  if (wanted.head) out.head = at::empty_like(in.head, at::MemoryFormat::Contiguous);
  Tensor buffer = at::empty({std::min(step, n), in.head.size(0)}, rows.options());
  for (std::int64_t begin = 0; begin < n; begin += step) {
    const auto count = std::min(step, n - begin);
    auto part = [&](const Tensor& t) { return t.narrow(0, begin, count); };
    Tensor logits = buffer.narrow(0, 0, count);  // [R,V]
    product(logits, part(normed), in.head, Layout::transposed_right, false);
    const Tensor factor = wanted.any() ? part(scale) : Tensor();
    if (fused && rows.scalar_type() == at::kFloat)
      cross_entropy_rows<float>(logits, part(targets.ids), part(losses), factor);
    else if (fused)
      cross_entropy_rows<double>(logits, part(targets.ids), part(losses), factor);
    else
      logits = cross_entropy_aten(logits, part(targets.ids), part(losses), factor);
    if (d_normed.defined()) {
      auto to = part(d_normed);
      product(to, logits, in.head, Layout::plain, false);
    }
    if (wanted.head) product(out.head, logits, part(normed), Layout::transposed_left, begin > 0);
  }
  if (!d_normed.defined()) return out;
  // Through the norm: with s = 1/rms, dx = s g - s^3 x (g.x)/C for g = d_normed * w.
  const auto wide = loss_type(rows);
  const Tensor x = rows.to(wide), dy = d_normed.to(wide);
  const Tensor s = (x.pow(2).mean(1, true) + in.eps).rsqrt();  // [N,1]
  const Tensor g = dy * in.norm.to(wide);
  if (wanted.norm) out.norm = (dy * x * s).sum(0).to(in.norm.scalar_type());
  if (!wanted.hidden) return out;
  const Tensor dx = g * s - x * ((g * x).mean(1, true) * s.pow(3));
  out.hidden = at::zeros_like(in.hidden, at::MemoryFormat::Contiguous);
  out.hidden.index_add_(0, targets.sources, dx.to(in.hidden.scalar_type()));
  return out;
}

void refuse_second_order() {
  if (at::GradMode::is_enabled())
    throw RunError(
        "decoder loss: second derivatives are not implemented; call backward without create_graph");
}

struct FusedLoss : torch::autograd::Function<FusedLoss> {
  static Tensor forward(AutogradContext* ctx, const Targets* targets, Wanted wanted, double eps,
                        const Tensor& hidden, const Tensor& norm, const Tensor& head) {
    const auto n = targets->ids.size(0);
    const auto options = hidden.options().dtype(loss_type(hidden));
    const Tensor losses = at::empty({n}, options);
    const Tensor scale = at::full({n}, 1.0 / static_cast<double>(n), options);
    auto grads = head_pass({hidden, norm, head, eps}, *targets, losses, scale, wanted);
    ctx->save_for_backward({grads.hidden, grads.norm, grads.head});
    return losses.mean();
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    refuse_second_order();
    auto grads = ctx->get_saved_variables();
    const bool keep = torch::autograd::get_current_graph_task_keep_graph();
    const bool plain =
        d_out[0].is_cpu() && d_out[0].item<double>() == 1.0;  // saves a pass over [V,C]
    for (auto& g : grads)
      if (g.defined() && !(plain && !keep))
        g = keep ? g * d_out[0].to(g.scalar_type()) : g.mul_(d_out[0].to(g.scalar_type()));
    return {Tensor(), Tensor(), Tensor(), grads[0], grads[1], grads[2]};
  }
};

struct TokenLosses : torch::autograd::Function<TokenLosses> {
  static Tensor forward(AutogradContext* ctx, const Targets* targets, double eps,
                        const Tensor& hidden, const Tensor& norm, const Tensor& head) {
    Tensor losses = at::empty({targets->ids.size(0)}, hidden.options().dtype(loss_type(hidden)));
    head_pass({hidden, norm, head, eps}, *targets, losses, {}, {});
    ctx->save_for_backward({hidden, norm, head, targets->sources, targets->ids});
    ctx->saved_data["eps"] = eps;
    return losses;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    const Targets targets{saved[3], saved[4]};
    const Wanted wanted{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                        ctx->needs_input_grad(2)};
    const Tensor losses = at::empty_like(d_out[0], at::MemoryFormat::Contiguous);
    auto grads = head_pass({saved[0], saved[1], saved[2], ctx->saved_data["eps"].toDouble()},
                           targets, losses, d_out[0].contiguous(), wanted);
    return {Tensor(), Tensor(), grads.hidden, grads.norm, grads.head};
  }
};

}  // namespace

Tensor fused_loss(const HeadInputs& in, const Targets& targets) {
  const bool on = at::GradMode::is_enabled();
  const Wanted wanted{on && in.hidden.requires_grad(), on && in.norm.requires_grad(),
                      on && in.head.requires_grad()};
  return FusedLoss::apply(&targets, wanted, in.eps, in.hidden, in.norm, in.head);
}

Tensor token_losses(const HeadInputs& in, const Targets& targets) {
  return TokenLosses::apply(&targets, in.eps, in.hidden, in.norm, in.head);
}

}  // namespace seawall
