#pragma once
// What row functions are written in: the part of C++ that NVRTC, nvcc and the host's compiler have
// in common. A row function is what one block of a GPU's threads does; on the host a team of 32
// lanes does it one after the other, so that tests run the same lines. Nothing is included.
#if defined(__CUDACC__)
#define SEAWALL_ROW __device__ __forceinline__
#else
#define SEAWALL_ROW inline
#endif

namespace seawall::rows {

using Count = long long;

/// Of a tensor that is not divided into rows one block does so many packs.
constexpr Count packs_a_block = 1024;

/// A bfloat16 by its bits.
struct Bf16 {
  unsigned short bits;
};

#if defined(__CUDACC__)
SEAWALL_ROW unsigned bits_of(float x) { return __float_as_uint(x); }
SEAWALL_ROW float float_of(unsigned bits) { return __uint_as_float(bits); }
SEAWALL_ROW float root(float x) { return sqrtf(x); }
SEAWALL_ROW float exponential(float x) { return expf(x); }
SEAWALL_ROW float hyperbolic_tangent(float x) { return tanhf(x); }
#else
SEAWALL_ROW unsigned bits_of(float x) { return __builtin_bit_cast(unsigned, x); }
SEAWALL_ROW float float_of(unsigned bits) { return __builtin_bit_cast(float, bits); }
SEAWALL_ROW float root(float x) { return __builtin_sqrtf(x); }
SEAWALL_ROW float exponential(float x) { return __builtin_expf(x); }
SEAWALL_ROW float hyperbolic_tangent(float x) { return __builtin_tanhf(x); }
#endif

SEAWALL_ROW float wide(float x) { return x; }
SEAWALL_ROW float wide(Bf16 x) { return float_of(static_cast<unsigned>(x.bits) << 16); }
/// The nearest value of the type, ties to even; NaN stays NaN.
SEAWALL_ROW void narrow(float x, float& out) { out = x; }
SEAWALL_ROW void narrow(float x, Bf16& out) {
  const unsigned bits = bits_of(x);
  const unsigned kept = x != x ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
  out.bits = static_cast<unsigned short>(kept >> 16);
}
/// `x` as a value of the type holds it.
template <class T>
SEAWALL_ROW float stored(float x) {
  T out;
  narrow(x, out);
  return wide(out);
}

/// Neighbours that one thread works on: eight, which move 16 bytes at a time, or one.
template <class T, int width>
struct alignas(width == 8 ? 16 : alignof(T)) Pack {
  T at[width];
};
/// Pack `i` of `from`.
template <int width, class T>
SEAWALL_ROW Pack<T, width> load(const T* from, Count i) {
  return reinterpret_cast<const Pack<T, width>*>(from)[i];
}
template <int width, class T>
SEAWALL_ROW void save(T* to, Count i, const Pack<T, width>& values) {
  reinterpret_cast<Pack<T, width>*>(to)[i] = values;
}
/// f(k) for the values of a pack.
template <int width, class F>
SEAWALL_ROW void unrolled(const F& f) {
#if defined(__CUDACC__)
#pragma unroll
#endif
  for (int k = 0; k < width; ++k) f(k);
}

/// The threads of a block; on the host 32 lanes, one after the other.
struct Team {
#if defined(__CUDACC__)
  template <class F>
  __device__ __forceinline__ void each(Count n, const F& f) const {
    for (Count i = threadIdx.x; i < n; i += blockDim.x) f(i);
  }
  /// Calls f(i, mine) for every i < n and adds up what each thread gathers in `mine`, in an order
  /// that the launch fixes. Every thread gets the sums.
  template <int K, class F>
  __device__ __forceinline__ void gather(Count n, double (&out)[K], const F& f) const {
    float mine[K] = {};
    for (Count i = threadIdx.x; i < n; i += blockDim.x) f(i, mine);
    __shared__ double of_warp[32][K];
    __syncthreads();  // the sums before these have been read
#pragma unroll
    for (int k = 0; k < K; ++k) {
      double sum = mine[k];
      for (int away = 16; away > 0; away /= 2) sum += __shfl_down_sync(~0u, sum, away);
      if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32][k] = sum;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < K; ++k) {
      out[k] = 0;
      for (unsigned warp = 0; warp < (blockDim.x + 31) / 32; ++warp) out[k] += of_warp[warp][k];
    }
  }
  __device__ __forceinline__ bool leads() const { return threadIdx.x == 0; }
#else
  static constexpr Count lanes = 32;
  template <class F>
  void each(Count n, const F& f) const {
    for (Count i = 0; i < n; ++i) f(i);
  }
  template <int K, class F>
  void gather(Count n, double (&out)[K], const F& f) const {
    float mine[lanes][K] = {};
    for (Count i = 0; i < n; ++i) f(i, mine[i % lanes]);
    for (int k = 0; k < K; ++k) {
      out[k] = 0;
      for (Count lane = 0; lane < lanes; ++lane) out[k] += static_cast<double>(mine[lane][k]);
    }
  }
  bool leads() const { return true; }
#endif
};

}  // namespace seawall::rows
