#pragma once
// The hooks of one forward pass: which places they look at, and what passes through them.
#include <cstdint>

#include "seawall/model/decoder.hpp"

namespace seawall {

/// Borrows the hooks.
class Watch {
 public:
  /// Errors: UsageError for kinds that the blocks do not pass, or an edit of `sink`.
  explicit Watch(const ForwardHooks& hooks);
  /// The kinds that edit or take look at in a block.
  Taps of(std::int64_t layer) const;
  /// Whether autograd has to see what is looked at.
  bool in_graph() const { return hooks_.edit || hooks_.graph; }
  /// What flows on: x, edited and shown if that is wanted here. Errors: UsageError for an edit's
  /// result of another shape.
  Tensor pass(const TapPoint& point, const Tensor& x) const;

 private:
  bool taken(const TapPoint& point) const {
    return hooks_.take && (!hooks_.wants || hooks_.wants(point));
  }
  const ForwardHooks& hooks_;
};

}  // namespace seawall
