#include "seawall/model/gguf_types.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace seawall {
namespace {

/// A half-precision number at any address.
float half_at(const char* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof(bits));
  return c10::detail::fp16_ieee_to_fp32_value(bits);
}

void from_f32(const char* from, float* to, std::int64_t blocks) {
  std::memcpy(to, from, static_cast<std::size_t>(blocks) * sizeof(float));
}

void from_f16(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t i = 0; i < blocks; ++i) to[i] = half_at(from + 2 * i);
}

void from_bf16(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from + 2 * i, sizeof(bits));
    to[i] = c10::detail::f32_from_bits(bits);
  }
}

void from_q8_0(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 34, to += 32) {
    const float scale = half_at(from);
    std::array<std::int8_t, 32> q;
    std::memcpy(q.data(), from + 2, q.size());
    for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(q[i]);
  }
}

/// The low halves of 16 bytes are elements 0 to 15, the high halves 16 to 31.
void unpack_nibbles(const char* from, std::array<float, 32>& to, int shift) {
  std::array<std::uint8_t, 16> q;
  std::memcpy(q.data(), from, q.size());
  for (std::size_t i = 0; i < 16; ++i) to[i] = static_cast<float>((q[i] & 15) - shift);
  for (std::size_t i = 0; i < 16; ++i) to[16 + i] = static_cast<float>((q[i] >> 4) - shift);
}

void from_q4_0(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 18, to += 32) {
    const float scale = half_at(from);
    std::array<float, 32> q;
    unpack_nibbles(from + 2, q, 8);
    for (std::size_t i = 0; i < 32; ++i) to[i] = scale * q[i];
  }
}

void from_q4_1(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 20, to += 32) {
    const float scale = half_at(from), least = half_at(from + 2);
    std::array<float, 32> q;
    unpack_nibbles(from + 4, q, 0);
    for (std::size_t i = 0; i < 32; ++i) {
      const float product = scale * q[i];
      to[i] = product + least;
    }
  }
}

struct Numbered {
  std::uint32_t number;
  GgufType type;
};

// Source: ggml.h, enum ggml_type.
constexpr std::array<Numbered, 21> types{{{0, {"F32", 1, 4, from_f32}},
                                          {1, {"F16", 1, 2, from_f16}},
                                          {2, {"Q4_0", 32, 18, from_q4_0}},
                                          {3, {"Q4_1", 32, 20, from_q4_1}},
                                          {6, {"Q5_0", 32, 22}},
                                          {7, {"Q5_1", 32, 24}},
                                          {8, {"Q8_0", 32, 34, from_q8_0}},
                                          {9, {"Q8_1", 32, 36}},
                                          {10, {"Q2_K", 256, 84}},
                                          {11, {"Q3_K", 256, 110}},
                                          {12, {"Q4_K", 256, 144}},
                                          {13, {"Q5_K", 256, 176}},
                                          {14, {"Q6_K", 256, 210}},
                                          {15, {"Q8_K", 256, 292}},
                                          {20, {"IQ4_NL", 32, 18}},
                                          {24, {"I8", 1, 1}},
                                          {25, {"I16", 1, 2}},
                                          {26, {"I32", 1, 4}},
                                          {27, {"I64", 1, 8}},
                                          {28, {"F64", 1, 8}},
                                          {30, {"BF16", 1, 2, from_bf16}}}};

}  // namespace

std::optional<GgufType> gguf_type(std::uint32_t number) {
  const auto found = std::ranges::find(types, number, &Numbered::number);
  return found == types.end() ? std::nullopt : std::optional(found->type);
}

std::optional<GgufType> gguf_type(std::string_view name) {
  const auto found =
      std::ranges::find_if(types, [&](const Numbered& each) { return each.type.name == name; });
  return found == types.end() ? std::nullopt : std::optional(found->type);
}

}  // namespace seawall
