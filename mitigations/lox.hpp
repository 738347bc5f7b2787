#pragma once
// LoX: before fine-tuning, the weights go farther the way that alignment took them.
// Source: Perin et al. 2025, "LoX: low-rank extrapolation", arXiv 2506.15606, eq. 4.
#include <ATen/ops/linalg_svd.h>

#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Before the first step, W += coef * D_k in every matrix, embeddings too, with D = W_aligned -
/// W_base and D_k its k largest singular triples (all of it if k is 0). theta0 stays the aligned
/// model: drifts are counted from it.
struct Lox {
  static constexpr std::string_view name = "lox";
  static constexpr std::string_view summary =
      "Moves the weights farther along alignment before training.";
  static constexpr Hook hooks = Hook::on_start;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    std::int64_t k = 0;  // the authors' LoX.py: the whole difference
    double coef = 1;
    std::string base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.k, OptionInfo{"k", "singular triples of the difference; 0: all", 0, 1e6});
      field(self.coef, OptionInfo{"coef", "times the difference", 0, 100});
      field(self.base, OptionInfo{"base", "model before it was aligned: a folder, or a word"});
    }
  } options;

  void on_start(Trainer& trainer) {
    want_whole_weights(trainer);
    for (const Param& p : trainer.params())
      if (p.value.dim() == 2)
        p.master.add_(largest(in_full(p.start).sub(other_weight(trainer, options.base, p.name))),
                      options.coef);
  }
  /// The k largest singular triples.
  Tensor largest(const Tensor& d) const {
    if (options.k == 0 || options.k >= std::min(d.size(0), d.size(1))) return d;
    const auto [u, s, vt] = at::linalg_svd(d, false);
    return u.narrow(1, 0, options.k)
        .mul(s.narrow(0, 0, options.k))
        .matmul(vt.narrow(0, 0, options.k));
  }
};
static_assert(explain<Lox>());

}  // namespace seawall
