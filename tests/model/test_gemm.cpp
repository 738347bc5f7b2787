#include "model/gemm.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <limits>

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
  std::vector<float> log_probs(17);
  const auto best = packed.argmax(x.const_data_ptr<float>(), 17, log_probs.data());
  const Tensor log_softmax = want.log_softmax(1);
  for (std::int64_t r = 0; r < 17; ++r) {
    EXPECT_EQ(best[r], want[r].argmax().item<std::int64_t>());
    EXPECT_NEAR(log_probs[r], log_softmax[r][best[r]].item<double>(), 1e-5);
  }
}

TEST(PackedLinear, WithoutACopyGivesTheSame) {
  const Tensor w1 = at::randn({700, 20}), w2 = at::randn({333, 20}), x = at::randn({17, 20});
  const cpu::PackedLinear<float> copied({w1, w2}), plain({w1, w2}, false);
  Tensor want = at::ones({17, 1033}), got = at::ones({17, 1033});
  for (const bool add : {true, false}) {
    copied.apply(x.const_data_ptr<float>(), 17, want.data_ptr<float>(), add);
    plain.apply(x.const_data_ptr<float>(), 17, got.data_ptr<float>(), add);
    EXPECT_TRUE(at::equal(got, want));
  }
  EXPECT_EQ(plain.argmax(x.const_data_ptr<float>(), 17),
            copied.argmax(x.const_data_ptr<float>(), 17));
  EXPECT_FALSE(cpu::lay_out(6'738'415'616, 2));  // Llama-2-7b
  EXPECT_TRUE(cpu::lay_out(134'515'008, 4));
}

TEST(PackedLinear, ArgmaxTakesTheFirstOfEquals) {
  Tensor w = at::zeros({1000, 4});
  for (std::int64_t row : {37, 38, 600, 999}) w[row] = 1;
  const cpu::PackedLinear<float> packed({w});
  const Tensor x = at::ones({3, 4});
  EXPECT_EQ(packed.argmax(x.const_data_ptr<float>(), 3), (std::vector<std::int64_t>{37, 37, 37}));
}

TEST(Bf16, RoundsWidensAndNarrowsAsAtenDoes) {
  const float inf = std::numeric_limits<float>::infinity();
  // ties to both sides, the largest finite value, which rounds to infinity, and a NaN that would
  // become infinite if it were cut
  const Tensor odd =
      at::tensor(std::vector<float>{1.00390625f, 1.01171875f, -1.00390625f, 3.4028235e38f, inf,
                                    -inf, 0.0f, -0.0f, 1e-38f, std::bit_cast<float>(0x7f800001u)});
  const Tensor x = at::cat({odd, at::randn({4099})});
  const Tensor want = x.to(at::kBFloat16);
  std::size_t table = 0;
  for (const auto* each : kernels::bf16_tables()) {
    const auto& kernel = *each;
    ++table;
    for (const std::int64_t n : {std::int64_t{3}, x.numel()}) {
      Tensor rounded = x.clone(), wide = at::empty_like(x), narrow = at::empty_like(want);
      auto* stored = static_cast<kernels::Bf16*>(narrow.data_ptr());
      kernel.round(rounded.data_ptr<float>(), n);
      kernel.narrow(stored, x.const_data_ptr<float>(), n);
      kernel.widen(wide.data_ptr<float>(), stored, n);
      const auto first = [n](const Tensor& t) { return t.to(at::kFloat).narrow(0, 0, n); };
      EXPECT_TRUE(at::allclose(first(rounded), first(want), 0, 0, true)) << table;
      EXPECT_TRUE(at::allclose(first(narrow), first(want), 0, 0, true)) << table;
      EXPECT_TRUE(at::allclose(first(wide), first(want), 0, 0, true)) << table;
    }
  }
}

TEST(Bf16, ProductsOfEveryTableAreThoseOfTheValues) {
  std::size_t table = 0;
  for (const auto* kernel : kernels::bf16_tables()) {
    ++table;
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 5, 3},
                                  {29, 70, 38},
                                  {15, 32, 64},
                                  {40, 33, 1601},
                                  {90, 200, 3202}})
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          const auto shape = [](bool swap, std::int64_t r, std::int64_t c) {
            return swap ? std::vector{c, r} : std::vector{r, c};
          };
          const Tensor a = at::randn(shape(ta, m, k)).to(at::kBFloat16).to(at::kFloat);
          const Tensor b = at::randn(shape(tb, k, n)).to(at::kBFloat16), wide = b.to(at::kFloat);
          const Tensor exact =
              at::matmul((ta ? a.t() : a).to(at::kDouble), (tb ? wide.t() : wide).to(at::kDouble));
          const double tolerance = 1.2e-5 * std::sqrt(static_cast<double>(k));
          for (const bool add : {false, true}) {
            Tensor c = at::ones({m, n});
            const kernels::Gemm<float, kernels::Bf16> stored{
                a.const_data_ptr<float>(),
                a.stride(0),
                ta,
                static_cast<const kernels::Bf16*>(b.const_data_ptr()),
                b.stride(0),
                tb,
                c.data_ptr<float>(),
                n,
                m,
                n,
                k,
                add};
            std::vector<float> scratch(kernel->gemm_scratch(stored));
            kernel->gemm(stored, scratch.data());
            EXPECT_LT(testing::largest_difference(c, exact + (add ? 1 : 0)), tolerance)
                << table << " " << m << " " << ta << tb;
            c.fill_(1);
            const kernels::Gemm<float> values{stored.a,    stored.a_stride,
                                              ta,          wide.const_data_ptr<float>(),
                                              b.stride(0), tb,
                                              stored.c,    n,
                                              m,           n,
                                              k,           add};
            scratch.assign(kernel->values_scratch(values), 0);
            kernel->values_gemm(values, scratch.data());
            EXPECT_LT(testing::largest_difference(c, exact + (add ? 1 : 0)), tolerance)
                << table << " " << m << " " << ta << tb;
          }
        }
  }
}

