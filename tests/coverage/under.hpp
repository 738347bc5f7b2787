#pragma once
// What another model says, asked through the one that is there.
#include <string>

#include "seawall/policy/changes.hpp"

namespace seawall::coverage {

/// `ask` while the weights are those of the other model, within rounding; they come back bit for
/// bit. For whole weights. Memory: one copy of them, and one of the difference.
inline Tensor under(Trainer& model, const std::string& other, auto&& ask) {
  want_whole_weights(model);
  Tensors away;
  for (const Param& p : model.params())
    away.push_back(other_weight(model, other, p.name).sub(in_full(p.value.detach())));
  const Shifted there(model.params(), away, 1);
  return ask();
}

}  // namespace seawall::coverage
