#include "seawall/model/packed.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/gemm.hpp"

namespace seawall::cpu {

template <class Weight>
static const Weight* stored(const Tensor& w) {
  return static_cast<const Weight*>(w.const_data_ptr());
}

template <class Real, class Weight>
static void multiply(const kernels::Product<Real, Weight>& product) {
  if constexpr (is_narrow<Real, Weight>)
    kernels::bf16_table().multiply(product);
  else
    kernels::table<Real>().multiply(product);
}

template <class Real, class Weight>
PackedLinear<Real, Weight>::PackedLinear(const std::vector<Tensor>& weights, bool copy)
    : k_(weights.front().size(1)) {
  if (!copy) {
    plain_ = weights;
    for (const auto& w : weights) n_ += w.size(0);
    return;
  }
  std::vector<const Weight*> rows;
  for (const auto& w : weights)
    for (std::int64_t r = 0; r < w.size(0); ++r) rows.push_back(stored<Weight>(w) + r * k_);
  n_ = static_cast<std::int64_t>(rows.size());
  const auto panel = kernels::table<Real>().panel, panels = (n_ + panel - 1) / panel;
  data_ = std::make_unique_for_overwrite<Weight[]>(panels * panel * k_);
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) {
      Weight* out = data_.get() + p * panel * k_;
      const auto columns = std::min(panel, n_ - p * panel);
      if (columns < panel) std::fill_n(out, k_ * panel, Weight{});
      constexpr std::int64_t block =
          16;  // k values at a time, so that a panel's lines stay in the cache
      for (std::int64_t i0 = 0; i0 < k_; i0 += block)
        for (std::int64_t c = 0; c < columns; ++c) {
          const Weight* row = rows[p * panel + c];
          for (auto i = i0; i < std::min(i0 + block, k_); ++i) out[i * panel + c] = row[i];
        }
    }
  });
}

template <class Real, class Weight>
void PackedLinear<Real, Weight>::apply(const Real* x, std::int64_t m, Real* y, bool add) const {
  std::int64_t column = 0;
  for (const auto& w : plain_) {
    gemm<Real>(false, true, {m, w.size(0), k_}, {x, k_}, View<const Weight>{stored<Weight>(w), k_},
               {y + column, n_}, add ? Store::add : Store::set);
    column += w.size(0);
  }
  if (!plain_.empty()) return;
  const auto panel = kernels::table<Real>().panel, panels = (n_ + panel - 1) / panel;
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    const auto first = begin * panel, last = std::min(end * panel, n_);
    multiply<Real, Weight>(
        {x, k_, data_.get() + first * k_, y + first, n_, m, last - first, k_, add});
  });
}

template <class Real, class Weight>
void PackedLinear<Real, Weight>::part(const Real* x, std::int64_t m, std::int64_t first,
                                      std::int64_t columns, Real* logits,
                                      std::int64_t width) const {
  if (plain_.empty())
    return multiply<Real, Weight>(
        {x, k_, data_.get() + first * k_, logits, width, m, columns, k_, false});
  std::int64_t column = 0;  // of the weight's first row
  for (const auto& w : plain_) {
    const auto from = std::max(first, column), to = std::min(first + columns, column + w.size(0));
    if (from < to)
      gemm<Real>(false, true, {m, to - from, k_}, {x, k_},
                 View<const Weight>{stored<Weight>(w) + (from - column) * k_, k_},
                 {logits + from - first, width});
    column += w.size(0);
  }
}

template <class Real, class Weight>
std::vector<std::int64_t> PackedLinear<Real, Weight>::argmax(const Real* x, std::int64_t m,
                                                             float* log_probs) const {
  const auto& kernel = kernels::table<Real>();
  const auto width = 8 * kernel.panel, blocks = (n_ + width - 1) / width;
  struct Best {
    Real value = -std::numeric_limits<Real>::infinity();
    std::int64_t index = 0;
    double sum = 0;  // of exp(value - that one), of the block
  };
  std::vector<Best> found(blocks * m);
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Real> logits(m * width);
    for (auto b = begin; b < end; ++b) {
      const auto first = b * width, columns = std::min(width, n_ - first);
      part(x, m, first, columns, logits.data(), width);
      settle<Weight>(logits.data(), m * width);
      for (std::int64_t r = 0; r < m; ++r) {
        const auto at = kernel.argmax(logits.data() + r * width, columns);
        const Real* row = logits.data() + r * width;
        found[b * m + r] = {row[at], first + at};
        if (log_probs != nullptr)
          found[b * m + r].sum = std::exp(kernel.log_sum_exp(row, columns) - row[at]);
      }
    }
  });
  std::vector<Best> best(found.begin(), found.begin() + m);
  for (std::int64_t b = 1; b < blocks; ++b)
    for (std::int64_t r = 0; r < m; ++r)
      if (found[b * m + r].value > best[r].value) best[r] = found[b * m + r];
  std::vector<std::int64_t> out;
  for (const auto& one : best) out.push_back(std::isfinite(one.value) ? one.index : -1);
  if (log_probs == nullptr) return out;
  for (std::int64_t r = 0; r < m; ++r) {
    double sum = 0;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const Best& of_block = found[b * m + r];
      sum += of_block.sum * std::exp(static_cast<double>(of_block.value) - best[r].value);
    }
    log_probs[r] = static_cast<float>(-std::log(sum));
  }
  return out;
}

template class PackedLinear<float>;
template class PackedLinear<double>;
template class PackedLinear<float, Bf16>;

}  // namespace seawall::cpu
