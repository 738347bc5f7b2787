#pragma once
// The part of a Trainer that needs no training: passes, gradients, and each policy's own rows and
// random numbers.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/model/decoder.hpp"
#include "seawall/policy/trainer.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/train/data_plan.hpp"

namespace seawall {

/// What a program gives the policies that ask for it; all of it may be left out.
struct ModelServices {
  /// Rows as token ids, cut as the rows trained on are.
  std::function<EncodedRows(const Dataset&)> encode;
  std::function<std::vector<std::string>(const std::vector<Probe>&)> answers;
  std::function<NamedTensors(const std::string& word)> other_model;
  /// The rows trained on, in the order in which MicroBatch::rows counts.
  const Dataset* rows = nullptr;
  /// Rows that no policy is given, whatever it asks for; null: `rows`.
  const Dataset* used = nullptr;
  /// Told of every set that a policy drew, before it is used.
  std::function<void(std::string_view policy, Pool pool, const Dataset& rows)> drew;
};

/// What Trainer::rows gives a policy: a function of the run's seed, the policy's name and the rows
/// that it must not have. Errors: DataError naming the pool and the counts.
Dataset rows_of_policy(const Scenario& scenario, std::uint64_t seed, std::string_view policy,
                       Pool pool, std::int64_t count, const Dataset* used);

namespace detail {

/// A policy's numbers by name: `POLICY/NAME`.
using Measures = std::map<std::string, double>;

class Handle : public Trainer {
 public:
  /// `policies`: names of the stack, one for each (Joined::groups).
  Handle(Decoder& decoder, const Scenario* scenario, const ModelServices& services,
         std::uint64_t seed, std::vector<std::string> policies);

  Tensor weight(std::string_view name, Theta theta) const override;
  const NamedTensors& other_model(const std::string& word) override;
  const Scenario& scenario() const override;
  Rng& rng() override;
  const Dataset& rows(Pool pool, std::int64_t count) override;
  Batch next(const Dataset& rows, std::int64_t size) override;
  Batch encode(const Dataset& rows) override;
  using Trainer::pass;
  Pass pass(const Batch& batch, const Ask& ask) override;
  Tensor kl_to_start(const Batch& batch, KlDirection direction) override;
  Tensors gradient(const std::function<Tensor()>& loss) override;
  Tensors gradient(const std::function<Tensor()>& loss, const Tensors& of) override;
  std::vector<std::string> answers(const std::vector<Probe>& probes) override;
  void measure(std::string_view name, double value) override;

  /// Random streams and stream positions of the policies, added to their own state.
  void save(CheckpointState& state) const;
  void restore(const CheckpointState& state);

 protected:
  /// Before a forward pass with the weights of now: counts it, and draws its dropout.
  virtual void begin_forward() = 0;
  virtual void count_backward() = 0;
  virtual void count_forward_of_start() = 0;
  /// The decoder of theta0.
  virtual const Decoder& start() const = 0;
  /// Where measures go now: the step's, or the run's.
  virtual Measures& measures() = 0;
  /// Told of the losses of every pass of the batch in hand with the weights of now.
  virtual void passed(const BatchPlan&, const Tensor& /*loss*/) {}

  Batch batch_of(std::shared_ptr<const MicroBatch> micro, std::vector<Example> rows) const;
  const Dataset* trained_rows() const { return services_.rows; }
  Decoder& decoder() const { return decoder_; }

 private:
  /// A set that batches are taken from in turn.
  struct Turns {
    std::vector<Sequence> rows;
    Tensor embeddings;
    std::int64_t next = 0;  // since the beginning; the row is the rest by the number of rows
  };
  struct OfPolicy {
    std::string name;
    Rng rng;
    std::map<std::string, Dataset> rows;
    std::map<std::string, Turns> turns;
    std::map<std::string, std::int64_t> restored;  // positions of a checkpoint, until asked for
  };
  OfPolicy& mine() { return policies_.at(asking()); }
  EncodedRows encoded(const Dataset& rows) const;
  std::shared_ptr<MicroBatch> planned(const std::vector<Sequence>& rows,
                                      const Tensor& embeddings) const;

  Decoder& decoder_;
  const Scenario* scenario_;
  ModelServices services_;
  std::uint64_t seed_;
  std::vector<OfPolicy> policies_;
  std::map<std::string, NamedTensors> others_;
};

/// A group's numbers as a step or a run records them.
std::vector<std::pair<std::string, double>> listed(const Measures& measures);

}  // namespace detail
}  // namespace seawall
