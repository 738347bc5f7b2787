#include "device/gpu_driver.hpp"

#include <dlfcn.h>

#include <mutex>

#include "seawall/core/error.hpp"

namespace seawall::device {
namespace {

// From NVIDIA's driver API reference.
constexpr int capability_major = 75, capability_minor = 76;
constexpr unsigned threads_a_block = 256;

}  // namespace

struct GpuDriver::Functions {
  int (*init)(unsigned);
  int (*device_of)(int*, int);
  int (*attribute)(int*, int, int);
  int (*retain_context)(void**, int);
  int (*current)(void**);
  int (*set_current)(void*);
  int (*load)(void**, const void*);
  int (*function)(void**, void*, const char*);
  int (*launch)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                void**, void**);
  int (*error_text)(int, const char**);

  explicit Functions(const std::string& library) {
    void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
      throw RunError("the driver cannot be opened (" + std::string(dlerror()) + ")");
    const auto find = [&](auto& to, const char* name) {
      to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(dlsym(handle, name));
      if (to == nullptr) throw RunError("the driver has no " + std::string(name));
    };
    find(init, "cuInit");
    find(device_of, "cuDeviceGet");
    find(attribute, "cuDeviceGetAttribute");
    find(retain_context, "cuDevicePrimaryCtxRetain");
    find(current, "cuCtxGetCurrent");
    find(set_current, "cuCtxSetCurrent");
    find(load, "cuModuleLoadData");
    find(function, "cuModuleGetFunction");
    find(launch, "cuLaunchKernel");
    find(error_text, "cuGetErrorString");
  }

  void want(int code, const std::string& what) const {
    if (code == 0) return;
    const char* text = nullptr;
    error_text(code, &text);
    throw RunError("driver: " + what + ": " +
                   (text == nullptr ? "error " + std::to_string(code) : std::string(text)));
  }
};

GpuDriver::GpuDriver(const std::string& library) : functions_(new Functions(library)) {
  functions_->want(functions_->init(0), "start");
}

std::string GpuDriver::architecture(int index) {
  int device = 0, major = 0, minor = 0;
  functions_->want(functions_->device_of(&device, index), "device " + std::to_string(index));
  functions_->want(functions_->attribute(&major, capability_major, device), "capability");
  functions_->want(functions_->attribute(&minor, capability_minor, device), "capability");
  // What only this card knows, where there is such a form.
  const bool own = major >= 9 && major < 12 && minor == 0;
  return "sm_" + std::to_string(major) + std::to_string(minor) + (own ? "a" : "");
}

void GpuDriver::make_current(int index) {
  static std::mutex mutex;
  void *wanted = nullptr, *now = nullptr;
  {
    const std::lock_guard lock(mutex);
    const auto place = static_cast<std::size_t>(index);
    if (contexts_.size() <= place) contexts_.resize(place + 1);
    if (contexts_[place] == nullptr) {  // the one that libtorch uses, kept for good
      int device = 0;
      functions_->want(functions_->device_of(&device, index), "device " + std::to_string(index));
      functions_->want(functions_->retain_context(&contexts_[place], device), "context");
    }
    wanted = contexts_[place];
  }
  functions_->want(functions_->current(&now), "context");
  if (now != wanted) functions_->want(functions_->set_current(wanted), "context");
}

void* GpuDriver::load(int device, const std::string& code) {
  make_current(device);
  void* module = nullptr;
  functions_->want(functions_->load(&module, code.data()), "load of kernels");
  return module;
}

void* GpuDriver::function(void* module, const char* name) {
  void* out = nullptr;
  functions_->want(functions_->function(&out, module, name), name);
  return out;
}

void GpuDriver::launch(int device, void* function, long long blocks, void* stream,
                       void** parameters) {
  if (blocks == 0) return;
  if (blocks > 0x7fffffff) throw RunError("kernels: want at most 2^31-1 blocks");
  make_current(device);
  functions_->want(functions_->launch(function, static_cast<unsigned>(blocks), 1, 1,
                                      threads_a_block, 1, 1, 0, stream, parameters, nullptr),
                   "launch");
}

}  // namespace seawall::device
