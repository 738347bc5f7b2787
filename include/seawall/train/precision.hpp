#pragma once
// Numeric precision as a named policy: what the forward pass reads, what the optimizer moves, and
// in which types.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/policy/hooks.hpp"

namespace seawall {

enum class Precision {
  /// Value fp32, moved by the optimizer itself; gradients fp32. State: moments fp32.
  fp32,
  /// Value bf16, rounded after each step from an fp32 master, which the optimizer moves; gradients
  /// bf16, widened for the optimizer
  /// (summed in fp32 where a step has several micro-batches). State: masters and moments fp32.
  bf16_master,
  /// Value bf16, moved by the optimizer itself: an update below half a unit in the last place is
  /// lost. Gradients and moments bf16.
  /// What the paper ran; theirs rounded between the operations of AdamW as well, here a step is
  /// computed in fp32 and rounded once.
  pure_bf16,
  /// Value bf16 and a bf16 term that keeps what rounding lost (Kahan summation); gradients and
  /// moments bf16. State: terms, moments.
  kahan,
};

/// Reads `fp32`, `bf16-master`, `pure-bf16` or `kahan`. Errors: UsageError with the words there
/// are.
Precision precision_from(std::string_view name);
std::string_view precision_name(Precision precision);

/// Weights while they are trained. The tensors they start from become theta0 and are never written,
/// so several arms may share one set; `values` are new tensors, which a decoder takes with
/// Decoder::replace and keeps when this dies.
class TrainedWeights {
 public:
  /// `trains` chooses parameters by name. `hooks_write`: something besides the optimizer writes
  /// `Param::master`, so that under Kahan an fp32 master has to exist. Errors: UsageError where
  /// nothing trains or a weight is not floating point. `owned` (null: all): of the weights that
  /// train, those that this process moves; the others have a value and a gradient, and are no
  /// params().
  TrainedWeights(const NamedTensors& start, Precision precision,
                 const std::function<bool(std::string_view)>& trains, bool hooks_write,
                 const std::function<bool(std::string_view)>& owned = nullptr);
  /// Switches gradients off and drops them.
  ~TrainedWeights();
  TrainedWeights(const TrainedWeights&) = delete;
  TrainedWeights& operator=(const TrainedWeights&) = delete;

  Precision precision() const { return precision_; }
  ParamView params() const { return params_; }
  /// Says that the weights are LoRA factors. `scales` in the order given to the constructor.
  void set_scales(const std::vector<double>& scales) {
    for (std::size_t i = 0; i < size(); ++i) params_[i].scale = scales.at(places_[i]);
  }
  std::size_t size() const { return params_.size(); }
  std::int64_t count() const { return count_; }  // trained weights, by all processes
  /// Place of params()[i] among values().
  std::size_t place(std::size_t i) const { return places_[i]; }
  /// Places among values() of all that train, other processes' included.
  const std::vector<std::size_t>& trained() const { return trained_; }
  const Tensor& term(std::size_t i) const { return terms_[i]; }  // Kahan only
  bool keeps_master() const { return keeps_master_; }

  /// The weight as it is stored, in fp32 where that takes two tensors (Kahan: value + term); no
  /// copy otherwise.
  Tensor stored(std::size_t i) const;
  /// Kahan with a master: master = value + term, before anything moves it.
  void open_masters();
  /// Puts what the masters hold into values (and terms), after the optimizer and the hooks moved
  /// them.
  void publish();
  /// Rounds `exact` (fp32) into value and term i. Kahan only.
  void split(std::size_t i, const Tensor& exact);

  /// Gradients before the backward passes of a step: none, or fp32 zeros where micro-batches must
  /// add up in fp32.
  void clear_gradients(std::int64_t micro_batches);
  /// Gradient i; zeros where the loss did not reach the parameter.
  Tensor gradient(std::size_t i) const;
  /// What the forward pass reads, frozen parameters included, in the order given.
  const NamedTensors& values() const { return values_; }
  /// theta0 in the type that the forward pass reads, frozen parameters
  /// included.
  NamedTensors start_values() const;
  /// Another theta0, by name; weights that `start` does not have keep theirs. Errors: UsageError
  /// for another shape.
  void set_start(const NamedTensors& start);

  /// Masters and terms under `master.NAME` and `term.NAME`.
  void save(NamedTensors& out) const;
  /// Values from `parameters`, masters and terms from `optimizer`. Errors: DataError naming the
  /// tensor that is missing or differs.
  void load(const NamedTensors& parameters, const NamedTensors& optimizer);

 private:
  Precision precision_;
  bool keeps_master_ = false;
  std::int64_t count_ = 0;
  NamedTensors values_;
  std::vector<Param> params_;
  std::vector<std::string> names_;  // what Param::name views
  std::vector<std::size_t> places_, trained_;
  std::vector<Tensor> terms_;
  NamedTensors frozen_start_;  // where it is not what values hold
};

/// The tensor `name` of `tensors`, checked against `like`. Errors: DataError naming it.
const Tensor& find_tensor(const NamedTensors& tensors, const std::string& name, const Tensor& like);

}  // namespace seawall