TEST(Bf16, AWeightsGradientIsSummedInFp32AndRoundedOnce) {
  // more rows than are summed at once
  const std::int64_t t = 21, n = 3000, k = 1000;
  const Tensor dy = at::randn({t, n}).to(at::kBFloat16).to(at::kFloat),
               x = at::randn({t, k}).to(at::kBFloat16).to(at::kFloat);
  const Tensor dw = at::full({n, k}, 0.5, at::kBFloat16);
  const Tensor exact = at::matmul(dy.t().to(at::kDouble), x.to(at::kDouble));
  auto* to = static_cast<cpu::Bf16*>(dw.data_ptr());
  const cpu::View<const float> left{dy.const_data_ptr<float>(), n},
      right{x.const_data_ptr<float>(), k};
  cpu::grad_weight<float>({t, n, k}, left, right, to, Store::add);
  // half a unit in the last of eight bits
  EXPECT_TRUE(at::allclose(dw.to(at::kDouble), exact + 0.5, 1.0 / 256, 1e-5));
  cpu::grad_weight<float>({t, n, k}, left, right, to);
  EXPECT_TRUE(at::allclose(dw.to(at::kDouble), exact, 1.0 / 256, 1e-5));
}

TEST(Bf16, ArgmaxIsTheFirstOfLogitsThatRoundToTheSame) {
  Tensor w = at::zeros({40, 2});
  w[7][0] = 1.0;
  w[9][0] = 1.0;
  w[9][1] = 0.0009765625;  // 1.0009765625 rounds to 1
  const cpu::PackedLinear<float, cpu::Bf16> packed({w.to(at::kBFloat16)});
  const Tensor x = at::ones({1, 2});
  float log_prob = 0;
  EXPECT_EQ(packed.argmax(x.const_data_ptr<float>(), 1, &log_prob), std::vector<std::int64_t>{7});
  const Tensor logits = at::matmul(x, w.to(at::kBFloat16).to(at::kFloat).t()).to(at::kBFloat16);
  EXPECT_NEAR(log_prob, logits.log_softmax(1, at::kFloat)[0][7].item<double>(), 1e-6);
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
