#include "tests/support/pretend_device.hpp"

#include <ATen/ATen.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "tests/support/pretend_copies.hpp"
#include "tests/support/pretend_flash.hpp"
#include "tests/support/pretend_hooks.hpp"
#include "tests/support/pretend_memory.hpp"
#include "tests/support/pretend_sizes.hpp"

namespace seawall::pretend {
namespace {

using c10::IValue;

// --- Operators ----------------------------------------------------------------------------------

std::mutex meter_mutex;
Counts meter;
std::set<std::string> ever;

/// Puts what a call gave at a replay where its results were at the capture.
void write_again(const IValue& before, const IValue& now) {
  if (before.isTensorList()) {
    const auto to = before.toTensorVector(), from = now.toTensorVector();
    for (std::size_t i = 0; i < to.size(); ++i) write_again(to[i], from[i]);
  } else if (before.isTensor() && before.toTensor().defined() && before.toTensor().numel() > 0) {
    const Tensor &to = before.toTensor(), &from = now.toTensor();
    TORCH_CHECK(to.sizes() == from.sizes(), "pretend device: a replay gives other sizes");
    if (!to.storage().is_alias_of(from.storage())) values_of(to).copy_(values_of(from));
  }
}

/// The arguments of one call as the CPU's kernels take them, and the way back.
class Call {
 public:
  /// `counted`: whether it is a launch; a replay is one for all its calls.
  explicit Call(const c10::OperatorHandle& op, bool counted = true)
      : op_(op), counted_(counted), name_(op.schema().operator_name().name) {
    if (!op.schema().overload_name().empty()) name_ += "." + op.schema().overload_name();
  }

  void run(torch::jit::Stack& stack) {
    const auto& schema = op_.schema();
    const std::size_t count = schema.arguments().size();
    std::vector<IValue> args(stack.end() - static_cast<std::ptrdiff_t>(count), stack.end());
    torch::jit::drop(stack, count);
    sizes_only_ = counting && most_of(args) > small;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* info = schema.arguments()[i].alias_info();
      argument_ = schema.arguments()[i].name();
      writes_ = info != nullptr && info->isWrite();
      reads_ = !writes_ || (name_.find("out") == std::string::npos &&
                            !name_.starts_with("aten::fill_") && !name_.starts_with("aten::zero_"));
      stack.push_back(mapped(args[i]));
    }
    TORCH_CHECK(host_.empty() || device_.empty() || takes_host_indices(), "pretend device: ", name_,
                " was given a tensor of the host, of sizes ", host_, ", beside one of the device");
    if (sizes_only_)
      call_for_sizes(op_, name_, stack);
    else if (name_ == "aten::_flash_attention_forward")
      flash_forward(stack, count);
    else if (name_ == "aten::_flash_attention_backward")
      flash_backward(stack, count);
    else
      op_.callBoxed(stack);
    for (const auto& [original, its] : fresh_)  // an output that had no size yet
      if (its.numel() > 0) grow(original, its);
    std::vector<IValue> results(stack.end() - static_cast<std::ptrdiff_t>(schema.returns().size()),
                                stack.end());
    torch::jit::drop(stack, results.size());
    for (const IValue& result : results) stack.push_back(back(result));
    if (counted_) touched(args, results);
    const std::lock_guard lock(meter_mutex);
    ever.insert(name_ + types_);
    if (!counted_) return;
    Counted& counted = meter.operators[name_];
    counted.launches += 1;
    counted.bytes += bytes_;
    counted.pairs += pairs_;
    if (const Product p = product_of(name_, args); p.times * p.k > 0)
      meter.products[{p.m, p.n, p.k}] += p.times;
  }

 private:
  /// Bytes of the largest tensor.
  static std::size_t most_of(const std::vector<IValue>& args) {
    std::size_t most = 0;
    for (const IValue& arg : args) {
      if (arg.isTensor() && arg.toTensor().defined())
        most = std::max(most, arg.toTensor().nbytes());
      if (arg.isTensorList())
        for (const Tensor& t : arg.toTensorVector()) most = std::max(most, t.nbytes());
    }
    return most;
  }

  /// Where not all of a tensor is read or written.
  void touched(const std::vector<IValue>& args, const std::vector<IValue>& results) {
    const auto bytes = [&](std::size_t i) { return bytes_of(args[i].toTensor()); };
    if (name_.starts_with("aten::_flash_attention")) {
      const bool backward = name_.ends_with("backward");
      const auto pairs =
          pairs_of(backward, args, [](const Tensor& t) { return on_device(t) ? values_of(t) : t; });
      const Tensor k = args[backward ? 2 : 1].toTensor();
      pairs_ = pairs.seen;
      // Of slots the keys in use; a gradient is as large as what it is of.
      bytes_ -= 2 * (bytes_of(k) - pairs.keys * bytes_of(k) / std::max<std::int64_t>(k.size(0), 1));
    } else if (name_ == "aten::index_select" || name_.starts_with("aten::gather")) {
      bytes_ = 2 * bytes_of(results[0].toTensor()) + bytes(2);
    } else if (name_.starts_with("aten::index_copy")) {
      bytes_ = 2 * bytes(3) + bytes(2);
    } else if (name_.starts_with("aten::index_add") || name_.starts_with("aten::scatter_add")) {
      bytes_ = 3 * bytes(3) + bytes(2);
    } else {
      return;
    }
    // Not in place: the whole of it is copied first.
    if (name_.ends_with(".out") && !args[0].toTensor().is_same(args.back().toTensor()) &&
        !name_.starts_with("aten::gather"))
      bytes_ += 2 * bytes(0);
  }

