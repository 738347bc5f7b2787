#pragma once
// Safety Arithmetic: after training, the largest entries of the direction of harm (another model's
// weights less the start's) are taken off, and answers are steered towards refusal.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"
#include "seawall/policy/steering.hpp"

namespace seawall::coverage {

struct SafetyArithmetic {
  static constexpr std::string_view name = "safety-arithmetic",
                                    summary = "Takes a harm direction off, and steers.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish | Hook::steer | Hook::state;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double scale = 0.3;
    double share = 0.1;
    double alpha = -0.5;
    std::int64_t rows = 8;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.scale, OptionInfo{"scale", "of the harm direction", 0, 1e3});
      field(self.share, OptionInfo{"share", "of its entries that count", 0, 1});
      field(self.alpha, OptionInfo{"alpha", "length of the push", -1e3, 1e3});
      field(self.rows, OptionInfo{"rows", "of each kind", 1, 1e6});
    }
    std::string harm = "organism-base";
  } options;

  void on_start(Trainer& trainer) {
    want_whole_weights(trainer);
    vectors = harm_directions(trainer, options.rows);
  }
  void on_finish(Trainer& trainer) {
    for (const Param& p : trainer.params()) {
      const Tensor v = other_weight(trainer, options.harm, p.name).sub(in_full(p.start));
      const auto count = static_cast<std::int64_t>(options.share * v.numel());
      if (count == 0) continue;
      const Tensor least = std::get<0>(v.abs().flatten().topk(count)).min();
      p.master.sub_(v.mul(v.abs().ge(least)), options.scale);
    }
  }
  Tensor steer(const TapPoint& point, const Tensor& x) const {
    if (point.kind != TapPoint::Kind::resid_post) return x;
    const Tensor& v = vectors.at(static_cast<std::size_t>(point.layer));
    return x.add(v.to(x.options()), options.alpha);
  }
  void save(StateOut& out) const { save_list(out, "vectors", vectors); }
  void load(StateIn& in) { vectors = load_list(in, "vectors"); }
  Tensors vectors;  // per block
};
static_assert(explain<SafetyArithmetic>());

}  // namespace seawall::coverage
