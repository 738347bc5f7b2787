// A libcuda for tests, opened as a GPU's is: the driver's functions that we call, over the
// pretended device's memory. A kernel is kernels.cu compiled for the host; its blocks run one after
// the other, its threads as the host's team of lanes. What a launch was given is read as the driver
// reads it: through the address of each argument, with the types that the kernel declares.
#include "tests/support/pretend_cuda.hpp"

#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "tests/support/pretend_heap.hpp"

#define __global__
#define __device__
#define __launch_bounds__(...)
namespace {
struct {
  unsigned x = 0;
} thread_local blockIdx;
}  // namespace
#include "device/kernels.cu"

namespace {

using seawall::pretend::span;
using seawall::rows::AdamWTensors;

constexpr int invalid_value = 1, not_found = 500, no_binary = 209;

std::atomic<std::int64_t> all_launches{0};
std::atomic<bool> refuses{false};
std::atomic<int> capability{90};
std::mutex mutex;
std::map<std::string, std::int64_t> launches;
std::string spoiled;

/// A device address as the host may read it.
template <class T>
T there(T value) {
  if constexpr (std::is_pointer_v<T>) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<T>>, const char, char>;
    return value == nullptr ? value : reinterpret_cast<T>(reinterpret_cast<Byte*>(value) + span);
  } else {
    return value;
  }
}
template <class W, class G, class S>
AdamWTensors<W, G, S> there(AdamWTensors<W, G, S> t) {
  return {there(t.weight), there(t.grad), there(t.m),     there(t.v),
          there(t.start),  there(t.term), there(t.master)};
}

template <class T>
void spoil(T& value) {
  if constexpr (std::is_same_v<T, float*> || std::is_same_v<T, double*>) *value += 1;
  if constexpr (std::is_same_v<T, seawall::rows::Bf16*>)
    seawall::rows::narrow(seawall::rows::wide(*value) + 1, *value);
}
template <class T>
constexpr bool written = std::is_pointer_v<T> && !std::is_const_v<std::remove_pointer_t<T>>;

std::function<void(std::function<void()>)> recorder;

template <class... P>
void run(void (*kernel)(P...), unsigned blocks, void** arguments, bool wrong) {
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    std::tuple<P...> values{there(*static_cast<P*>(arguments[i]))...};
    const auto all_blocks = [kernel, blocks, values] {
      for (unsigned block = 0; block < blocks; ++block) {
        blockIdx.x = block;
        std::apply(kernel, values);
      }
    };
    all_blocks();
    if (recorder) recorder(all_blocks);
    if (wrong) ((written<P> ? spoil(std::get<i>(values)) : void()), ...);
  }
  (std::index_sequence_for<P...>{});
}

struct Kernel {
  const char* name;
  void (*start)(unsigned blocks, void** arguments, bool wrong);
};
#define KERNEL(name)                                                \
  {                                                                 \
#name, [](unsigned blocks, void** arguments,                    \
              bool wrong) { run(&name, blocks, arguments, wrong); } \
  }
#define NORM(name) KERNEL(name), KERNEL(name##_back)
#define BLOCK(type)                                                           \
  KERNEL(rms_norm_weight_##type), KERNEL(rotary_##type), KERNEL(gate_##type), \
      KERNEL(gate_back_##type), KERNEL(merge_##type)
#define ADAMW(name) KERNEL(name), KERNEL(name##_one)
constexpr Kernel kernels[] = {ADAMW(adamw_f32),
                              ADAMW(adamw_f32_bf16),
                              ADAMW(adamw_f32_from_bf16),
                              ADAMW(adamw_f32_bf16_from_bf16),
                              ADAMW(adamw_bf16),
                              NORM(rms_norm_f32),
                              NORM(rms_norm_bf16),
                              NORM(rms_norm_bf16_f32),
                              BLOCK(f32),
                              BLOCK(bf16)};

void* const one_context = &spoiled;
thread_local void* context = nullptr;

}  // namespace

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDeviceGet(int* device, int index) {
  *device = index;
  return index == 0 ? 0 : 101;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : -1;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** out, int) {
  *out = one_context;
  return 0;
}
int cuCtxGetCurrent(void** out) {
  *out = context;
  return 0;
}
int cuCtxSetCurrent(void* wanted) {
  context = wanted;
  return 0;
}
int cuModuleLoadData(void** module, const void* image) {
  const auto* bytes = static_cast<const unsigned char*>(image);
  constexpr unsigned char of_cuda = 190;  // e_machine
  if (refuses || std::memcmp(bytes, "\177ELF", 4) != 0 || bytes[18] != of_cuda) return no_binary;
  if (context == nullptr) return 201;
  *module = const_cast<void*>(image);
  return 0;
}
int cuModuleGetFunction(void** out, void*, const char* name) {
  for (const Kernel& kernel : kernels)
    if (std::string(name) == kernel.name) {
      *out = const_cast<Kernel*>(&kernel);
      return 0;
    }
  return not_found;
}
int cuLaunchKernel(void* function, unsigned blocks, unsigned y, unsigned z, unsigned threads_x,
                   unsigned threads_y, unsigned threads_z, unsigned shared, void* stream,
                   void** arguments, void** extra) {
  if (blocks == 0 || y != 1 || z != 1 || threads_x != threads || threads_y != 1 || threads_z != 1 ||
      shared != 0 || reinterpret_cast<std::uintptr_t>(stream) > 1 || extra != nullptr ||
      context == nullptr)
    return invalid_value;
  const auto* kernel = static_cast<const Kernel*>(function);
  bool wrong = false;
  {
    const std::lock_guard lock(mutex);
    ++launches[kernel->name];
    wrong = spoiled == kernel->name;
  }
  ++all_launches;
  kernel->start(blocks, arguments, wrong);
  return 0;
}
int cuGetErrorString(int code, const char** text) {
  *text = code == no_binary       ? "no kernel image is available for execution on the device"
          : code == invalid_value ? "invalid argument"
          : code == not_found     ? "named symbol not found"
                                  : "another error";
  return 0;
}

std::int64_t pretend_cuda_launches(const char* kernel) {
  if (kernel == nullptr) return all_launches;
  const std::lock_guard lock(mutex);
  return launches[kernel];
}
void pretend_cuda_spoil(const char* kernel) {
  const std::lock_guard lock(mutex);
  spoiled = kernel == nullptr ? "" : kernel;
}
void pretend_cuda_record(std::function<void(std::function<void()>)> with) {
  recorder = std::move(with);
}
void pretend_cuda_refuse_modules(bool refuse) { refuses = refuse; }
void pretend_cuda_capability(int of) { capability = of; }
}
