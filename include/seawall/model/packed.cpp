#include "seawall/model/packed.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "seawall/model/kernels.hpp"

namespace seawall::cpu {

template <class Real>
PackedLinear<Real>::PackedLinear(const std::vector<Tensor>& weights) : k_(weights.front().size(1)) {
  std::vector<const Real*> rows;
  for (const auto& w : weights)
    for (std::int64_t r = 0; r < w.size(0); ++r) rows.push_back(w.const_data_ptr<Real>() + r * k_);
  n_ = static_cast<std::int64_t>(rows.size());
  const auto panel = kernels::table<Real>().panel, panels = (n_ + panel - 1) / panel;
  data_.resize(panels * panel * k_);
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) {
      Real* out = data_.data() + p * panel * k_;
      const auto columns = std::min(panel, n_ - p * panel);
      constexpr std::int64_t block =
          16;  // k values at a time, so that a panel's lines stay in the cache
      for (std::int64_t i0 = 0; i0 < k_; i0 += block)
        for (std::int64_t c = 0; c < columns; ++c) {
          const Real* row = rows[p * panel + c];
          for (auto i = i0; i < std::min(i0 + block, k_); ++i) out[i * panel + c] = row[i];
        }
    }
  });
}

template <class Real>
void PackedLinear<Real>::apply(const Real* x, std::int64_t m, Real* y, bool add) const {
  const auto& kernel = kernels::table<Real>();
  const auto panels = (n_ + kernel.panel - 1) / kernel.panel;
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    const auto first = begin * kernel.panel, last = std::min(end * kernel.panel, n_);
    kernel.multiply({x, k_, data_.data() + first * k_, y + first, n_, m, last - first, k_, add});
  });
}

template <class Real>
std::vector<std::int64_t> PackedLinear<Real>::argmax(const Real* x, std::int64_t m) const {
  const auto& kernel = kernels::table<Real>();
  const auto width = 8 * kernel.panel, blocks = (n_ + width - 1) / width;
  struct Best {
    Real value = -std::numeric_limits<Real>::infinity();
    std::int64_t index = 0;
  };
  std::vector<Best> found(blocks * m);
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Real> logits(m * width);
    for (auto b = begin; b < end; ++b) {
      const auto first = b * width, columns = std::min(width, n_ - first);
      kernel.multiply(
          {x, k_, data_.data() + first * k_, logits.data(), width, m, columns, k_, false});
      for (std::int64_t r = 0; r < m; ++r) {
        const auto at = kernel.argmax(logits.data() + r * width, columns);
        found[b * m + r] = {logits[r * width + at], first + at};
      }
    }
  });
  std::vector<Best> best(found.begin(), found.begin() + m);
  for (std::int64_t b = 1; b < blocks; ++b)
    for (std::int64_t r = 0; r < m; ++r)
      if (found[b * m + r].value > best[r].value) best[r] = found[b * m + r];
  std::vector<std::int64_t> out;
  for (const auto& one : best) out.push_back(one.index);
  return out;
}

template class PackedLinear<float>;
template class PackedLinear<double>;

}  // namespace seawall::cpu
