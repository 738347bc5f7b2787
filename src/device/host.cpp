// The operators on the host, by the row functions that a GPU's threads run: what tests compare with
// ATen, and what the pretended device computes by.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <tuple>
#include <vector>

#include "device/kernels.hpp"
#include "device/rows/attention.hpp"
#include "device/rows/block.hpp"
#include "seawall/device/operators.hpp"

namespace seawall::device {
namespace {

using rows::Bf16, rows::Count, rows::packs_a_block, rows::Team;

template <class T>
T* data(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) : nullptr;
}
template <class T>
T* data(const std::optional<Tensor>& t) {
  return t ? data<T>(*t) : nullptr;
}

bool aligned(std::initializer_list<const void*> pointers) {
  return std::ranges::all_of(
      pointers, [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
}
/// f(width): 8 where sizes and pointers allow it.
template <class F>
auto by_width(bool wide, const F& f) {
  return wide ? f(std::integral_constant<int, 8>{}) : f(std::integral_constant<int, 1>{});
}
/// f(a value of the type).
template <class F>
auto by_type(const Tensor& x, const F& f) {
  if (x.scalar_type() == at::kFloat) return f(float{});
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "want fp32 or bf16, got ", x.scalar_type());
  return f(Bf16{});
}

/// f(begin, end, block) over `packs`, as the blocks of a launch divide them.
template <class F>
void each_block(Count packs, const F& f) {
  const Count blocks = (packs + packs_a_block - 1) / packs_a_block;
  at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (Count b = first; b < last; ++b)
      f(b * packs_a_block, std::min(packs, (b + 1) * packs_a_block), b);
  });
}
template <class F>
void each_row(Count rows, const F& f) {
  at::parallel_for(0, rows, 16, [&](std::int64_t first, std::int64_t last) {
    for (Count r = first; r < last; ++r) f(r);
  });
}

Tensor adamw_here(Tensor& weight, const Tensor& gradient, Tensor& m, Tensor& v, const Tensor& start,
                  const std::optional<Tensor>& term, const std::optional<Tensor>& master,
                  const Tensor& guard, double lr, double beta1, double beta2, double eps,
                  double weight_decay, std::int64_t updates) {
  for (const Tensor& t : {gradient, m, v, start})
    TORCH_CHECK(t.is_contiguous() && t.numel() == weight.numel(), "adamw: want tensors of ",
                weight.sizes(), ", contiguous, got ", t.sizes());
  TORCH_CHECK(weight.is_contiguous() && m.scalar_type() == weight.scalar_type() &&
                  v.scalar_type() == weight.scalar_type(),
              "adamw: want weight and moments of one type");
  TORCH_CHECK(start.scalar_type() == weight.scalar_type() || start.scalar_type() == at::kBFloat16,
              "adamw: want a start in bf16 or the weight's type, got ", start.scalar_type());
  const auto scalars = scalars_of({lr, beta1, beta2, eps, weight_decay, updates});
  const auto step = [&](auto w, auto g, auto from) -> Tensor {
    using W = decltype(w);
    using G = decltype(g);
    using S = decltype(from);
    const rows::AdamWTensors<W, G, S> all{data<W>(weight),    data<G>(gradient), data<W>(m),
                                          data<W>(v),         data<S>(start),    data<Bf16>(term),
                                          data<float>(master)};
    const Count n = weight.numel();
    const bool packs = n % 8 == 0 && aligned({all.weight, all.grad, all.m, all.v, all.start,
                                              all.term, all.master});
    return by_width(packs, [&](auto width) {
      const Count count = n / width, blocks = (count + packs_a_block - 1) / packs_a_block;
      std::vector<double> parts(static_cast<std::size_t>(2 * blocks));
      each_block(count, [&](Count begin, Count end, Count block) {
        double facts[2];
        rows::adamw_rows<width()>(Team{}, scalars, guard.const_data_ptr<float>(), all, begin, end,
                                  facts);
        std::copy_n(facts, 2, parts.begin() + 2 * block);
      });
      Tensor out = at::zeros({2}, weight.options().dtype(at::kDouble));
      for (Count b = 0; b < 2 * blocks; ++b)
        out.data_ptr<double>()[b % 2] += parts[static_cast<std::size_t>(b)];
      return out;
    });
  };
  return by_type(weight, [&](auto w) {
    return by_type(gradient, [&](auto g) {
      return by_type(start, [&](auto from) { return step(w, g, from); });
    });
  });
}

std::tuple<Tensor, Tensor> rms_norm_here(const Tensor& x, const Tensor& w, double eps) {
  const Count n = x.size(-1), rows_in = x.numel() / n;
  Tensor y = at::empty_like(x);
  Tensor inverse = at::empty({rows_in}, x.options().dtype(at::kFloat));
  by_type(x, [&](auto of_x) {
    by_type(w, [&](auto of_w) {
      using T = decltype(of_x);
      using W = decltype(of_w);
      by_width(n % 8 == 0 && aligned({data<T>(x), data<W>(w)}), [&](auto width) {
        each_row(rows_in, [&](Count r) {
          inverse.data_ptr<float>()[r] =
              rows::rms_norm_row<width()>(Team{}, data<T>(x) + r * n, data<W>(w),
                                          data<T>(y) + r * n, n, static_cast<float>(eps));
        });
      });
    });
  });
  return {y, inverse};
}

