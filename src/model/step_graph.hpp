#pragma once
// A captured piece of work on a device, launched again as one.
#include <functional>
#include <memory>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// Uses the graphs that a backend registered in libtorch's GraphImplRegistry. The CUDA wheel of
/// libtorch 2.15 registers none (XPU does): there, and with a libtorch that has no registry, `can`
/// is false and work is launched operator by operator. A module that wraps at::cuda::CUDAGraph and
/// registers it would be used without a change here.
class StepGraph {
 public:
  StepGraph();
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  static bool can(const at::Device& device);
  /// Records what `work` launches, without running it. It may not wait for the device, copy from
  /// the host or change sizes of tensors from before. Tensors that it makes belong to the graph:
  /// each replay writes them again. `work` must have run once before, so that libraries are set up.
  /// `shares`: a graph whose memory this one uses too, or null; what one of them made is gone once
  /// the other is replayed.
  void capture(const at::Device& device, const std::function<void()>& work,
               const StepGraph* shares = nullptr);
  /// Runs what was captured, on the current stream.
  void replay();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seawall
