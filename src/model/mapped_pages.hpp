#pragma once
// Letting go of a mapped file's memory once a tensor has been made from it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

namespace seawall {

/// Gives back the whole pages within `bytes`, which lie in a read-only mapping; a later look reads
/// the file again.
inline void release_pages(std::string_view bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(bytes.data());
  const auto begin = (first + page - 1) / page * page, end = (first + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace seawall