std::tuple<Tensor, Tensor> rms_norm_backward_here(const Tensor& dy, const Tensor& x,
                                                  const Tensor& w, const Tensor& inverse,
                                                  bool of_weight) {
  const Count n = x.size(-1), rows_in = x.numel() / n;
  constexpr Count rows_a_block = 64;
  const Count blocks = (rows_in + rows_a_block - 1) / rows_a_block;
  Tensor dx = at::empty_like(x);
  const Tensor parts = at::empty({of_weight ? blocks : 0, n}, x.options().dtype(at::kFloat));
  const float* inverses = inverse.const_data_ptr<float>();
  by_type(x, [&](auto of_x) {
    by_type(w, [&](auto of_w) {
      using T = decltype(of_x);
      using W = decltype(of_w);
      const bool packs = n % 8 == 0 && aligned({data<T>(x), data<W>(w), data<T>(dy)});
      by_width(packs, [&](auto width) {
        each_row(rows_in, [&](Count r) {
          rows::rms_norm_back_row<width()>(Team{}, data<T>(x) + r * n, data<W>(w),
                                           data<T>(dy) + r * n, inverses[r], data<T>(dx) + r * n,
                                           n);
        });
        if (!of_weight) return;
        each_row(blocks, [&](Count b) {
          rows::rms_norm_weight_rows<width()>(Team{}, data<T>(x), data<T>(dy), inverses,
                                              parts.data_ptr<float>() + b * n, b * rows_a_block,
                                              std::min(rows_in, (b + 1) * rows_a_block), n);
        });
      });
    });
  });
  return {dx, of_weight ? parts.sum(0).to(w.scalar_type()) : Tensor()};
}

Tensor rotary_here(const Tensor& x, const Tensor& cos, const Tensor& sin, double turn) {
  const Count heads = x.size(1), d = x.size(2), half = d / 2;
  Tensor y = at::empty_like(x);
  by_type(x, [&](auto of_x) {
    using T = decltype(of_x);
    by_width(half % 8 == 0 && aligned({data<T>(x), data<T>(cos), data<T>(sin)}), [&](auto width) {
      each_row(x.size(0), [&](Count t) {
        rows::rotary_row<width()>(Team{}, data<T>(x) + t * heads * d, data<T>(cos) + t * d,
                                  data<T>(sin) + t * d, data<T>(y) + t * heads * d, heads, half,
                                  static_cast<float>(turn));
      });
    });
  });
  return y;
}

Tensor gated_here(const Tensor& gate, const Tensor& up, bool gelu) {
  Tensor y = at::empty_like(gate);
  by_type(gate, [&](auto of) {
    using T = decltype(of);
    by_width(gate.numel() % 8 == 0 && aligned({data<T>(gate), data<T>(up)}), [&](auto width) {
      each_block(gate.numel() / width, [&](Count begin, Count end, Count) {
        rows::gate_rows<width()>(Team{}, data<T>(gate), data<T>(up), data<T>(y), begin, end, gelu);
      });
    });
  });
  return y;
}

std::tuple<Tensor, Tensor> gated_backward_here(const Tensor& dy, const Tensor& gate,
                                               const Tensor& up, bool gelu) {
  Tensor d_gate = at::empty_like(gate), d_up = at::empty_like(up);
  by_type(gate, [&](auto of) {
    using T = decltype(of);
    const bool packs = gate.numel() % 8 == 0 && aligned({data<T>(gate), data<T>(up), data<T>(dy)});
    by_width(packs, [&](auto width) {
      each_block(gate.numel() / width, [&](Count begin, Count end, Count) {
        rows::gate_back_rows<width()>(Team{}, data<T>(gate), data<T>(up), data<T>(dy),
                                      data<T>(d_gate), data<T>(d_up), begin, end, gelu);
      });
    });
  });
  return {d_gate, d_up};
}

Tensor merge_attention_here(Tensor& out, const Tensor& lse, const Tensor& other,
                            const Tensor& other_lse) {
  const Count heads = out.size(1), d = out.size(2);
  Tensor merged = at::empty(other_lse.sizes(), other_lse.options());
  by_type(out, [&](auto of) {
    using T = decltype(of);
    by_width(d % 8 == 0 && aligned({data<T>(out), data<T>(other)}), [&](auto width) {
      each_row(out.size(0), [&](Count t) {
        rows::merge_row<width()>(Team{}, data<T>(out) + t * heads * d,
                                 data<T>(other) + t * heads * d, data<float>(lse) + t,
                                 data<float>(other_lse) + t, data<float>(merged) + t, heads, d,
                                 lse.stride(0), other_lse.stride(0));
      });
    });
  });
  return merged;
}

}  // namespace

void add_host_kernels(torch::Library& m) {
  m.impl("adamw", &adamw_here);
  m.impl("rms_norm", &rms_norm_here);
  m.impl("rms_norm_backward", &rms_norm_backward_here);
  m.impl("rotary", &rotary_here);
  m.impl("gated", &gated_here);
  m.impl("gated_backward", &gated_backward_here);
  m.impl("merge_attention", &merge_attention_here);
}

}  // namespace seawall::device
