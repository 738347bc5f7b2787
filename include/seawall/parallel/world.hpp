#pragma once
// Several processes that train one model: how they exchange tensors, and how they notice that one
// of them is gone.
#include <memory>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/parallel/launch.hpp"

namespace seawall {

/// Another process of this run is gone or does not answer.
struct PeerError : Error {
  explicit PeerError(const std::string& what) : Error(ExitCode::peer_lost, what) {}
};

/// The processes of one run, each connected with each. Every call but `check` is made by all of
/// them in the same order. Nothing is summed here: a process that needs a sum receives its terms
/// and adds them in the order of the ranks. One collective of c10d (all-to-all) carries it all.
class World {
 public:
  /// Meets the other processes. Errors: PeerError naming those that do not come; UsageError where
  /// the meeting place cannot be used.
  static std::unique_ptr<World> join(const Launch& launch);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return launch_.rank; }
  int size() const { return launch_.ranks; }
  const Launch& launch() const { return launch_; }

  /// Gives `to[r]` to rank r and fills `from[r]` with what rank r gave. Contiguous tensors of any
  /// type, also empty ones; the sizes that two ranks expect of each other must agree. Memory: those
  /// of a device go through the host. Errors: PeerError.
  void exchange(std::vector<Tensor>& from, std::vector<Tensor>& to);
  /// Everybody's numbers, by rank; they may be of different counts. Errors: PeerError.
  std::vector<std::vector<double>> gather(const std::vector<double>& mine);
  /// Errors: PeerError if a process is known to be lost. From any thread, at no cost.
  void check() const;

 private:
  struct Group;
  World(Launch launch, std::unique_ptr<Group> group);

  Launch launch_;
  std::unique_ptr<Group> group_;
};

}  // namespace seawall
