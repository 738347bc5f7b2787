#pragma once
// Quantization as an attack: rounding the weights may undo alignment. Source: Dettmers et al. 2022,
// arXiv 2208.07339, sec. 2 (symmetric rounding to the largest of a row).
#include "seawall/policy/attack.hpp"
#include "seawall/policy/changes.hpp"

namespace seawall {

/// No training: W <- round(W / s) s in each matrix of the blocks, s = max |W| of the row / (2^(bits
/// - 1) - 1), half to even. Deviation: no outlier columns are kept in full.
struct Quantize {
  static constexpr std::string_view name = "quantize",
                                    summary = "Rounds the weights to a few bits, untrained.";
  static constexpr Need needs = Need::none;
  struct Options {
    std::int64_t bits = 4;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.bits, OptionInfo{"bits", "of each weight", 2, 8});
    }
  } options;

  void tamper(Trainer& trainer) const {
    want_whole_weights(trainer);
    const auto most = static_cast<double>((1 << (options.bits - 1)) - 1);
    for (const Param& p : trainer.params()) {
      if (!in_block(p)) continue;
      const Tensor w = in_full(p.master);
      const Tensor scale = w.abs().amax(1, true).div(most);
      p.master.copy_(w.div(scale).round().mul(scale).nan_to_num());  // rows of zeros stay zero
    }
  }
};
static_assert(explain_attack<Quantize>());

}  // namespace seawall
