#include "train/ranks.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/model/lora.hpp"

namespace seawall::detail {
namespace {

struct WhenReady final : torch::autograd::PostAccumulateGradHook {
  explicit WhenReady(std::function<void()> f) : call(std::move(f)) {}
  void operator()(const at::Tensor&) override { call(); }
  std::function<void()> call;
};

Tensor flat_bytes(const Tensor& t) { return t.detach().contiguous().flatten().view(at::kByte); }

/// `model.layers.3.` of a weight within a layer, else its name.
std::string layer_of(const std::string& name) {
  const std::string word = ".layers.";
  const auto at = name.find(word);
  if (at == name.npos) return name;
  return name.substr(0, name.find('.', at + word.size()));
}

/// The part of `bytes` at `at` with the shape of `like`, and moves on.
Tensor take_part(const Tensor& bytes, std::int64_t& at, const Tensor& like, at::ScalarType type) {
  const auto size = like.numel() * static_cast<std::int64_t>(c10::elementSize(type));
  Tensor part = bytes.narrow(0, at, size).view(type).view(like.sizes());
  at += size;
  return part;
}

}  // namespace

Ranks::Ranks(World& world, const NamedTensors& start,
             const std::function<bool(std::string_view)>& trains)
    : world_(world),
      rank_(static_cast<std::size_t>(world.rank())),
      size_(static_cast<std::size_t>(world.size())) {
  std::vector<std::string> layers;
  for (const auto& [name, tensor] : start) {
    if (!trains(name)) continue;
    const std::string layer = layer_of(name);
    if (std::ranges::find(layers, layer) == layers.end()) layers.push_back(layer);
    weights_.push_back({.name = name, .numel = tensor.numel()});
  }
  // A backward pass ends with the first layer.
  buckets_.resize(layers.size());
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto found = std::ranges::find(layers, layer_of(weights_[i].name));
    weights_[i].bucket = static_cast<std::size_t>(layers.end() - found) - 1;
    buckets_[weights_[i].bucket].members.push_back(i);
  }
  choose_owners();
}

void Ranks::choose_owners() {
  struct Unit {
    std::vector<std::size_t> members;
    std::int64_t numel = 0;
  };
  std::vector<Unit> units;
  std::map<std::string, std::size_t> places;  // of a whole weight's name
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto [place, is_new] = places.emplace(weight_of_factor(weights_[i].name), units.size());
    if (is_new) units.emplace_back();
    units[place->second].members.push_back(i);
    units[place->second].numel += weights_[i].numel;
  }
  if (units.size() < size_)
    throw UsageError(std::to_string(size_) + " processes train " + std::to_string(units.size()) +
                     " weights, and each wants one at least; start fewer");
  std::ranges::stable_sort(units, std::greater{}, &Unit::numel);
  std::vector<std::int64_t> load(size_);
  for (const Unit& unit : units) {
    const auto least = std::ranges::min_element(load);
    *least += std::max<std::int64_t>(unit.numel, 1);
    for (const std::size_t i : unit.members)
      weights_[i].owner = static_cast<std::size_t>(least - load.begin());
  }
}

Ranks::~Ranks() {
  for (Weight& weight : weights_)
    if (weight.value.defined())
      torch::autograd::impl::set_post_acc_grad_hooks(weight.value, nullptr);
}

bool Ranks::owns(std::string_view name) const {
  const auto found = std::ranges::find(weights_, name, &Weight::name);
  return found != weights_.end() && found->owner == rank_;
}

void Ranks::watch(const NamedTensors& values) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    weights_[i].value = std::ranges::find(values, weights_[i].name, &NamedTensor::name)->tensor;
    torch::autograd::impl::set_post_acc_grad_hooks(
        weights_[i].value, std::make_unique<WhenReady>([this, i] { ready(i); }));
  }
}

void Ranks::begin_step(std::size_t micro_batches) {
  if (micro_batches < size_)
    throw UsageError("a step has " + std::to_string(micro_batches) + " micro-batches for " +
                     std::to_string(size_) +
                     " processes; want one for each at least: a smaller --micro-batch-size, a "
                     "larger --batch-size, or fewer processes");
  micro_batches_ = micro_batches;
  round_ = 0;
  for (Weight& weight : weights_) weight.sum = Tensor();
}

void Ranks::begin_backward() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.members.size();
  next_ = 0;
  in_backward_ = true;
}

void Ranks::ready(std::size_t i) {
  if (!in_backward_) return;
  --buckets_[weights_[i].bucket].missing;
  // Always in this order, whatever the backward pass reaches first: all processes give the same.
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) give(buckets_[next_++]);
}

void Ranks::end_backward() {
  while (next_ < buckets_.size()) give(buckets_[next_++]);  // what the loss did not reach
  in_backward_ = false;
  ++round_;
}

std::int64_t Ranks::size_of(const Bucket& bucket, std::size_t owner) const {
  std::int64_t size = 0;
  for (const std::size_t i : bucket.members)
    if (weights_[i].owner == owner) size += static_cast<std::int64_t>(weights_[i].value.nbytes());
  return size;
}