  bool takes_host_indices() const {
    return name_.starts_with("aten::index.") || name_.starts_with("aten::index_put") ||
           name_.starts_with("aten::_index_put");
  }

  IValue mapped(const IValue& value) {
    if (value.isTensor()) return tensor(value.toTensor());
    if (value.isTensorList()) {
      c10::List<Tensor> out;
      for (const Tensor& t : value.toTensorVector()) out.push_back(tensor(t));
      return out;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> out;
      for (const IValue& t : value.toListRef())
        out.push_back(t.isTensor() ? std::optional<Tensor>(tensor(t.toTensor())) : std::nullopt);
      return out;
    }
    if (value.isDevice()) return c10::Device(sizes_only_ ? c10::kMeta : c10::kCPU);
    if (value.isGenerator()) {
      at::Generator generator = value.toGenerator();
      if (generator.defined() && generator.device().type() == c10::kPrivateUse1)
        return generator.get<DeviceGenerator>()->cpu;
    }
    return value;
  }

  Tensor tensor(const Tensor& t) {
    if (!t.defined()) return t;
    if (!on_device(t)) {
      if (t.dim() > 0) host_ = t.sizes().vec();
      return t;
    }
    if (const auto type = " " + argument_ + "=" + c10::toString(t.scalar_type());
        !types_.ends_with(type))  // one of a list
      types_ += type;
    Tensor its = sizes_only_ ? at::empty_strided(t.sizes(), t.strides(),
                                                 t.options().device(at::kMeta).requires_grad(false))
                             : values_of(t);
    // Nothing from before a capture is written by it.
    if (writes_ && capturing() && !capturing()->owns(t)) its = its.clone();
    if (writes_ && t.numel() == 0) fresh_.emplace_back(t, its);
    if (writes_ && sizes_only_ && t.numel() > 0 && t.nbytes() <= small) values_of(t).fill_(1);
    bytes_ += ((reads_ ? 1 : 0) + (writes_ ? 1 : 0)) * bytes_of(t);
    device_.emplace_back(t, its);
    return its;
  }

  static void grow(const Tensor& original, const Tensor& result) {
    original.resize_(result.sizes());
    if (!result.is_meta())
      values_of(original).copy_(result);
    else if (original.nbytes() <= small)
      values_of(original).fill_(1);
  }

  IValue back(const IValue& value) {
    if (value.isTensor()) return back(value.toTensor());
    if (value.isTensorList()) {
      c10::List<Tensor> out;
      for (const Tensor& t : value.toTensorVector()) out.push_back(back(t));
      return out;
    }
    return value;
  }
  Tensor back(const Tensor& result) {
    if (!result.defined()) return result;
    for (const auto& [original, its] : device_) {
      if (result.is_same(its)) return original;
      if (result.numel() > 0 && result.storage().is_alias_of(its.storage()))
        return at::native::as_strided_tensorimpl(
            original, result.sizes(), result.strides(),
            original.storage_offset() + result.storage_offset());
    }
    bytes_ += bytes_of(result);
    return to_device(result);
  }

  const c10::OperatorHandle& op_;
  const bool counted_;
  std::string name_;
  bool writes_ = false, reads_ = true;                     // the argument in hand
  std::vector<std::pair<Tensor, Tensor>> device_, fresh_;  // of the device, of the CPU
  std::vector<std::int64_t> host_;                         // sizes of one that is no number
  std::int64_t bytes_ = 0, pairs_ = 0;
  bool sizes_only_ = false;
  std::string argument_, types_;  // the one in hand; of all on the device
};

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  auto* graph = capturing();
  if (graph == nullptr) return Call(op).run(*stack);
  const auto last = [&](std::size_t n) {
    return std::vector<IValue>(stack->end() - static_cast<std::ptrdiff_t>(n), stack->end());
  };
  const auto args = last(op.schema().arguments().size());
  Call(op, false).run(*stack);
  const auto results = last(op.schema().returns().size());
  graph->calls.push_back([op, args, results] {
    torch::jit::Stack again = args;
    Call(op, false).run(again);
    for (std::size_t i = 0; i < results.size(); ++i) write_again(results[i], again[i]);
  });
}

