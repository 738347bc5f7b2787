#include "seawall/train/precision.hpp"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <sstream>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

std::string shape_text(const Tensor& t) {
  std::ostringstream text;
  text << t.sizes() << ' ' << t.dtype();
  return text.str();
}

/// A copy of its own, contiguous.
Tensor fresh(const Tensor& t, at::ScalarType type) {
  return t.detach().to(t.options().dtype(type), false, true, at::MemoryFormat::Contiguous);
}

/// Theta0 in `type`: the tensor itself where it can be, since nothing writes to it.
Tensor start_of(const Tensor& t, at::ScalarType type) { return t.detach().to(type).contiguous(); }

/// fp64 decoders (tests) stay fp64 under the fp32 policy.
at::ScalarType value_type(Precision precision, at::ScalarType own) {
  if (precision != Precision::fp32) return at::kBFloat16;
  return own == at::kDouble ? at::kDouble : at::kFloat;
}

/// The type of theta0. Behind an fp32 master a bf16 tensor stays what it is: widened it has the
/// values that the master began with.
at::ScalarType start_type(Precision precision, const Tensor& from, at::ScalarType value) {
  const bool wide = precision == Precision::bf16_master && from.scalar_type() != at::kBFloat16;
  return wide ? at::kFloat : value;
}

}  // namespace

Precision precision_from(std::string_view name) {
  for (const auto p :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan})
    if (precision_name(p) == name) return p;
  throw UsageError("precision: want fp32, bf16-master, pure-bf16 or kahan, got '" +
                   std::string(name) + "'");
}

std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::bf16_master:
      return "bf16-master";
    case Precision::pure_bf16:
      return "pure-bf16";
    case Precision::kahan:
      return "kahan";
  }
  return "";
}

TrainedWeights::TrainedWeights(const NamedTensors& start, Precision precision,
                               const std::function<bool(std::string_view)>& trains,
                               bool hooks_write, const std::function<bool(std::string_view)>& owned)
    : precision_(precision) {
  at::NoGradGuard no_grad;
  names_.reserve(start.size());  // Param::name views these
  for (std::size_t i = 0; i < start.size(); ++i) {
    const auto& [name, tensor] = start[i];
    if (!at::isFloatingType(tensor.scalar_type()))
      throw UsageError(name + ": want a floating-point weight, got " + shape_text(tensor) +
                       "; quantized models cannot be trained");
    const auto type = value_type(precision, tensor.scalar_type());
    if (!trains(name)) {
      values_.push_back({name, start_of(tensor, type)});
      continue;
    }
    trained_.push_back(i);
    count_ += tensor.numel();
    if (owned && !owned(name)) {
      values_.push_back({name, fresh(tensor, type)});
      continue;
    }
    Param param;
    param.name = names_.emplace_back(name);
    param.value = fresh(tensor, type);
    const bool own_master =
        precision == Precision::bf16_master || (precision == Precision::kahan && hooks_write);
    param.master = own_master
                       ? fresh(precision == Precision::kahan ? param.value : tensor, at::kFloat)
                       : param.value;
    param.start = start_of(tensor, start_type(precision, tensor, type));
    if (precision == Precision::kahan) terms_.push_back(at::zeros_like(param.value));
    keeps_master_ = own_master;
    values_.push_back({name, param.value});
    params_.push_back(std::move(param));
    places_.push_back(i);
  }
  if (params_.empty())
    throw UsageError(
        "training: want at least one parameter that trains, but the stack freezes all " +
        std::to_string(start.size()) + "; drop a mitigation that freezes");
  for (const std::size_t place : trained_) values_[place].tensor.set_requires_grad(true);
}

TrainedWeights::~TrainedWeights() {
  for (const std::size_t place : trained_) {
    values_[place].tensor.mutable_grad() = Tensor();
    values_[place].tensor.set_requires_grad(false);
  }
}

Tensor TrainedWeights::stored(std::size_t i) const {
  const Param& param = params_[i];
  if (precision_ != Precision::kahan) return param.master.detach();
  return param.value.detach().to(at::kFloat).add_(terms_[i]);
}