Tensor Ranks::bytes_of(const Bucket& bucket, std::size_t owner, bool gradients) const {
  std::vector<Tensor> parts;
  for (const std::size_t i : bucket.members) {
    const Weight& weight = weights_[i];
    if (weight.owner != owner) continue;
    if (!gradients)
      parts.push_back(flat_bytes(weight.value));
    else if (const Tensor& gradient = weight.value.grad(); gradient.defined())
      parts.push_back(flat_bytes(gradient));
    else
      parts.push_back(at::zeros({static_cast<std::int64_t>(weight.value.nbytes())},
                                weight.value.options().dtype(at::kByte).requires_grad(false)));
  }
  if (parts.empty())
    return at::empty({0}, weights_[0].value.options().dtype(at::kByte).requires_grad(false));
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

void Ranks::give(const Bucket& bucket) {
  at::NoGradGuard no_grad;
  const auto gives = [this](std::size_t rank) { return round_ * size_ + rank < micro_batches_; };
  const auto options = weights_[0].value.options().dtype(at::kByte).requires_grad(false);
  std::vector<Tensor> to, from;
  for (std::size_t r = 0; r < size_; ++r) {
    to.push_back(gives(rank_) ? bytes_of(bucket, r, true) : at::empty({0}, options));
    from.push_back(at::empty({gives(r) && r != rank_ ? size_of(bucket, rank_) : 0}, options));
  }
  Tensor own = std::exchange(to[rank_], at::empty({0}, options));
  world_.exchange(from, to);
  from[rank_] = std::move(own);
  add(bucket, from);
  for (const std::size_t i : bucket.members) weights_[i].value.mutable_grad() = Tensor();
}

void Ranks::add(const Bucket& bucket, const std::vector<Tensor>& from) {
  for (const Tensor& bytes : from) {  // by rank
    if (bytes.numel() == 0) continue;
    std::int64_t at = 0;
    for (const std::size_t i : bucket.members) {
      Weight& weight = weights_[i];
      if (weight.owner != rank_) continue;
      const auto type = weight.value.scalar_type();
      const Tensor part = take_part(bytes, at, weight.value, type);
      if (weight.sum.defined())
        weight.sum.add_(part);
      else
        weight.sum = part.to(type == at::kDouble ? at::kDouble : at::kFloat, false, true);
    }
  }
}

std::vector<Tensor> Ranks::sums() {
  while (round_ * size_ < micro_batches_) {
    begin_backward();
    end_backward();
  }
  std::vector<Tensor> out;
  for (const Weight& weight : weights_)
    if (weight.owner == rank_) out.push_back(weight.sum);
  return out;
}

void Ranks::share() {
  at::NoGradGuard no_grad;
  const auto options = weights_[0].value.options().dtype(at::kByte).requires_grad(false);
  for (const Bucket& bucket : buckets_) {
    std::vector<Tensor> to(size_, bytes_of(bucket, rank_, false)), from;
    to[rank_] = at::empty({0}, options);
    for (std::size_t r = 0; r < size_; ++r)
      from.push_back(at::empty({r == rank_ ? 0 : size_of(bucket, r)}, options));
    world_.exchange(from, to);
    std::vector<std::int64_t> at(size_);
    for (const std::size_t i : bucket.members) {
      Weight& weight = weights_[i];
      if (weight.owner == rank_) continue;
      weight.value.copy_(take_part(from[weight.owner], at[weight.owner], weight.value,
                                   weight.value.scalar_type()));
    }
  }
}

std::vector<double> Ranks::of_all(const std::vector<double>& own) const {
  const auto all = world_.gather(own);
  std::vector<std::size_t> next(size_);
  std::vector<double> out;
  for (const Weight& weight : weights_) out.push_back(all[weight.owner].at(next[weight.owner]++));
  return out;
}

std::vector<double> Ranks::by_micro(const std::vector<double>& own,
                                    std::size_t micro_batches) const {
  const auto all = world_.gather(own);
  std::vector<double> out;
  for (std::size_t i = 0; i < micro_batches; ++i) out.push_back(all[i % size_].at(i / size_));
  return out;
}

NamedTensors Ranks::collected(const NamedTensors& own) const {
  const auto owned = static_cast<std::size_t>(std::ranges::count(weights_, rank_, &Weight::owner));
  const std::size_t each = own.size() / owned;
  if (each == 0) return own;
  const std::string& first = std::ranges::find(weights_, rank_, &Weight::owner)->name;
  NamedTensors out;
  std::size_t next = 0;
  for (const Weight& weight : weights_) {
    const bool mine = weight.owner == rank_;
    for (std::size_t k = 0; k < each; ++k) {
      const Tensor& like = own[mine ? next + k : k].tensor;
      if (weight.owner == 0) {  // it is where it is wanted
        if (rank_ == 0) out.push_back(own[next + k]);
        continue;
      }
      const auto options = like.options().dtype(at::kByte).requires_grad(false);
      const auto size = weight.numel * static_cast<std::int64_t>(like.element_size());
      std::vector<Tensor> to(size_, at::empty({0}, options)), from = to;
      if (mine) to[0] = flat_bytes(like);
      if (rank_ == 0) from[weight.owner] = at::empty({size}, options);
      world_.exchange(from, to);
      if (rank_ != 0) continue;
      std::string kind = own[k].name;
      kind.resize(kind.size() - first.size());
      std::int64_t at = 0;
      out.push_back({kind + weight.name,
                     take_part(from[weight.owner], at, weight.value, like.scalar_type())});
    }
    if (mine) next += each;
  }
  return rank_ == 0 ? out : own;
}

}  // namespace seawall::detail
