// The row functions as kernels, for NVRTC: one block of 256 threads a row, or a run of packs. Not
// compiled with the program; tests/device/kernels_test.py compiles it for every architecture.
#include "seawall/device/rows/adamw.hpp"
#include "device/rows/attention.hpp"
#include "device/rows/block.hpp"

using namespace seawall::rows;

namespace {
constexpr int threads = 256;

__device__ Count begin_of(Count block) { return block * packs_a_block; }
__device__ Count end_of(Count block, Count packs) {
  const Count end = (block + 1) * packs_a_block;
  return end < packs ? end : packs;
}
}  // namespace

// parts: [blocks,2] fp64, summed afterwards in their order.
#define SEAWALL_ADAMW(name, Weight, Grad, Start, width)                                            \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      name(AdamWScalars scalars, const float* guard, AdamWTensors<Weight, Grad, Start> tensors,    \
           Count packs, double* parts) {                                                           \
    const Team team;                                                                               \
    double facts[2];                                                                               \
    adamw_rows<width>(team, scalars, guard, tensors, begin_of(blockIdx.x),                         \
                      end_of(blockIdx.x, packs), facts);                                           \
    if (!team.leads()) return;                                                                     \
    parts[2 * blockIdx.x] = facts[0];                                                              \
    parts[2 * blockIdx.x + 1] = facts[1];                                                          \
  }
SEAWALL_ADAMW(adamw_f32, float, float, float, 8)
SEAWALL_ADAMW(adamw_f32_bf16, float, Bf16, float, 8)
SEAWALL_ADAMW(adamw_f32_from_bf16, float, float, Bf16, 8)
SEAWALL_ADAMW(adamw_f32_bf16_from_bf16, float, Bf16, Bf16, 8)
SEAWALL_ADAMW(adamw_bf16, Bf16, Bf16, Bf16, 8)
SEAWALL_ADAMW(adamw_f32_one, float, float, float, 1)
SEAWALL_ADAMW(adamw_f32_bf16_one, float, Bf16, float, 1)
SEAWALL_ADAMW(adamw_f32_from_bf16_one, float, float, Bf16, 1)
SEAWALL_ADAMW(adamw_f32_bf16_from_bf16_one, float, Bf16, Bf16, 1)
SEAWALL_ADAMW(adamw_bf16_one, Bf16, Bf16, Bf16, 1)

// A row of n values a block.
#define SEAWALL_NORM(name, T, Weight)                                                              \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      name(const T* x, const Weight* w, T* y, float* inverse, Count n, float eps) {                \
    const Team team;                                                                               \
    const Count row = blockIdx.x;                                                                  \
    const float value = rms_norm_row<8>(team, x + row * n, w, y + row * n, n, eps);                \
    if (team.leads()) inverse[row] = value;                                                        \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      name##_back(const T* x, const Weight* w, const T* dy, const float* inverse, T* dx,           \
                  Count n) {                                                                       \
    const Count row = blockIdx.x;                                                                  \
    rms_norm_back_row<8>(Team{}, x + row * n, w, dy + row * n, inverse[row], dx + row * n, n);     \
  }
SEAWALL_NORM(rms_norm_f32, float, float)
SEAWALL_NORM(rms_norm_bf16, Bf16, Bf16)
SEAWALL_NORM(rms_norm_bf16_f32, Bf16, float)

#define SEAWALL_BLOCK(suffix, T)                                                                   \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      rms_norm_weight_##suffix(const T* x, const T* dy, const float* inverse, float* parts,        \
                               Count rows, Count rows_a_block, Count n) {                          \
    const Count begin = blockIdx.x * rows_a_block, end = begin + rows_a_block;                     \
    rms_norm_weight_rows<8>(Team{}, x, dy, inverse, parts + blockIdx.x * n, begin,                 \
                            end < rows ? end : rows, n);                                           \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      rotary_##suffix(const T* x, const T* cos, const T* sin, T* y, Count heads, Count half,       \
                      float turn) {                                                                \
    const Count token = blockIdx.x, width = heads * 2 * half;                                      \
    rotary_row<8>(Team{}, x + token * width, cos + token * 2 * half, sin + token * 2 * half,       \
                  y + token * width, heads, half, turn);                                           \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      gate_##suffix(const T* gate, const T* up, T* y, Count packs, bool gelu) {                    \
    gate_rows<8>(Team{}, gate, up, y, begin_of(blockIdx.x), end_of(blockIdx.x, packs), gelu);      \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      gate_back_##suffix(const T* gate, const T* up, const T* dy, T* d_gate, T* d_up, Count packs, \
                         bool gelu) {                                                              \
    gate_back_rows<8>(Team{}, gate, up, dy, d_gate, d_up, begin_of(blockIdx.x),                    \
                      end_of(blockIdx.x, packs), gelu);                                            \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                            \
      merge_##suffix(T* out, const T* other, const float* lse, const float* other_lse,             \
                     float* merged, Count heads, Count d, Count stride, Count other_stride) {      \
    const Count token = blockIdx.x;                                                                \
    merge_row<8>(Team{}, out + token * heads * d, other + token * heads * d, lse + token,          \
                 other_lse + token, merged + token, heads, d, stride, other_stride);               \
  }
SEAWALL_BLOCK(f32, float)
SEAWALL_BLOCK(bf16, Bf16)
