#include "model/step_graph.hpp"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <stdexcept>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define SEAWALL_HAS_GRAPHS 1
#endif

namespace seawall {

#ifdef SEAWALL_HAS_GRAPHS

struct StepGraph::Impl {
  std::unique_ptr<at::GraphImplInterface> graph;
};

bool StepGraph::can(const at::Device& device) { return at::has_graph_impl(device.type()); }

void StepGraph::capture(const at::Device& device, const std::function<void()>& work,
                        const StepGraph* shares) {
  impl_ = std::make_unique<Impl>();
  impl_->graph = at::create_graph_impl(device.type());
  // CUDA does not capture its default stream. Nothing runs during a capture, so the streams need
  // not wait for each other.
  const c10::StreamGuard aside(
      c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device));
  impl_->graph->capture_begin(shares ? shares->impl_->graph->pool() : c10::MempoolId_t{0, 0});
  try {
    work();
  } catch (...) {
    impl_->graph->reset();
    throw;
  }
  impl_->graph->capture_end();
}

void StepGraph::replay() { impl_->graph->replay(); }

#else  // libtorch 2.11 has no registry

struct StepGraph::Impl {};
bool StepGraph::can(const at::Device&) { return false; }
void StepGraph::capture(const at::Device&, const std::function<void()>&, const StepGraph*) {
  throw std::logic_error("this libtorch has no graphs");
}
void StepGraph::replay() { throw std::logic_error("this libtorch has no graphs"); }

#endif

StepGraph::StepGraph() = default;
StepGraph::~StepGraph() = default;

}  // namespace seawall
