#pragma once
// Two attentions of the same queries over different keys as one.
#include "seawall/device/rows/team.hpp"

namespace seawall::rows {

SEAWALL_ROW float logarithm(float x) {
#if defined(__CUDACC__)
  return logf(x);
#else
  return __builtin_logf(x);
#endif
}

/// One token: out becomes the mean of both weighted by exp of their log-sum-exps. Shapes: out,
/// other [heads,d]; lse, other_lse, merged: one value a head, `stride` apart.
template <int width, class T>
SEAWALL_ROW void merge_row(const Team& team, T* out, const T* other, const float* lse,
                           const float* other_lse, float* merged, Count heads, Count d,
                           Count stride, Count other_stride) {
  const Count packs = d / width;
  team.each(heads * packs, [&](Count i) {
    const Count head = i / packs;
    const float a = lse[head * stride], b = other_lse[head * other_stride];
    const float most = a > b ? a : b;
    const float mine = exponential(a - most), theirs = exponential(b - most);
    const float sum = mine + theirs;
    auto x = load<width>(out, i);
    const auto y = load<width>(other, i);
    unrolled<width>(
        [&](int k) { narrow((mine * wide(x.at[k]) + theirs * wide(y.at[k])) / sum, x.at[k]); });
    save<width>(out, i, x);
    if (i % packs == 0) merged[head * other_stride] = most + logarithm(sum);
  });
}

}  // namespace seawall::rows
