// Dropout as a function of a key and a place.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>

#include "seawall/model/lora.hpp"

namespace seawall {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

/// The output function of SplitMix64. Source: Steele, Lea and Flood 2014, "Fast splittable
/// pseudorandom number generators", fig. 16 (variant 13 of Stafford).
std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// A draw of 16 bits below this is left out.
std::uint32_t threshold(double p) { return static_cast<std::uint32_t>(std::lround(p * 65536)); }

}  // namespace

Dropout Dropout::of(std::int64_t layer, Projection projection) const {
  if (!*this) return {};
  // Seven plain projections: the fused ones count as those of the next block, which no model has
  // as well.
  constexpr std::int64_t plain = 7;
  const auto place =
      static_cast<std::uint64_t>(layer * plain) + static_cast<std::uint64_t>(projection) + 1;
  return {mixed(key + golden * place) | 1, p};
}

double Dropout::scale() const { return 1 / (1 - threshold(p) / 65536.0); }

std::uint64_t Dropout::row_key(std::int64_t row) const {
  return mixed(key + golden * (static_cast<std::uint64_t>(row) + 1));
}

template <class Real>
void drop_rows(const Dropout& dropout, const std::int64_t* rows, std::int64_t n,
               std::int64_t columns, const Real* x, std::int64_t stride, Real* y) {
  const auto least = threshold(dropout.p);
  const Real scale = static_cast<Real>(dropout.scale());
  at::parallel_for(0, n, 32, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = begin; r < end; ++r) {
      std::uint64_t key = dropout.row_key(rows ? rows[r] : r);
      const Real* from = x + r * stride;
      Real* to = y + r * columns;
      for (std::int64_t c = 0; c < columns; c += 4) {  // four draws a word
        key += golden;
        std::uint64_t word = mixed(key);
        for (std::int64_t i = c; i < std::min(c + 4, columns); ++i, word >>= 16)
          to[i] = (word & 0xffff) >= least ? from[i] * scale : Real(0);
      }
    }
  });
}

Tensor dropout_mask(const Dropout& dropout, const Tensor& rows, const Tensor& like) {
  if (!like.is_cpu()) {  // the device's own generator, so that no mask is made on the CPU
    auto generator = at::globalContext().defaultGenerator(like.device()).clone();
    generator.set_current_seed(dropout.key);
    return at::empty_like(like).bernoulli_(1 - dropout.p, generator).div_(1 - dropout.p);
  }
  const auto n = like.size(0), columns = like.size(1);
  const bool wide = like.scalar_type() == at::kDouble;
  const Tensor ones = at::ones({n, columns}, at::TensorOptions(wide ? at::kDouble : at::kFloat));
  const auto* row = rows.defined() ? rows.const_data_ptr<std::int64_t>() : nullptr;
  if (wide)
    drop_rows<double>(dropout, row, n, columns, ones.const_data_ptr<double>(), columns,
                      ones.mutable_data_ptr<double>());
  else
    drop_rows<float>(dropout, row, n, columns, ones.const_data_ptr<float>(), columns,
                     ones.mutable_data_ptr<float>());
  return ones.to(like.scalar_type());
}

template void drop_rows(const Dropout&, const std::int64_t*, std::int64_t, std::int64_t,
                        const float*, std::int64_t, float*);
template void drop_rows(const Dropout&, const std::int64_t*, std::int64_t, std::int64_t,
                        const double*, std::int64_t, double*);

}  // namespace seawall
