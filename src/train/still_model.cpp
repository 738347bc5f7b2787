#include "seawall/train/still_model.hpp"

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

[[noreturn]] void not_training(const char* what) {
  throw UsageError(std::string(what) +
                   ": the model is not being trained here; ask it for passes, "
                   "gradients and answers");
}

}  // namespace

StillModel::StillModel(Decoder& decoder, const Scenario& scenario, const ModelServices& services,
                       std::uint64_t seed, std::vector<std::string> policies)
    : Handle(decoder, &scenario, services, seed, std::move(policies)),
      before_(decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters()),
      weights_(
          before_,
          before_.front().tensor.scalar_type() == at::kBFloat16 ? Precision::pure_bf16
                                                                : Precision::fp32,
          [](std::string_view) { return true; }, false) {
  if (decoder.device().is_meta())
    throw UsageError(
        "--dry-run: an attack or mitigation asks the model, and a model of more than 1e9 "
        "parameters is not loaded to be tried; leave it out");
  if (Adapter* adapter = decoder.adapter()) {
    weights_.set_scales(adapter->scales());
    adapter->replace(weights_.values());
  } else {
    decoder.replace(weights_.values());
  }
}

StillModel::~StillModel() {
  if (decoder().adapter())
    decoder().adapter()->replace(before_);
  else
    decoder().replace(before_);
}

const Batch& StillModel::user() { not_training("user"); }
void StillModel::step(const std::function<Tensor()>&) { not_training("step"); }
void StillModel::stop(std::string_view) { not_training("stop"); }

}  // namespace seawall
