#include "model/gguf_types.hpp"

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

/// Nibbles as above; bit i of the four bytes of `high` is the fifth bit of element i.
void unpack_fives(const char* high, const char* low, std::array<float, 32>& to, int shift) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, high, sizeof(bits));
  unpack_nibbles(low, to, 0);
  for (std::size_t i = 0; i < 32; ++i)
    to[i] += static_cast<float>(static_cast<int>((bits >> i & 1) << 4) - shift);
}

void from_q5_0(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 22, to += 32) {
    const float scale = half_at(from);
    std::array<float, 32> q;
    unpack_fives(from + 2, from + 6, q, 16);
    for (std::size_t i = 0; i < 32; ++i) to[i] = scale * q[i];
  }
}

void from_q5_1(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 24, to += 32) {
    const float scale = half_at(from), least = half_at(from + 2);
    std::array<float, 32> q;
    unpack_fives(from + 4, from + 8, q, 0);
    for (std::size_t i = 0; i < 32; ++i) {
      const float product = scale * q[i];
      to[i] = product + least;
    }
  }
}

/// Scale and minimum of the eighth `i` of a K block, six bits each: those of the first four stand
/// in bytes 0 to 3 and 4 to 7, of the last four in the nibbles of bytes 8 to 11 and the free bits.
struct ScaleMin {
  float scale, least;
};
ScaleMin scale_min(const std::uint8_t* packed, std::size_t i) {
  if (i < 4) return {static_cast<float>(packed[i] & 63), static_cast<float>(packed[4 + i] & 63)};
  const int low = (packed[4 + i] & 15) | (packed[i - 4] >> 6) << 4,
            high = packed[4 + i] >> 4 | (packed[i] >> 6) << 4;
  return {static_cast<float>(low), static_cast<float>(high)};
}

/// 256 elements: half-precision scale and minimum of all, 12 bytes of those of the eighths, with
/// `Five` a bit plane of 32 bytes, then 128 bytes of nibbles; 32 bytes hold two eighths.
template <bool Five>
void from_k(const char* from, float* to, std::int64_t blocks) {
  constexpr std::size_t nibbles = Five ? 48 : 16, size = nibbles + 128;
  for (std::int64_t b = 0; b < blocks; ++b, from += size) {
    const float scale = half_at(from), least = half_at(from + 2);
    std::array<std::uint8_t, size> block;
    std::memcpy(block.data(), from, size);
    for (std::size_t eighth = 0; eighth < 8; ++eighth) {
      const auto own = scale_min(block.data() + 4, eighth);
      const float d = scale * own.scale, m = least * own.least;
      for (std::size_t i = 0; i < 32; ++i) {
        int q = block[nibbles + eighth / 2 * 32 + i] >> (eighth % 2 * 4) & 15;
        if constexpr (Five) q |= (block[16 + i] >> eighth & 1) << 4;
        const float product = d * static_cast<float>(q);
        *to++ = product - m;
      }
    }
  }
}

/// 256 elements: 128 bytes of nibbles, 64 bytes of two more bits each, 16 signed scales of 16
/// elements, the scale of all. 64 bytes of nibbles hold four runs of 32: two low, two high.
void from_q6_k(const char* from, float* to, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b, from += 210) {
    std::array<std::uint8_t, 192> bits;
    std::array<std::int8_t, 16> scales;
    std::memcpy(bits.data(), from, bits.size());
    std::memcpy(scales.data(), from + 192, scales.size());
    const float scale = half_at(from + 208);
    for (std::size_t i = 0; i < 256; ++i) {
      const auto half = i / 128, run = i / 32 % 4, place = i % 32;
      const int low = bits[half * 64 + run % 2 * 32 + place] >> (run / 2 * 4) & 15;
      const int high = bits[128 + half * 32 + place] >> (run * 2) & 3;
      const float d = scale * static_cast<float>(scales[i / 16]);
      *to++ = d * static_cast<float>((low | high << 4) - 32);
    }
  }
}

struct Numbered {
  std::uint32_t number;
  GgufType type;
};

// Source: ggml.h, enum ggml_type.
constexpr std::array<Numbered, 21> ggml_types{{{0, {"F32", 1, 4, from_f32}},
                                               {1, {"F16", 1, 2, from_f16}},
                                               {2, {"Q4_0", 32, 18, from_q4_0}},
                                               {3, {"Q4_1", 32, 20, from_q4_1}},
                                               {6, {"Q5_0", 32, 22, from_q5_0}},
                                               {7, {"Q5_1", 32, 24, from_q5_1}},
                                               {8, {"Q8_0", 32, 34, from_q8_0}},
                                               {9, {"Q8_1", 32, 36}},
                                               {10, {"Q2_K", 256, 84}},
                                               {11, {"Q3_K", 256, 110}},
                                               {12, {"Q4_K", 256, 144, from_k<false>}},
                                               {13, {"Q5_K", 256, 176, from_k<true>}},
                                               {14, {"Q6_K", 256, 210, from_q6_k}},
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
  const auto found = std::ranges::find(ggml_types, number, &Numbered::number);
  return found == ggml_types.end() ? std::nullopt : std::optional(found->type);
}

std::optional<GgufType> gguf_type(std::string_view name) {
  const auto found = std::ranges::find_if(
      ggml_types, [&](const Numbered& each) { return each.type.name == name; });
  return found == ggml_types.end() ? std::nullopt : std::optional(found->type);
}

}  // namespace seawall
