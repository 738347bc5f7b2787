#include "model/loss.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/embedding_dense_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "model/blocks.hpp"
#include "model/gemm.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/kernels.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t chunk_bytes = 64 << 20;  // logits held at once

at::ScalarType loss_type(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// Rows a chunk, evenly spread. Logits are [R,v] of `value_bytes` each.
std::int64_t chunk_rows(std::int64_t n, std::int64_t v, std::int64_t value_bytes) {
  const auto most =
      std::clamp<std::int64_t>(chunk_bytes / (v * value_bytes), 16, std::max<std::int64_t>(n, 16));
  const auto chunks = (n + most - 1) / most;
  return chunks ? (n + chunks - 1) / chunks : 1;
}

/// Cross-entropy of rows of logits; where `scale` is given the logits become scale * d loss / d
/// logits. Both are rounded to what `Weight` can store. Shapes: logits [R,V], targets, losses,
/// scale [R].
template <class Real, class Weight>
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
      cpu::settle<Weight>(row, v);
      const Real lse = kernel.log_sum_exp(row, v);
      loss[r] = lse - row[target[r]];
      if (!factor) continue;
      kernel.scaled_exp(row, lse, factor[r], v);
      row[target[r]] -= factor[r];
      cpu::settle<Weight>(row, v);
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

/// The three products of the head. Operands have contiguous rows; what is not a weight may be
/// wider than it.
template <class Real, class Weight>
struct CpuHead {
  using In = cpu::View<const Real>;
  static In in(const Tensor& t) { return {t.const_data_ptr<Real>(), t.stride(0)}; }
  static cpu::View<Real> out(const Tensor& t) { return {t.data_ptr<Real>(), t.stride(0)}; }
  static cpu::Size size(const Tensor& rows, const Tensor& w) {
    return {rows.size(0), w.size(0), w.size(1)};
  }
  static void logits(const Tensor& x, const Tensor& w, const Tensor& y) {
    cpu::linear<Real>(size(x, w), in(x), static_cast<const Weight*>(w.const_data_ptr()), out(y));
  }
  static void input(const Tensor& dy, const Tensor& w, const Tensor& dx) {
    cpu::grad_input<Real>(size(dy, w), in(dy), static_cast<const Weight*>(w.const_data_ptr()),
                          out(dx));
    cpu::settle<Weight>(dx.data_ptr<Real>(), dx.numel());
  }
  static void weight(const Tensor& dy, const Tensor& x, const Tensor& dw, bool add) {
    cpu::grad_weight<Real>(size(dy, dw), in(dy), in(x), static_cast<Weight*>(dw.data_ptr()),
                           add ? cpu::Store::add : cpu::Store::set);
  }
  static void losses(Tensor& logits, const Tensor& targets, const Tensor& losses,
                     const Tensor& scale) {
    cross_entropy_rows<Real, Weight>(logits, targets, losses, scale);
  }
  static Tensor settled(const Tensor& gradient) {
    Tensor out = gradient.to(c10::CppTypeToScalarType<Real>::value).contiguous();
    cpu::settle<Weight>(out.data_ptr<Real>(), out.numel());
    return out;
  }
};

/// The same with ATen operators.
struct AtenHead {
  static void logits(const Tensor& x, const Tensor& w, Tensor& y) { at::mm_out(y, x, w.t()); }
  static void input(const Tensor& dy, const Tensor& w, Tensor dx) { at::mm_out(dx, dy, w); }
  static void weight(const Tensor& dy, const Tensor& x, Tensor& dw, bool add) {
    at::addmm_out(dw, dw, dy.t(), x, add ? 1 : 0, 1);
  }
  static void losses(Tensor& logits, const Tensor& targets, const Tensor& losses,
                     const Tensor& scale) {
    logits = cross_entropy_aten(logits, targets, losses, scale);
  }
  static Tensor settled(const Tensor& gradient) { return gradient; }
};

/// Calls f(head, type computed in) with the one of these that fits.
template <class F>
auto with_head(const HeadInputs& in, F&& f) {
  const auto type = in.head.scalar_type();
  if (!can_fuse({in.hidden, in.head})) return f(AtenHead{}, type);
  if (type == at::kBFloat16) return f(CpuHead<float, cpu::Bf16>{}, at::kFloat);
  if (type == at::kDouble) return f(CpuHead<double, double>{}, type);
  return f(CpuHead<float, float>{}, type);
}

struct HeadGradients {
  Tensor hidden, norm, head;
};
struct Wanted {
  bool hidden = false, norm = false, head = false;
  bool any() const { return hidden || norm || head; }
};

/// Logits become cap tanh(logit / cap). Returns the derivative if it is wanted. Shapes: [R,V].
Tensor capped(Tensor& logits, double cap, bool wanted) {
  logits.div_(cap).tanh_();
  Tensor slope = wanted ? 1 - logits.square() : Tensor();
  logits.mul_(cap);
  return slope;
}

/// The rows that a head sees. Shapes: sources [N], or undefined for every row of `hidden`.
struct HeadRows {
  Tensor sources;
  std::int64_t held = 1;  // tensors of a chunk's size that `row_loss` needs at once
};

/// Gradients, where wanted, of a sum over rows of which row_loss(first row, logits [R,V]) makes
/// each chunk's gradient out of its logits. `type`: of what is computed.
template <class Head, class RowLoss>
HeadGradients head_pass_of(const HeadInputs& in, const HeadRows& which, Wanted wanted,
                           at::ScalarType type, const RowLoss& row_loss) {
  const bool some = which.sources.defined();
  const Tensor rows = some ? in.hidden.index_select(0, which.sources) : in.hidden;        // [N,C]
  const Tensor normed = composite_rms_norm(rows, in.norm, in.eps).to(type).contiguous();  // [N,C]
  const auto n = rows.size(0), v = in.head.size(0),
             step = chunk_rows(n, v, normed.element_size() * which.held);
  HeadGradients out;
  Tensor d_normed;
  if (wanted.hidden || wanted.norm) d_normed = at::empty_like(normed);
  if (wanted.head) out.head = at::empty_like(in.head, at::MemoryFormat::Contiguous);
  Tensor buffer = at::empty({std::min(step, n), v}, normed.options());
  for (std::int64_t begin = 0; begin < n; begin += step) {
    const auto count = std::min(step, n - begin);
    auto part = [&](const Tensor& t) { return t.narrow(0, begin, count); };
    Tensor logits = buffer.narrow(0, 0, count);  // [R,V]
    Head::logits(part(normed), in.head, logits);
    const Tensor slope = in.cap > 0 ? capped(logits, in.cap, wanted.any()) : Tensor();
    row_loss(begin, logits);
    if (slope.defined()) logits.mul_(slope);
    if (d_normed.defined()) Head::input(logits, in.head, part(d_normed));
    if (wanted.head) Head::weight(logits, part(normed), out.head, begin > 0);
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
  out.hidden = dx.to(in.hidden.scalar_type());
  if (!some) return out;
  // A token may predict for several rows. CUDA adds by index in any order, rows of an embedding in
  // a fixed one.
  out.hidden = in.hidden.is_cpu()
                   ? at::zeros_like(in.hidden, at::MemoryFormat::Contiguous)
                         .index_add_(0, which.sources, out.hidden)
                   : at::embedding_dense_backward(out.hidden, which.sources, in.hidden.size(0), -1,
                                                  /*scale_grad_by_freq=*/false);
  return out;
}

/// Losses of all targets into `losses`, and gradients of sum(scale * losses) where wanted.
HeadGradients head_pass(const HeadInputs& in, const Targets& targets, const Tensor& losses,
                        const Tensor& scale, Wanted wanted) {
  return with_head(in, [&](auto head, at::ScalarType type) {
    return head_pass_of<decltype(head)>(
        in, {targets.sources}, wanted, type, [&](std::int64_t begin, Tensor& logits) {
          auto part = [&](const Tensor& t) { return t.narrow(0, begin, logits.size(0)); };
          head.losses(logits, part(targets.ids), part(losses),
                      wanted.any() ? part(scale) : Tensor());
        });
  });
}

/// Log-probabilities in `wide`, not differentiated. Shapes: rows [R,C] -> [R,V].
Tensor log_shares(const HeadInputs& in, const Tensor& rows, at::ScalarType wide) {
  Tensor logits = with_head(in, [&](auto head, at::ScalarType type) {
    const Tensor normed = composite_rms_norm(rows, in.norm, in.eps).to(type).contiguous();
    Tensor y = at::empty({rows.size(0), in.head.size(0)}, normed.options());
    head.logits(normed, in.head, y);
    return y;
  });
  if (in.cap > 0) capped(logits, in.cap, false);
  return logits.to(wide).log_softmax(-1);
}

/// Divergence of each row and, if `weights` is given, the gradient of the sum of weights *
/// divergence in the logits of `now`. Shapes: now, start [R,V] log-probabilities, weights [R] ->
/// [R], [R,V].
std::pair<Tensor, Tensor> kl_of_rows(const Tensor& now, const Tensor& start, KlDirection direction,
                                     const Tensor& weights) {
  const bool forward = direction == KlDirection::start_now;
  const Tensor shares = (forward ? start : now).exp();
  const Tensor ratio = forward ? start - now : now - start;
  const Tensor kl = (shares * ratio).sum(-1, true);  // [R,1]
  if (!weights.defined()) return {kl.squeeze(1), {}};
  Tensor gradient = forward ? now.exp().sub_(shares) : shares * (ratio - kl);
  return {kl.squeeze(1), gradient.mul_(weights.unsqueeze(1))};
}

/// The divergences [M] and, where wanted, the gradients of their weighted sum.
std::pair<Tensor, HeadGradients> kl_pass(const HeadInputs& now, const HeadInputs& start,
                                         const Tensor& weights, KlDirection direction,
                                         Wanted wanted) {
  const auto wide = loss_type(now.hidden);
  const Tensor scale = weights.to(wide);
  const Tensor each = at::empty_like(scale);
  auto grads = with_head(now, [&](auto head, at::ScalarType type) {
    return head_pass_of<decltype(head)>(
        now, {.sources = {}, .held = 6}, wanted, type, [&](std::int64_t begin, Tensor& logits) {
          auto part = [&](const Tensor& t) { return t.narrow(0, begin, logits.size(0)); };
          const auto [kl, gradient] = kl_of_rows(logits.to(wide).log_softmax(-1),
                                                 log_shares(start, part(start.hidden), wide),
                                                 direction, wanted.any() ? part(scale) : Tensor());
          part(each).copy_(kl);
          if (gradient.defined()) logits = head.settled(gradient.to(logits.scalar_type()));
        });
  });
  return {each, grads};
}

void refuse_second_order() {
  if (at::GradMode::is_enabled())
    throw RunError(
        "decoder loss: second derivatives are not implemented; call backward without create_graph");
}

/// A scalar whose gradients `make` makes in the forward pass.
struct MadeAhead : torch::autograd::Function<MadeAhead> {
  using Make = std::function<std::pair<Tensor, HeadGradients>(Wanted)>;
  static Tensor forward(AutogradContext* ctx, const Make* make, Wanted wanted, const Tensor&,
                        const Tensor&, const Tensor&) {
    auto [value, grads] = (*make)(wanted);
    ctx->save_for_backward({grads.hidden, grads.norm, grads.head});
    return value;
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
    return {Tensor(), Tensor(), grads[0], grads[1], grads[2]};
  }
  static Tensor of(const HeadInputs& in, const Make& make) {
    const bool on = at::GradMode::is_enabled();
    const Wanted wanted{on && in.hidden.requires_grad(), on && in.norm.requires_grad(),
                        on && in.head.requires_grad()};
    return apply(&make, wanted, in.hidden, in.norm, in.head);
  }
};

struct TokenLosses : torch::autograd::Function<TokenLosses> {
  static Tensor forward(AutogradContext* ctx, const Targets* targets, double eps, double cap,
                        const Tensor& hidden, const Tensor& norm, const Tensor& head) {
    Tensor losses = at::empty({targets->ids.size(0)}, hidden.options().dtype(loss_type(hidden)));
    head_pass({hidden, norm, head, eps, cap}, *targets, losses, {}, {});
    ctx->save_for_backward({hidden, norm, head, targets->sources, targets->ids});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["cap"] = cap;
    return losses;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    const Targets targets{saved[3], saved[4]};
    const Wanted wanted{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                        ctx->needs_input_grad(2)};
    const Tensor losses = at::empty_like(d_out[0], at::MemoryFormat::Contiguous);
    auto grads = head_pass({saved[0], saved[1], saved[2], ctx->saved_data["eps"].toDouble(),
                            ctx->saved_data["cap"].toDouble()},
                           targets, losses, d_out[0].contiguous(), wanted);
    return {Tensor(), Tensor(), Tensor(), grads.hidden, grads.norm, grads.head};
  }
};

struct Bf16Logits : torch::autograd::Function<Bf16Logits> {
  using Head = CpuHead<float, cpu::Bf16>;
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w) {
    ctx->save_for_backward({x, w});
    const Tensor wide = x.to(at::kFloat).contiguous();
    const Tensor y = at::empty({x.size(0), w.size(0)}, wide.options());
    Head::logits(wide, w, y);
    return y.to(at::kBFloat16);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    refuse_second_order();
    const auto saved = ctx->get_saved_variables();
    const Tensor x = saved[0].to(at::kFloat).contiguous(), &w = saved[1],
                 dy = d_out[0].to(at::kFloat).contiguous();
    variable_list out(2);
    if (ctx->needs_input_grad(0)) {
      const Tensor dx = at::empty_like(x);
      Head::input(dy, w, dx);
      out[0] = dx.to(at::kBFloat16);
    }
    if (ctx->needs_input_grad(1)) {
      out[1] = at::empty_like(w, at::MemoryFormat::Contiguous);
      Head::weight(dy, x, out[1], false);
    }
    return out;
  }
};

}  // namespace

