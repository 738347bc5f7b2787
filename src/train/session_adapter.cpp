// What a session does otherwise under LoRA.
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>

#include "seawall/core/rng.hpp"
#include "seawall/train/session.hpp"

namespace seawall::detail {

std::function<bool(std::string_view)> by_weight(const std::function<bool(std::string_view)>& f) {
  return [&f](std::string_view name) { return f(weight_of_factor(name)); };
}

void Session::set_up_adapter() {
  Adapter& adapter = *decoder().adapter();
  weights_.set_scales(adapter.scales());
  adapter.replace(weights_.values());
  // The frozen weights in the type of the factors: without gradient, master or moment.
  NamedTensors frozen = decoder().parameters();
  const auto type = weights_.values().front().tensor.scalar_type();
  for (auto& [name, tensor] : frozen) tensor = tensor.detach().to(type);
  decoder().replace(frozen);
  products_ = products_of(weights_.params(), everywhere(weights_.params()));
  for (const std::size_t place : weights_.trained()) {
    const std::string& name = weights_.values()[place].name;
    if (!name.ends_with("lora_A.weight")) continue;
    const auto weight = weight_of_factor(name);
    const auto found = std::ranges::find(frozen, weight, &NamedTensor::name);
    drift_places_.push_back(static_cast<std::size_t>(found - frozen.begin()));
  }
}

Tensor Session::product_squares() const {
  std::vector<Tensor> squares;
  for (const auto& p : products_) {
    const Param &a = weights_.params()[p.a], &b = weights_.params()[p.b];
    const auto wide = [](const Tensor& t) {
      return t.scalar_type() == at::kDouble ? t : t.to(at::kFloat);
    };
    ProductFactors factors{wide(weights_.stored(p.a)), wide(weights_.stored(p.b)), {}, {}, p.scale};
    if (!p.from_zero) factors.a0 = wide(a.start), factors.b0 = wide(b.start);
    squares.push_back(product_drift_square(factors));
  }
  return squares.empty() ? Tensor() : at::stack(squares).to(at::kDouble);
}

Movement Session::of_products(Movement movement, const double* squares) const {
  double sum = 0;
  movement.params.clear();
  for (std::size_t i = 0; i < drift_places_.size(); ++i) {
    const double square = std::max(squares[i], 0.0);
    sum += square;
    movement.params.push_back(std::sqrt(square));
  }
  movement.drift = std::sqrt(sum);
  return movement;
}

Movement Session::of_products(Movement movement) const {
  if (products_.empty()) return movement;
  const Tensor squares = product_squares().cpu();
  return of_products(std::move(movement), squares.const_data_ptr<double>());
}

void Session::begin_forward() {
  ++result_.forward_passes;
  Adapter* adapter = decoder().adapter();
  if (!adapter || adapter->options.dropout == 0) return;
  // A function of seed, step and micro-batch, so that a resumed run draws the same, and the passes
  // of a policy that compares them differ in nothing else.
  const std::string pass = std::to_string(next_) + "." + std::to_string(micro_);
  adapter->dropout_key = Rng(options_.seed).stream("dropout").stream(pass).next() | 1;
}

}  // namespace seawall::detail
