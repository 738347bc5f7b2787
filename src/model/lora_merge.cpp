// Adapters put into the weights: for good, or while a MergedAdapter lives.
#include <ATen/core/grad_mode.h>

#include "seawall/model/decoder.hpp"

namespace seawall {
namespace {

/// Calls `use(place, factors)` for every parameter that has factors.
void each_adapted(const NamedTensors& weights, const Adapter& adapter, auto&& use) {
  const auto names = adapter.weight_names();  // a subsequence of the parameters
  std::size_t next = 0;
  std::size_t place = 0;
  for (const auto& factors : adapter.factors) {
    if (!factors.on()) continue;
    while (weights[place].name != names[next]) place = (place + 1) % weights.size();
    use(place, factors);
    ++next;
  }
}

}  // namespace

void Decoder::merge() {
  if (!adapter_) return;
  each_adapted(weights_, *adapter_, [this](std::size_t place, const LoraFactors& factors) {
    weights_[place].tensor = merged_weight(weights_[place].tensor, factors);
  });
  adapter_.reset();
}

MergedAdapter::MergedAdapter(Decoder& decoder) : decoder_(decoder) {
  if (!decoder.adapter()) return;
  at::NoGradGuard no_grad;
  adapter_ = *decoder.adapter();
  if (decoder.device().is_cpu()) {
    before_ = decoder.parameters();
    decoder.merge();
    return;
  }
  decoder.drop_adapter();
  each_adapted(decoder.parameters(), *adapter_, [&](std::size_t place, const LoraFactors& factors) {
    Tensor w = decoder.parameters()[place].tensor.detach();
    waiting_.emplace_back(w, w.to(at::kCPU));
    w.copy_(merged_weight(w, factors));
  });
}

MergedAdapter::~MergedAdapter() {
  if (!adapter_) return;
  at::NoGradGuard no_grad;
  if (!before_.empty()) decoder_.replace(before_);
  for (auto& [here, held] : waiting_) here.copy_(held);
  decoder_.adapt(std::move(*adapter_));
}

}  // namespace seawall