Tensor head_logits(const Tensor& x, const Tensor& head) {
  if (head.scalar_type() == at::kBFloat16 && can_fuse({x.contiguous(), head}))
    return Bf16Logits::apply(x, head);
  return at::linear(x, head);
}

Tensor fused_loss(const HeadInputs& in, const Targets& targets, Tensor* each) {
  return MadeAhead::of(in, [&](Wanted wanted) {
    const auto n = targets.ids.size(0);
    const auto options = in.hidden.options().dtype(loss_type(in.hidden));
    const Tensor losses = at::empty({n}, options);
    const Tensor scale = at::full({n}, 1.0 / static_cast<double>(n), options);
    auto grads = head_pass(in, targets, losses, scale, wanted);
    if (each != nullptr) *each = losses;
    return std::pair(losses.mean(), std::move(grads));
  });
}

Tensor kl_loss(const HeadInputs& now, const HeadInputs& start, const Tensor& weights,
               KlDirection direction) {
  return MadeAhead::of(now, [&](Wanted wanted) {
    auto [each, gradients] = kl_pass(now, start, weights, direction, wanted);
    return std::pair((each * weights.to(each.scalar_type())).sum(), std::move(gradients));
  });
}

Tensor kl_rows(const HeadInputs& now, const HeadInputs& start, KlDirection direction) {
  const Tensor weights = at::full({now.hidden.size(0)}, 1, now.hidden.options());
  return kl_pass(now, start, weights, direction, {}).first;
}

Tensor token_losses(const HeadInputs& in, const Targets& targets) {
  return TokenLosses::apply(&targets, in.eps, in.cap, in.hidden, in.norm, in.head);
}

}  // namespace seawall
