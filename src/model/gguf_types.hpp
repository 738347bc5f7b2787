#pragma once
// The tensor types of GGUF that are read, and how their blocks become fp32.
#include <cstdint>
#include <optional>
#include <string_view>

namespace seawall {

struct GgufType {
  std::string_view name;
  std::uint64_t block = 1;  // elements
  std::uint64_t bytes = 0;  // of a block
  /// Source: ggml-quants.c and gguf-py's quants.py: products and sums in fp32, rounded one by one.
  void (*dequantize)(const char* from, float* to,
                     std::int64_t blocks) = nullptr;  // null: not supported
};

/// The type with ggml's number; nullopt where ggml has none of that number.
std::optional<GgufType> gguf_type(std::uint32_t number);
std::optional<GgufType> gguf_type(std::string_view name);

}  // namespace seawall
