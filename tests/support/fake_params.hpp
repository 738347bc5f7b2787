#pragma once
// A few weights with gradients, and a policy state kept in memory.
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall::testing {

/// A trainer that can do nothing but what a test gives it.
class BareTrainer : public Trainer {
 public:
  ParamView params() const override { none(); }
  Tensor weight(std::string_view, Theta) const override { none(); }
  const NamedTensors& other_model(const std::string&) override { none(); }
  const Scenario& scenario() const override { none(); }
  Rng& rng() override { none(); }
  const Dataset& rows(Pool, std::int64_t) override { none(); }
  Batch next(const Dataset&, std::int64_t) override { none(); }
  Batch encode(const Dataset&) override { none(); }
  const Batch& user() override { none(); }
  using Trainer::pass;
  Pass pass(const Batch&, const Ask&) override { none(); }
  Tensor kl_to_start(const Batch&, KlDirection) override { none(); }
  Tensors gradient(const std::function<Tensor()>&) override { none(); }
  Tensors gradient(const std::function<Tensor()>&, const Tensors&) override { none(); }
  void step(const std::function<Tensor()>&) override { none(); }
  std::vector<std::string> answers(const std::vector<Probe>&) override { none(); }
  void stop(std::string_view) override { none(); }
  void measure(std::string_view, double) override { none(); }

 private:
  [[noreturn]] static void none() { throw UsageError("this test's trainer cannot do that"); }
};

/// A trainer that has weights and nothing else. fp32, so `master` is `value`.
class FakeParams final : public BareTrainer {
 public:
  /// Places such as `model.layers.0.mlp.up_proj.weight`, with values around `start`; a LoRA factor
  /// has a `scale`.
  void add(const std::string& name, const std::vector<float>& value,
           const std::vector<float>& start, std::vector<std::int64_t> shape = {},
           double scale = 0) {
    names_.push_back(name);
    if (shape.empty()) shape = {static_cast<std::int64_t>(value.size())};
    Tensor leaf = at::tensor(value).view(shape);
    leaf.set_requires_grad(true);
    params_.push_back({names_.back(), leaf, leaf.detach(), at::tensor(start).view(shape), scale});
  }
  ParamView params() const override { return params_; }
  Trainer& trainer() { return *this; }
  const Param& operator[](std::size_t i) const { return params_.at(i); }

 private:
  std::deque<std::string> names_;  // string_views into it stay good
  std::vector<Param> params_;
};

/// Numbers of a tensor, for comparisons that print.
inline std::vector<float> floats(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(at::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

/// A checkpoint group.
class MemoryState final : public StateOut, public StateIn {
 public:
  void tensor(std::string_view key, const Tensor& value) override {
    tensors_[std::string(key)] = value.clone();
  }
  void number(std::string_view key, double value) override { numbers_[std::string(key)] = value; }
  void text(std::string_view key, std::string_view value) override {
    texts_[std::string(key)] = value;
  }
  Tensor tensor(std::string_view key) const override { return get(tensors_, key); }
  double number(std::string_view key) const override { return get(numbers_, key); }
  std::string text(std::string_view key) const override { return get(texts_, key); }

 private:
  template <class T>
  static T get(const std::map<std::string, T>& map, std::string_view key) {
    const auto found = map.find(std::string(key));
    if (found == map.end()) throw DataError("state: no `" + std::string(key) + "`");
    return found->second;
  }
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
};

}  // namespace seawall::testing
