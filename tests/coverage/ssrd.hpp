#pragma once
// SSRD repair: after training, steps that bring the hidden states of harmful requests back to the
// aligned model's, by their L1 distance. Deviation: plain descent.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/streams.hpp"

namespace seawall::coverage {

struct Ssrd {
  static constexpr std::string_view name = "ssrd",
                                    summary = "Repairs hidden states after training.";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double lr = 1e-3;
    std::int64_t steps = 5;
    std::int64_t rows = 8;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lr, OptionInfo{"lr", "of the repair", 0, 1});
      field(self.steps, OptionInfo{"steps", "of the repair", 1, 1e6});
      field(self.rows, OptionInfo{"rows", "harmful requests", 1, 1e6});
    }
  } options;

  void on_finish(Trainer& trainer) {
    const Batch rows = trainer.encode(trainer.rows(Pool::harmful, options.rows));
    double last = 0;
    for (std::int64_t i = 0; i < options.steps; ++i) {
      const Tensors g = trainer.gradient([&] {
        const Tensor far = compared_streams(
            trainer, rows, {},
            [](const Tensor& a, const Tensor& b) { return a.sub(b).abs().sum(-1); });
        last = far.item<double>();
        return far;
      });
      for (std::size_t k = 0; k < g.size(); ++k) trainer.params()[k].master.sub_(g[k], options.lr);
    }
    trainer.measure("distance", last);
  }
};
static_assert(explain<Ssrd>());

}  // namespace seawall::coverage
