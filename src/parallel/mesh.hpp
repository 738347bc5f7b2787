#pragma once
// A backend of c10d over TCP that needs nothing but libtorch_cpu: each process is connected with
// each, and bytes arrive as they were sent.
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "parallel/watch.hpp"

namespace seawall::detail {

class Mesh final : public c10d::Backend {
 public:
  Mesh(int rank, std::vector<Peer> peers, std::chrono::milliseconds patience);

  const std::string getBackendName() const override { return "seawall-mesh"; }
  /// Tensors as World::exchange has them. Errors: PeerError.
  c10::intrusive_ptr<c10d::Work> alltoall(
      std::vector<at::Tensor>& from, std::vector<at::Tensor>& to,
      const c10d::AllToAllOptions& options = c10d::AllToAllOptions()) override;
  const Watch& watch() const { return watch_; }

 private:
  std::vector<Peer> peers_;  // before what watches them
  Watch watch_;
};

}  // namespace seawall::detail
