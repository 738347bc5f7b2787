#include "seawall/model/gemm.hpp"

#include <gtest/gtest.h>

#include "seawall/model/kernels.hpp"
#include "seawall/model/packed.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using cpu::Store;

/// A matrix with rows `stride` apart inside a larger one, so that wrong strides and writes past the
/// end show.
template <class Real>
struct Padded {
  Tensor whole, view;
  Padded(std::int64_t rows, std::int64_t columns)
      : whole(at::randn({rows + 1, columns + 3}, c10::CppTypeToScalarType<Real>::value)),
        view(whole.narrow(0, 0, rows).narrow(1, 0, columns)) {}
  cpu::View<const Real> read() const { return {whole.const_data_ptr<Real>(), whole.stride(0)}; }
  cpu::View<Real> write() { return {whole.data_ptr<Real>(), whole.stride(0)}; }
};

template <class Real>
void expect_products(std::int64_t m, std::int64_t n, std::int64_t k) {
  const double tolerance =
      (sizeof(Real) == 4 ? 3e-6 : 1e-14) * std::sqrt(static_cast<double>(k)) * 4;
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (auto store : {Store::set, Store::add}) {
        const Padded<Real> a(ta ? k : m, ta ? m : k), b(tb ? n : k, tb ? k : n);
        Padded<Real> c(m, n);
        const Tensor before = c.whole.clone();
        Tensor want = at::matmul((ta ? a.view.t() : a.view).to(at::kDouble),
                                 (tb ? b.view.t() : b.view).to(at::kDouble));
        if (store == Store::add) want = want + before.narrow(0, 0, m).narrow(1, 0, n);
        cpu::gemm<Real>(ta, tb, {m, n, k}, a.read(), b.read(), c.write(), store);
        EXPECT_LT(testing::largest_difference(c.view, want), tolerance)
            << m << " " << n << " " << k << " " << ta << tb;
        EXPECT_TRUE(
            at::equal(c.whole.narrow(1, n, 3), before.narrow(1, n, 3)));  // nothing beside it
        EXPECT_TRUE(at::equal(c.whole[m], before[m]));                    // nothing below it
      }
}

TEST(Gemm, EveryTailOfEveryOperand) {
  at::set_num_threads(1);
  for (std::int64_t m : {1, 5, 14, 15, 29})
    for (std::int64_t n : {1, 15, 32, 33, 70})
      for (std::int64_t k : {1, 16, 37}) {
        expect_products<float>(m, n, k);
        expect_products<double>(m, n, k);
      }
}

TEST(Gemm,
     BlocksInEveryDirection) {  // more than one chunk of columns, block of rows and part of the sum
  expect_products<float>(300, 700, 2500);
  expect_products<double>(200, 150, 2049);
  expect_products<float>(700, 1400, 1597);  // parts shorter than the longest, in wider chunks
}

TEST(Gemm, SameBitsOnTwoThreads) {
  const Tensor a = at::randn({200, 96}), b = at::randn({130, 96});
  Tensor one = at::empty({200, 130}), two = at::empty({200, 130});
  auto run = [&](Tensor& c, int threads) {
    at::set_num_threads(threads);
    cpu::linear<float>({200, 130, 96}, {a.const_data_ptr<float>(), 96}, b.const_data_ptr<float>(),
                       {c.data_ptr<float>(), 130});
    at::set_num_threads(1);
  };
  run(one, 1);
  run(two, 2);
  EXPECT_TRUE(at::equal(one, two));
}

TEST(PackedLinear, EqualsTheProductAndItsArgmax) {
  const Tensor w1 = at::randn({70, 20}), w2 = at::randn({29, 20}), x = at::randn({17, 20});
  const cpu::PackedLinear<float> packed({w1, w2});
  Tensor y = at::ones({17, 99});
  packed.apply(x.const_data_ptr<float>(), 17, y.data_ptr<float>(), true);
  const Tensor want = at::matmul(x, at::cat({w1, w2}).t());
  EXPECT_LT(testing::largest_difference(y, want + 1), 1e-5);
  const auto best = packed.argmax(x.const_data_ptr<float>(), 17);
  for (std::int64_t r = 0; r < 17; ++r) EXPECT_EQ(best[r], want[r].argmax().item<std::int64_t>());
}

TEST(PackedLinear, ArgmaxTakesTheFirstOfEquals) {
  Tensor w = at::zeros({1000, 4});
  for (std::int64_t row : {37, 38, 600, 999}) w[row] = 1;
  const cpu::PackedLinear<float> packed({w});
  const Tensor x = at::ones({3, 4});
  EXPECT_EQ(packed.argmax(x.const_data_ptr<float>(), 3), (std::vector<std::int64_t>{37, 37, 37}));
}

TEST(Kernels, ExponentialThroughSoftmaxIsExact) {
  // softmax and its log-sum-exp over a range that underflows, with a tail that fills no vector
  const auto& kernel = kernels::table<double>();
  for (std::int64_t n : {1, 7, 8, 31, 100}) {
    const Tensor s = at::linspace(-900, 3, n, at::kDouble);
    Tensor p = s.clone();
    const double lse = kernel.softmax(p.data_ptr<double>(), 0.9, n, n);
    EXPECT_NEAR(lse, (s * 0.9).logsumexp(0).item<double>(), 1e-12);
    EXPECT_LT(testing::largest_difference(p, (s * 0.9).softmax(0)), 1e-15);
  }
  const auto& single = kernels::table<float>();
  Tensor x = at::linspace(-20, 20, 1001);
  Tensor y = at::empty_like(x), one = at::ones_like(x);
  single.silu_mul(y.data_ptr<float>(), x.data_ptr<float>(), one.data_ptr<float>(), 1001);
  const Tensor exact = at::silu(x.to(at::kDouble));
  EXPECT_LT(((y - exact) / (exact.abs() + 1e-6)).abs().max().item<double>(),
            1e-6);  // a few ulp of fp32
}

TEST(Kernels, ArgmaxNeverTakesNan) {
  const auto& kernel = kernels::table<float>();
  const float values[] = {1, NAN, 3, 3, NAN, -INFINITY};
  EXPECT_EQ(kernel.argmax(values, 6), 2);
}

}  // namespace
}  // namespace seawall
