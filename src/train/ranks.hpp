#pragma once
// One process's part where several train a model: the weights it owns, and what the processes give
// each other at every step.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/parallel/world.hpp"

namespace seawall::detail {

/// Every process holds all values; the gradient of a weight after its backward pass, its master,
/// moments, Kahan term and theta0 are its owner's alone (ZeRO-2, Rajbhandari et al. 2020, sec. 5).
/// Owners get whole tensors, the largest first, each to the one who has the least yet; both factors
/// of a LoRA product have one owner. Micro-batch i is of rank i modulo their number. Gradients go
/// to their owners layer by layer while the backward pass runs and are added in fp32 (fp64 weights:
/// fp64) in the order of the micro-batches, so that no sum depends on the number of processes.
class Ranks {
 public:
  /// `start`: all tensors of the model or adapter, in its order. Errors: UsageError where a process
  /// would own nothing.
  Ranks(World& world, const NamedTensors& start,
        const std::function<bool(std::string_view)>& trains);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  /// What all processes knew when they last agreed.
  struct Agreed {
    int signal = 0, requests = 0;
    std::int64_t forward = 0, backward = 0;  // passes, by all together
  } agreed;

  World& world() const { return world_; }
  std::size_t rank() const { return rank_; }
  std::size_t size() const { return size_; }
  bool owns(std::string_view name) const;
  /// Whether the micro-batch is this process's.
  bool takes(std::size_t micro) const { return micro % size_ == rank_; }
  const std::string& name(std::size_t i) const { return weights_.at(i).name; }

  /// The tensors that the forward pass reads, trained ones among them.
  void watch(const NamedTensors& values);
  /// Errors: UsageError where there are fewer micro-batches than processes.
  void begin_step(std::size_t micro_batches);
  /// Around the backward pass of one of this process's micro-batches.
  void begin_backward();
  void end_backward();
  /// Takes part in the rounds in which this process has no micro-batch. Returns the sums of the
  /// weights that it owns, in order.
  std::vector<Tensor> sums();
  /// Gives the values of weights to everybody, each from its owner.
  void share();

  /// One number per weight that this process owns -> one per trained weight, in the model's order.
  std::vector<double> of_all(const std::vector<double>& own) const;
  /// `own`: so many tensors per owned weight, in order, named KIND.WEIGHT. On rank 0 those of all
  /// weights, in the model's order; elsewhere what it was.
  NamedTensors collected(const NamedTensors& own) const;
  /// A number per micro-batch from those of each process.
  std::vector<double> by_micro(const std::vector<double>& own, std::size_t micro_batches) const;

 private:
  struct Weight {
    std::string name;
    std::int64_t numel = 0;
    std::size_t owner = 0, bucket = 0;
    Tensor value, sum;
  };
  struct Bucket {
    std::vector<std::size_t> members;
    std::size_t missing = 0;  // gradients of the backward pass that runs
  };
  void choose_owners();
  void ready(std::size_t i);
  void give(const Bucket& bucket);
  void add(const Bucket& bucket, const std::vector<Tensor>& from);
  /// Values or gradients of the bucket that rank `owner` owns, as bytes.
  Tensor bytes_of(const Bucket& bucket, std::size_t owner, bool gradients) const;
  std::int64_t size_of(const Bucket& bucket, std::size_t owner) const;

  World& world_;
  std::size_t rank_, size_;
  std::vector<Weight> weights_;  // trained, in the model's order
  std::vector<Bucket> buckets_;  // a layer each, the last first
  std::size_t micro_batches_ = 0, round_ = 0, next_ = 0;
  bool in_backward_ = false;
};

}  // namespace seawall::detail
