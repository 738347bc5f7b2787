#pragma once
// A model that is asked and not trained: what attacks choose rows with.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/train/handle.hpp"
#include "seawall/train/precision.hpp"

namespace seawall {

/// Lends `decoder`, which must outlive this and is as before afterwards. theta0 is now; `policies`
/// are those who ask. Memory: one
/// copy of the weights. Errors of steps, stops and batches in hand: UsageError.
class StillModel final : public detail::Handle {
 public:
  StillModel(Decoder& decoder, const Scenario& scenario, const ModelServices& services,
             std::uint64_t seed, std::vector<std::string> policies = {"attack"});
  ~StillModel() override;

  ParamView params() const override { return weights_.params(); }
  const Batch& user() override;
  void step(const std::function<Tensor()>& loss) override;
  void stop(std::string_view why) override;

 private:
  void begin_forward() override {}
  void count_backward() override {}
  void count_forward_of_start() override {}
  const Decoder& start() const override { return decoder(); }
  detail::Measures& measures() override { return measures_; }

  NamedTensors before_;
  TrainedWeights weights_;
  detail::Measures measures_;
};

}  // namespace seawall
