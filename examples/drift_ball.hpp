#pragma once
// A mitigation: keeps the weights in a ball around the start.
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/params.hpp"

namespace examples {

using namespace seawall;

/// After each step, projects theta onto the ball |theta - theta0| <= radius.
struct DriftBall {
  static constexpr std::string_view name = "drift-ball",
                                    summary = "Keeps the weights in a ball around the start.";
  static constexpr Hook hooks = Hook::after_step;  // declared, and checked against the members
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double radius = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.radius,
            OptionInfo{
                .name = "radius", .help = "largest L2 norm of the drift", .min = 0, .max = 1e6});
    }
  } options;

  void after_step(Trainer& trainer, const Step&) {
    ParamView params = trainer.params();
    const Places all = everywhere(params);
    const double norm = at::stack(at::_foreach_norm(drifts(params, all))).norm().item<double>();
    if (norm > options.radius)
      at::_foreach_lerp_(masters(params, all), starts(params, all), 1 - options.radius / norm);
  }
};
static_assert(explain<DriftBall>());  // a misspelt hook stops here; the message has its signature

}  // namespace examples