void TrainedWeights::open_masters() {
  if (precision_ != Precision::kahan || !keeps_master_) return;
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < size(); ++i)
    params_[i].master.copy_(params_[i].value).add_(terms_[i]);
}

void TrainedWeights::split(std::size_t i, const Tensor& exact) {
  at::NoGradGuard no_grad;
  params_[i].value.copy_(exact);
  terms_[i].copy_(exact.sub(params_[i].value.to(at::kFloat)));
}

void TrainedWeights::publish() {
  if (!keeps_master_) return;
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < size(); ++i) {
    if (precision_ == Precision::kahan)
      split(i, params_[i].master);
    else
      params_[i].value.copy_(params_[i].master);
  }
}

void TrainedWeights::clear_gradients(std::int64_t micro_batches) {
  at::NoGradGuard no_grad;
  const bool widen = precision_ == Precision::bf16_master && micro_batches > 1;
  for (auto& param : params_) {
    // Autograd hands its buffer over where there is none yet, which costs neither zeros nor an
    // addition.
    if (widen)
      param.value.mutable_grad() = at::zeros_like(param.master);
    else
      param.value.mutable_grad() = Tensor();
  }
}

Tensor TrainedWeights::gradient(std::size_t i) const {
  const Tensor& grad = params_[i].value.grad();
  return grad.defined() ? grad : at::zeros_like(params_[i].value);
}

NamedTensors TrainedWeights::start_values() const {
  NamedTensors out = values_;
  for (std::size_t i = 0; i < size(); ++i)
    out[places_[i]].tensor = params_[i].start.to(params_[i].value.scalar_type());
  for (const auto& [name, tensor] : frozen_start_)
    for (auto& value : out)
      if (value.name == name) value.tensor = tensor;
  return out;
}

void TrainedWeights::set_start(const NamedTensors& start) {
  for (const auto& [name, tensor] : start) {
    const auto place = std::ranges::find(values_, name, &NamedTensor::name);
    if (place == values_.end()) continue;
    if (place->tensor.sizes() != tensor.sizes())
      throw UsageError(name + ": theta0 is " + shape_text(tensor) + ", the weight is " +
                       shape_text(place->tensor));
    const auto param = std::ranges::find(params_, name, &Param::name);
    if (param != params_.end())
      param->start = start_of(tensor, start_type(precision_, tensor, param->value.scalar_type()));
    else if (!place->tensor.requires_grad())  // else another process has it
      frozen_start_.push_back({name, start_of(tensor, place->tensor.scalar_type())});
  }
}

void TrainedWeights::save(NamedTensors& out) const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (precision_ == Precision::bf16_master)
      out.push_back({"master." + names_[i], params_[i].master});
    if (precision_ == Precision::kahan) out.push_back({"term." + names_[i], terms_[i]});
  }
}

const Tensor& find_tensor(const NamedTensors& tensors, const std::string& name,
                          const Tensor& like) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  if (found == tensors.end())
    throw DataError("checkpoint: " + name + ": missing; resume from a checkpoint of this run");
  if (found->tensor.sizes() != like.sizes() || found->tensor.scalar_type() != like.scalar_type())
    throw DataError("checkpoint: " + name + ": want " + shape_text(like) + ", got " +
                    shape_text(found->tensor) + "; resume from a checkpoint of this run");
  return found->tensor;
}

void TrainedWeights::load(const NamedTensors& parameters, const NamedTensors& optimizer) {
  at::NoGradGuard no_grad;
  for (const std::size_t place : trained_)
    values_[place].tensor.copy_(
        find_tensor(parameters, values_[place].name, values_[place].tensor));
  for (std::size_t i = 0; i < size(); ++i) {
    Param& param = params_[i];
    if (precision_ == Precision::bf16_master)
      param.master.copy_(find_tensor(optimizer, "master." + names_[i], param.master));
    if (precision_ == Precision::kahan)
      terms_[i].copy_(find_tensor(optimizer, "term." + names_[i], terms_[i]));
  }
  open_masters();
}

}  // namespace seawall
