#pragma once
// Small results of a device on their way to the host, without the device standing still.
#include <c10/core/Event.h>

#include <deque>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// What was sent is taken in order, later: until then the device goes on with what was asked of it
/// since.
class Readback {
 public:
  /// Begins the copy of `x`, which is computed by then.
  void send(const Tensor& x);
  /// Waits for the oldest copy. Shapes: as it was sent, on the CPU.
  Tensor take();

 private:
  struct Sent {
    Tensor copy, source;
    c10::Event arrived;
  };
  std::deque<Sent> sent_;
};

}  // namespace seawall
