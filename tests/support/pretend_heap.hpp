#pragma once
// Addresses of the pretended device (pretend_device.hpp), each of a block that only `shadow` of it
// may be read at.
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace seawall::pretend {

inline constexpr std::size_t span = std::size_t{1024}
                                    << 30;  // of addresses; pages are taken when written
inline constexpr std::size_t usual_memory = std::size_t{32} << 30;

struct Heap {
  std::mutex mutex;
  char* base = nullptr;
  std::size_t used = 0, held = 0;                  // held: in whole blocks
  std::size_t wanted = 0, most = 0;                // the same as it was asked for; its highest
  std::size_t memory = usual_memory;               // more is not there
  std::map<std::size_t, std::vector<void*>> free;  // by size
  struct Block {
    std::size_t size, wanted;
  };
  std::unordered_map<void*, Block> allocated;

  Heap() {
    void* at =
        mmap(nullptr, 2 * span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TORCH_CHECK(at != MAP_FAILED, "pretend device: no address space");
    base = static_cast<char*>(at);
    TORCH_CHECK(mprotect(base + span, span, PROT_READ | PROT_WRITE) == 0,
                "pretend device: mprotect");
  }
  void* take(std::size_t bytes) {
    const std::size_t size = std::bit_ceil(std::max<std::size_t>(bytes, 256));
    const std::lock_guard lock(mutex);
    TORCH_CHECK_WITH(OutOfMemoryError, wanted + bytes <= memory, "pretend device: out of memory");
    auto& spare = free[size];
    void* out = nullptr;
    if (!spare.empty()) {
      out = spare.back();
      spare.pop_back();
    } else {
      TORCH_CHECK_WITH(OutOfMemoryError, used + size <= span, "pretend device: out of addresses");
      out = base + used;
      used += size;
    }
    allocated[out] = {size, bytes};
    held += size;
    wanted += bytes;
    most = std::max(most, wanted);
    return out;
  }
  void give(void* at) {
    const std::lock_guard lock(mutex);
    const auto found = allocated.find(at);
    if (found == allocated.end()) return;
    held -= found->second.size;
    wanted -= found->second.wanted;
    free[found->second.size].push_back(at);
    allocated.erase(found);
  }
};
inline Heap& heap() {
  static auto* const one = new Heap;  // outlives every tensor
  return *one;
}

/// Where the values of a device address are.
inline char* shadow(const void* at) {
  return const_cast<char*>(static_cast<const char*>(at)) + span;
}

}  // namespace seawall::pretend
