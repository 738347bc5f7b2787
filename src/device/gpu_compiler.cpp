#include <dlfcn.h>

#include <array>
#include <filesystem>

#include "device/gpu_driver.hpp"
#include "device/kernel_source.hpp"
#include "seawall/core/cache.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"

namespace seawall::device {
namespace {

namespace fs = std::filesystem;
using Program = void*;

/// The functions of NVRTC.
struct Compiler {
  int (*version)(int*, int*);
  int (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(Program, int, const char* const*);
  int (*code_size)(Program, std::size_t*);
  int (*code)(Program, char*);
  int (*log_size)(Program, std::size_t*);
  int (*log)(Program, char*);
  int (*destroy)(Program*);

  explicit Compiler(const std::string& library) {
    void* const handle = opened(library);
    const auto find = [&](auto& to, const char* name) {
      to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(dlsym(handle, name));
      if (to == nullptr) throw RunError("NVRTC has no " + std::string(name));
    };
    find(version, "nvrtcVersion");
    find(create, "nvrtcCreateProgram");
    find(compile, "nvrtcCompileProgram");
    find(code_size, "nvrtcGetCUBINSize");
    find(code, "nvrtcGetCUBIN");
    find(log_size, "nvrtcGetProgramLogSize");
    find(log, "nvrtcGetProgramLog");
    find(destroy, "nvrtcDestroyProgram");
  }

  static void* opened(const std::string& library) {
    // libtorch_cuda.so needs one of the two, so that it is open by then.
    const std::array names{library.empty() ? std::string("libnvrtc.so.13") : library,
                           std::string("libnvrtc.so.12")};
    for (const auto& name : names)
      if (void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    throw RunError("the compiler of kernels cannot be opened (" + std::string(dlerror()) + ")");
  }
};

struct OneProgram {
  const Compiler& compiler;
  Program program = nullptr;
  ~OneProgram() {
    if (program != nullptr) compiler.destroy(&program);
  }
  std::string log() const {
    std::size_t size = 0;
    compiler.log_size(program, &size);
    std::string text(size, '\0');
    compiler.log(program, text.data());
    return text.substr(0, text.find_first_of(std::string_view("\0\n", 2)));  // its first line
  }
};

std::string compile(const Compiler& compiler, const std::string& architecture) {
  const auto sources = kernel_sources();
  std::vector<const char*> names, texts;
  for (const auto& [name, text] : sources.subspan(1)) names.push_back(name), texts.push_back(text);
  OneProgram one{compiler};
  const std::string target = "--gpu-architecture=" + architecture;
  const std::array options{target.c_str(), "--std=c++20"};
  if (compiler.create(&one.program, sources[0].text, sources[0].name,
                      static_cast<int>(names.size()), texts.data(), names.data()) != 0)
    throw RunError("NVRTC takes no program");
  if (compiler.compile(one.program, static_cast<int>(options.size()), options.data()) != 0)
    throw RunError("NVRTC cannot compile kernels for " + architecture + ": " + one.log());
  std::size_t size = 0;
  if (compiler.code_size(one.program, &size) != 0 || size == 0)
    throw RunError("NVRTC gave no machine code for " + architecture);
  std::string code(size, '\0');
  if (compiler.code(one.program, code.data()) != 0)
    throw RunError("NVRTC gave no machine code for " + architecture);
  return code;
}

}  // namespace

std::string compiled_kernels(const GpuLibraries& libraries, const std::string& architecture,
                             bool recompile) {
  const Compiler compiler(libraries.compiler);
  int major = 0, minor = 0;
  compiler.version(&major, &minor);
  Sha256 hash;
  hash.field(architecture).field(std::to_string(major) + "." + std::to_string(minor));
  for (const auto& [name, text] : kernel_sources()) hash.field(name).field(text);
  const fs::path folder = cache_folder("kernels");
  const fs::path kept = folder.empty() ? fs::path() : folder / (hash.hex() + ".cubin");
  std::error_code none;
  if (!recompile && !kept.empty() && fs::exists(kept, none)) return read_file(kept);
  std::string code = compile(compiler, architecture);
  if (kept.empty()) return code;
  try {
    fs::create_directories(folder);
    write_file_atomically(kept, code);
  } catch (const std::exception&) {
    // Another start compiles them again.
  }
  return code;
}

}  // namespace seawall::device