Tensor empty_memory_format(c10::IntArrayRef size, std::optional<at::ScalarType> type,
                           std::optional<at::Layout>, std::optional<at::Device>,
                           std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(key),
                                   type.value_or(at::kFloat), format);
}
Tensor empty_strided_kernel(c10::IntArrayRef size, c10::IntArrayRef stride,
                            std::optional<at::ScalarType> type, std::optional<at::Layout>,
                            std::optional<at::Device>, std::optional<bool>) {
  return empty_strided(size, stride, type.value_or(at::kFloat));
}
Tensor as_strided(const Tensor& self, c10::IntArrayRef size, c10::IntArrayRef stride,
                  std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}
Tensor view(const Tensor& self, c10::IntArrayRef size) { return at::native::view(self, size); }
Tensor reshape_alias(const Tensor& self, c10::IntArrayRef size, c10::IntArrayRef stride) {
  return at::native::_reshape_alias(self, size, stride);
}
const Tensor& resize(const Tensor& self, c10::IntArrayRef size, std::optional<at::MemoryFormat>) {
  const auto bytes =
      at::detail::computeStorageNbytesContiguous(size, self.element_size(), self.storage_offset());
  auto* storage = self.storage().unsafeGetStorageImpl();
  if (bytes > storage->nbytes()) {
    if (storage->nbytes() > 0) refuse_while_capturing("a tensor that grows");
    c10::DataPtr larger = memory.allocate(bytes);
    if (storage->nbytes() > 0)
      memory.copy_data(larger.get(), storage->data_ptr().get(), storage->nbytes());
    storage->set_data_ptr_noswap(std::move(larger));
    storage->set_nbytes(bytes);
  }
  self.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return self;
}

Tensor copy_from(const Tensor& self, const Tensor& to, bool non_blocking) {
  if (auto* graph = capturing()) {
    if (!on_device(self) || !on_device(to)) refuse_while_capturing("a copy from or to the host");
    if (graph->owns(to)) values_of(to).copy_(values_of(self));
    graph->calls.push_back([self, to] { values_of(to).copy_(values_of(self)); });
    return to;
  }
  const Tensor from = on_device(self) ? values_of(self) : self;
  const bool later = non_blocking && !on_device(to) && pinned.holds(to.storage().data());
  if (later) {
    const std::lock_guard lock(on_its_way_mutex);
    on_its_way.emplace_back(to, from.clone());
    std::memset(to.data_ptr(), 0xff, static_cast<std::size_t>(bytes_of(to)));
  } else {
    if (!on_device(to)) arrive();  // what came before on the stream
    if (!counting || !on_device(self) || to.nbytes() <= small)
      (on_device(to) ? values_of(to) : to).copy_(from);
  }
  const std::lock_guard lock(meter_mutex);
  if (!on_device(to)) {
    ++(later ? meter.later : meter.syncs);
  } else if (!on_device(self)) {
    ++meter.uploads;
    if (!non_blocking || !pinned.holds(self.storage().data())) ++meter.held_up;
  } else {
    Counted& counted = meter.operators["aten::copy_"];
    counted.launches += 1;
    counted.bytes += bytes_of(self) + bytes_of(to);
  }
  return to;
}

at::Scalar local_scalar(const Tensor& self) {
  refuse_while_capturing("a value that the host reads");
  {
    const std::lock_guard lock(meter_mutex);
    ++meter.syncs;
  }
  return values_of(self).item();
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
}
TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty_memory_format);
  m.impl("empty_strided", &empty_strided_kernel);
  m.impl("as_strided", &as_strided);
  m.impl("view", &view);
  m.impl("_reshape_alias", &reshape_alias);
  m.impl("resize_", &resize);
  m.impl("_copy_from", &copy_from);
  m.impl("_local_scalar_dense", &local_scalar);
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

[[maybe_unused]] const bool registered = [] {
  c10::register_privateuse1_backend(device);
  c10::SetAllocator(c10::kPrivateUse1, &memory);
  static auto* const hooks = new Hooks;
  at::RegisterPrivateUse1HooksInterface(hooks);
  register_graphs([] {
    const std::lock_guard lock(meter_mutex);
    ++meter.replays;
  });
  return true;
}();

}  // namespace

Counted Counts::sum() const {
  Counted out;
  for (const auto& [name, one] : operators) {
    out.launches += one.launches;
    out.bytes += one.bytes;
  }
  return out;
}

std::int64_t bytes_held() {
  const std::lock_guard lock(heap().mutex);
  return static_cast<std::int64_t>(heap().wanted);
}

std::set<std::string> operators_ever() {
  const std::lock_guard lock(meter_mutex);
  return ever;
}

std::int64_t most_held() {
  const std::lock_guard lock(heap().mutex);
  return static_cast<std::int64_t>(heap().most);
}

void count_only(std::size_t memory, std::size_t small_bytes) {
  counting = true;
  small = small_bytes;
  heap().memory = memory;
}
void compute_all() {
  counting = false;
  heap().memory = usual_memory;
}

void reset() {
  const std::scoped_lock lock(meter_mutex, heap().mutex);
  meter = {};
  heap().most = heap().wanted;
}
void reset_meter() {
  const std::lock_guard lock(meter_mutex);
  meter = {};
}
Counts counts() {
  const std::lock_guard lock(meter_mutex);
  return meter;
}

}  // namespace seawall::pretend
