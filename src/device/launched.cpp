// The operators by our kernels on a GPU: kernels.cu has what each launch computes and the types of
// its arguments.
#include <ATen/Functions.h>

#include <algorithm>

#include "device/kernels.hpp"

namespace seawall::device::launched {
namespace {

using rows::Count, rows::packs_a_block;

Count over(Count n, Count a_block) { return (n + a_block - 1) / a_block; }

void* address(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// Whether eight values at a time may be moved of each.
bool in_packs(std::initializer_list<const Tensor*> tensors) {
  return std::ranges::all_of(tensors, [](const Tensor* t) {
    return reinterpret_cast<std::uintptr_t>(address(*t)) % 16 == 0;
  });
}
bool contiguous(std::initializer_list<const Tensor*> tensors) {
  return std::ranges::all_of(tensors, [](const Tensor* t) { return t->is_contiguous(); });
}
bool of_type(at::ScalarType type, std::initializer_list<const Tensor*> tensors) {
  return std::ranges::all_of(tensors, [type](const Tensor* t) { return t->scalar_type() == type; });
}
/// The word that kernels.cu has for a type; empty for others.
std::string word_of(const Tensor& t) {
  return t.scalar_type() == at::kFloat ? "f32" : t.scalar_type() == at::kBFloat16 ? "bf16" : "";
}
/// The kernel of RMSNorm for these types; empty where there is none.
std::string norm_kernel(const Tensor& x, const Tensor& w) {
  const std::string type = word_of(x), of_weight = word_of(w);
  if (type.empty() || of_weight.empty() || (type == "f32" && of_weight != "f32")) return "";
  return "rms_norm_" + type + (type == of_weight ? "" : "_" + of_weight);
}

}  // namespace

std::optional<Tensor> adamw(KernelSet& set, const AdamWStep& step, const AdamWTensors& t,
                            const Tensor& guard) {
  const std::string weight = word_of(t.weight), gradient = word_of(t.gradient);
  if (weight.empty() || gradient.empty() || (weight == "bf16" && gradient == "f32")) return {};
  const std::string start = word_of(t.start);
  if (!of_type(t.weight.scalar_type(), {&t.m, &t.v}) || (start != weight && start != "bf16") ||
      !contiguous({&t.weight, &t.gradient, &t.m, &t.v, &t.start}))
    return {};
  const Count n = t.weight.numel();
  const bool wide =
      n % 8 == 0 && in_packs({&t.weight, &t.gradient, &t.m, &t.v, &t.start, &t.term, &t.master});
  const Count packs = wide ? n / 8 : n, blocks = over(packs, packs_a_block);
  const rows::AdamWTensors<void, void> all{address(t.weight),
                                           address(t.gradient),
                                           address(t.m),
                                           address(t.v),
                                           address(t.start),
                                           static_cast<rows::Bf16*>(address(t.term)),
                                           static_cast<float*>(address(t.master))};
  const Tensor parts = at::empty({blocks, 2}, t.weight.options().dtype(at::kDouble));
  set.launch("adamw_" + weight + (weight == gradient ? "" : "_" + gradient) +
                 (weight == start ? "" : "_from_" + start) + (wide ? "" : "_one"),
             blocks, scalars_of(step), address(guard), all, packs, address(parts));
  return parts.sum(0);
}

std::optional<std::tuple<Tensor, Tensor>> rms_norm(KernelSet& set, const Tensor& x, const Tensor& w,
                                                   double eps) {
  const Count n = x.size(-1);
  const std::string kernel = norm_kernel(x, w);
  if (kernel.empty() || n % 8 != 0 || !contiguous({&x, &w}) || !in_packs({&x, &w})) return {};
  Tensor y = at::empty_like(x);
  Tensor inverse = at::empty({x.numel() / n}, x.options().dtype(at::kFloat));
  set.launch(kernel, inverse.numel(), address(x), address(w), address(y), address(inverse), n,
             static_cast<float>(eps));
  return std::tuple(y, inverse);
}

std::optional<std::tuple<Tensor, Tensor>> rms_norm_backward(KernelSet& set, const Tensor& dy,
                                                            const Tensor& x, const Tensor& w,
                                                            const Tensor& inverse, bool of_weight) {
  const Count n = x.size(-1), rows_in = x.numel() / n;
  const std::string kernel = norm_kernel(x, w);
  if (kernel.empty() || n % 8 != 0 || !of_type(x.scalar_type(), {&dy}) ||
      !contiguous({&x, &w, &dy}) || !in_packs({&x, &w, &dy}))
    return {};
  Tensor dx = at::empty_like(x), dw;
  set.launch(kernel + "_back", rows_in, address(x), address(w), address(dy), address(inverse),
             address(dx), n);
  if (!of_weight) return std::tuple(dx, dw);
  constexpr Count rows_a_block = 16;
  const Tensor parts = at::empty({over(rows_in, rows_a_block), n}, x.options().dtype(at::kFloat));
  set.launch("rms_norm_weight_" + word_of(x), parts.size(0), address(x), address(dy),
             address(inverse), address(parts), rows_in, rows_a_block, n);
  return std::tuple(dx, parts.sum(0).to(w.scalar_type()));
}

std::optional<Tensor> rotary(KernelSet& set, const Tensor& x, const Tensor& cos, const Tensor& sin,
                             double turn) {
  const Count heads = x.size(1), half = x.size(2) / 2;
  const std::string type = word_of(x);
  if (type.empty() || half % 8 != 0 || !of_type(x.scalar_type(), {&cos, &sin}) ||
      !contiguous({&x, &cos, &sin}) || !in_packs({&x, &cos, &sin}))
    return {};
  Tensor y = at::empty_like(x);
  set.launch("rotary_" + type, x.size(0), address(x), address(cos), address(sin), address(y), heads,
             half, static_cast<float>(turn));
  return y;
}

std::optional<Tensor> gated(KernelSet& set, const Tensor& gate, const Tensor& up, bool gelu) {
  const std::string type = word_of(gate);
  if (type.empty() || gate.numel() % 8 != 0 || !of_type(gate.scalar_type(), {&up}) ||
      !contiguous({&gate, &up}) || !in_packs({&gate, &up}))
    return {};
  Tensor y = at::empty_like(gate);
  const Count packs = gate.numel() / 8;
  set.launch("gate_" + type, over(packs, packs_a_block), address(gate), address(up), address(y),
             packs, gelu);
  return y;
}

std::optional<std::tuple<Tensor, Tensor>> gated_backward(KernelSet& set, const Tensor& dy,
                                                         const Tensor& gate, const Tensor& up,
                                                         bool gelu) {
  const std::string type = word_of(gate);
  if (type.empty() || gate.numel() % 8 != 0 || !of_type(gate.scalar_type(), {&up, &dy}) ||
      !contiguous({&gate, &up, &dy}) || !in_packs({&gate, &up, &dy}))
    return {};
  Tensor d_gate = at::empty_like(gate), d_up = at::empty_like(up);
  const Count packs = gate.numel() / 8;
  set.launch("gate_back_" + type, over(packs, packs_a_block), address(gate), address(up),
             address(dy), address(d_gate), address(d_up), packs, gelu);
  return std::tuple(d_gate, d_up);
}

std::optional<Tensor> merge_attention(KernelSet& set, Tensor& out, const Tensor& lse,
                                      const Tensor& other, const Tensor& other_lse) {
  const Count heads = out.size(1), d = out.size(2);
  const std::string type = word_of(out);
  if (type.empty() || d % 8 != 0 || !of_type(out.scalar_type(), {&other}) ||
      !of_type(at::kFloat, {&lse, &other_lse}) || !contiguous({&out, &other, &other_lse}) ||
      lse.stride(1) != 1 || !in_packs({&out, &other}))
    return {};
  Tensor merged = at::empty(other_lse.sizes(), other_lse.options());
  set.launch("merge_" + type, out.size(0), address(out), address(other), address(lse),
             address(other_lse), address(merged), heads, d, Count{lse.stride(0)},
             Count{other_lse.stride(0)});
  return merged;
}

}  // namespace seawall::device::launched

namespace seawall::device {
namespace {

/// What the kernel gives, or its twin where it may not run.
template <class Launched, class Plain>
auto either(const Tensor& on, Kernel kernel, const Launched& launched, const Plain& plain) {
  if (KernelSet* const set = kernels_for(on.device(), kernel))
    if (auto out = launched(*set)) return *std::move(out);
  return plain();
}

Tensor adamw_there(Tensor& weight, const Tensor& gradient, Tensor& m, Tensor& v,
                   const Tensor& start, const std::optional<Tensor>& term,
                   const std::optional<Tensor>& master, const Tensor& guard, double lr,
                   double beta1, double beta2, double eps, double weight_decay,
                   std::int64_t updates) {
  const AdamWStep step{lr, beta1, beta2, eps, weight_decay, updates};
  const AdamWTensors all{
      weight, gradient, m, v, start, term.value_or(Tensor()), master.value_or(Tensor())};
  return either(
      weight, Kernel::adamw, [&](KernelSet& set) { return launched::adamw(set, step, all, guard); },
      [&] { return plain_adamw(step, all, guard); });
}
std::tuple<Tensor, Tensor> rms_norm_there(const Tensor& x, const Tensor& w, double eps) {
  return either(
      x, Kernel::rms_norm, [&](KernelSet& set) { return launched::rms_norm(set, x, w, eps); },
      [&] { return plain::rms_norm(x, w, eps); });
}
std::tuple<Tensor, Tensor> rms_norm_backward_there(const Tensor& dy, const Tensor& x,
                                                   const Tensor& w, const Tensor& inverse,
                                                   bool of_weight) {
  return either(
      x, Kernel::rms_norm,
      [&](KernelSet& set) {
        return launched::rms_norm_backward(set, dy, x, w, inverse, of_weight);
      },
      [&] { return plain::rms_norm_backward(dy, x, w, inverse, of_weight); });
}
Tensor rotary_there(const Tensor& x, const Tensor& cos, const Tensor& sin, double turn) {
  return either(
      x, Kernel::rotary, [&](KernelSet& set) { return launched::rotary(set, x, cos, sin, turn); },
      [&] { return plain::rotary(x, cos, sin, turn); });
}
Tensor gated_there(const Tensor& gate, const Tensor& up, bool gelu) {
  return either(
      gate, Kernel::gate, [&](KernelSet& set) { return launched::gated(set, gate, up, gelu); },
      [&] { return plain::gated(gate, up, gelu); });
}
std::tuple<Tensor, Tensor> gated_backward_there(const Tensor& dy, const Tensor& gate,
                                                const Tensor& up, bool gelu) {
  return either(
      gate, Kernel::gate,
      [&](KernelSet& set) { return launched::gated_backward(set, dy, gate, up, gelu); },
      [&] { return plain::gated_backward(dy, gate, up, gelu); });
}
Tensor merge_attention_there(Tensor& out, const Tensor& lse, const Tensor& other,
                             const Tensor& other_lse) {
  return either(
      out, Kernel::merge,
      [&](KernelSet& set) { return launched::merge_attention(set, out, lse, other, other_lse); },
      [&] { return plain::merge_attention(out, lse, other, other_lse); });
}

}  // namespace

void add_gpu_kernels(torch::Library& m) {
  m.impl("adamw", &adamw_there);
  m.impl("rms_norm", &rms_norm_there);
  m.impl("rms_norm_backward", &rms_norm_backward_there);
  m.impl("rotary", &rotary_there);
  m.impl("gated", &gated_there);
  m.impl("gated_backward", &gated_backward_there);
  m.impl("merge_attention", &merge_attention_there);
}

}  // namespace seawall::device
