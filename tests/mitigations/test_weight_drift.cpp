#include "mitigations/weight_drift.hpp"

#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_params.hpp"

namespace seawall {
namespace {

using testing::FakeParams;
using testing::floats;

FakeParams two_weights() {
  FakeParams params;
  params.add("model.embed_tokens.weight", {1, 2, 3}, {0, 2, 5});             // drift 1, 0, -2
  params.add("model.layers.0.mlp.up_proj.weight", {4, -4}, {3.5f, -4.25f});  // drift 0.5, 0.25
  return params;
}

void set_gradients(const FakeParams& params) {
  for (const Param& p : params.params()) p.value.mutable_grad() = at::ones_like(p.value.detach());
}

TEST(WeightDrift, CoupledValueAndGradientAreTheClosedForm) {
  FakeParams params = two_weights();
  Stack stack{WeightDrift{{.lambda = 0.1}}};
  stack.on_start(params.trainer());
  set_gradients(params);
  const Tensor penalty = stack.penalty(params.trainer(), Step{});
  // 0.1 / 2 * (1 + 0 + 4 + 0.25 + 0.0625)
  EXPECT_FLOAT_EQ(penalty.item<float>(), 0.05f * 5.3125f);
  stack.before_step(params.trainer(), Step{});
  // 1 + lambda * (theta - theta0)
  const std::vector<float> want0{1.1f, 1, 0.8f}, want1{1.05f, 1.025f};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(floats(params[0].value.grad())[i], want0[i]);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_FLOAT_EQ(floats(params[1].value.grad())[i], want1[i]);
  stack.after_step(params.trainer(), Step{.lr = 1});
  EXPECT_EQ(floats(params[0].value), (std::vector<float>{1, 2, 3}));  // coupled moves no weight
}

TEST(WeightDrift, TheGradientIsThatOfThePenalty) {
  // Central differences of `penalty`, where nothing but its definition is used.
  FakeParams params = two_weights();
  Stack stack{WeightDrift{{.lambda = 0.3, .layers = "embed=2"}}};
  stack.on_start(params.trainer());
  stack.before_step(params.trainer(), Step{});
  for (const Param& p : params.params())
    for (std::int64_t i = 0; i < p.value.numel(); ++i) {
      constexpr float h = 0.125f;  // exact in fp32; the penalty is quadratic, so differences are
      float* theta = p.master.data_ptr<float>() + i;
      *theta += h;
      const float up = stack.penalty(params.trainer(), Step{}).item<float>();
      *theta -= 2 * h;
      const float down = stack.penalty(params.trainer(), Step{}).item<float>();
      *theta += h;
      EXPECT_NEAR(floats(p.value.grad())[i], (up - down) / (2 * h), 1e-5) << p.name << " " << i;
    }
}

TEST(WeightDrift, DecoupledMovesTheMasterAfterTheStep) {
  FakeParams params = two_weights();
  Stack stack{WeightDrift{{.lambda = 0.5, .form = "decoupled"}}};
  stack.on_start(params.trainer());
  set_gradients(params);
  EXPECT_FALSE(stack.penalty(params.trainer(), Step{}).defined());
  stack.before_step(params.trainer(), Step{});
  EXPECT_EQ(floats(params[0].value.grad()), (std::vector<float>{1, 1, 1}));
  stack.after_step(params.trainer(), Step{.lr = 0.25});
  // theta - 0.25 * 0.5 * (theta - theta0), exact in fp32
  EXPECT_EQ(floats(params[0].master), (std::vector<float>{0.875, 2, 3.25}));
  EXPECT_EQ(floats(params[1].master), (std::vector<float>{3.9375, -4.03125}));
}

TEST(WeightDrift, PlacesWeighAsTheRulesSay) {
  FakeParams params = two_weights();
  Stack stack{WeightDrift{{.lambda = 1, .layers = "embed=0,0=2"}}};
  stack.on_start(params.trainer());
  EXPECT_FLOAT_EQ(stack.penalty(params.trainer(), Step{}).item<float>(), 2 * 0.3125f / 2);
  stack.before_step(params.trainer(), Step{});
  EXPECT_FALSE(params[0].value.grad().defined());
  EXPECT_EQ(floats(params[1].value.grad()), (std::vector<float>{1, 0.5}));
}

TEST(WeightDrift, NothingIsPulledWhereNothingWeighs) {
  FakeParams params = two_weights();
  for (const WeightDrift& drift :
       {WeightDrift{{.lambda = 0}}, WeightDrift{{.layers = "embed=0,0=0"}}}) {
    Stack stack{drift};
    stack.on_start(params.trainer());
    const Tensor penalty = stack.penalty(params.trainer(), Step{});
    EXPECT_TRUE(!penalty.defined() || penalty.item<float>() == 0);
    stack.before_step(params.trainer(), Step{});
    stack.after_step(params.trainer(), Step{.lr = 1});
    EXPECT_EQ(floats(params[0].master), (std::vector<float>{1, 2, 3}));
  }
}

TEST(WeightDrift, AtTheStartThereIsNoPullAndNoNan) {
  FakeParams params;
  params.add("w", {1, 2}, {1, 2});
  Stack stack{WeightDrift{}};
  stack.on_start(params.trainer());
  EXPECT_EQ(stack.penalty(params.trainer(), Step{}).item<float>(), 0);
  stack.before_step(params.trainer(), Step{});
  EXPECT_EQ(floats(params[0].value.grad()), (std::vector<float>{0, 0}));
}

/// Two products of rank 2 beside weights of [3,4] and [4,3]; `continued`: B0 is not zero.
FakeParams two_products(bool continued) {
  const std::vector<float> a0{0.5f, -1, 0.25f, 2, 1, 0.75f, -0.5f, 1.5f},
      a{0.75f, -1, 0.5f, 2, 0.5f, 0.75f, -0.25f, 1}, b{1, 0.5f, -0.5f, 2, 0.25f, -1};
  const std::vector<float> b0 =
      continued ? std::vector<float>{0.5f, 0.25f, -1, 1, 0, -0.5f} : std::vector<float>(6, 0);
  FakeParams params;
  for (const char* name : {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"}) {
    params.add(std::string(name) + ".lora_A.weight", a, a0, {2, 4}, 1.5);
    params.add(std::string(name) + ".lora_B.weight", b, b0, {3, 2}, 1.5);
  }
  return params;
}

/// s (B A - B0 A0) of the product at `i`, written out.
Tensor product_drift(const FakeParams& params, std::size_t i) {
  const Param &a = params[i], &b = params[i + 1];
  return b.value.detach()
      .matmul(a.value.detach())
      .sub(b.start.matmul(a.start))
      .mul(a.scale);  // [3,4]
}

TEST(WeightDriftOfAProduct, ValueIsTheNormOfTheWholeMatrix) {
  for (const bool continued : {false, true}) {
    FakeParams params = two_products(continued);
    Stack stack{WeightDrift{{.lambda = 0.1, .layers = "1=3"}}};
    stack.on_start(params.trainer());
    const float first = product_drift(params, 0).pow(2).sum().item<float>(),
                second = product_drift(params, 2).pow(2).sum().item<float>();
    EXPECT_GT(first, 1);
    EXPECT_NEAR(stack.penalty(params.trainer(), Step{}).item<float>(), 0.05f * (first + 3 * second),
                1e-5f * first);
  }
}

TEST(WeightDriftOfAProduct, GradientIsThatOfThePenalty) {
  for (const bool continued : {false, true}) {
    FakeParams params = two_products(continued);
    set_gradients(params);
    Stack stack{WeightDrift{{.lambda = 0.3, .layers = "mlp=2"}}};
    stack.on_start(params.trainer());
    stack.before_step(params.trainer(), Step{});
    for (const Param& p : params.params())
      for (std::int64_t i = 0; i < p.value.numel(); ++i) {
        // Quadratic in one entry, so that differences of any width are exact but for rounding.
        constexpr float h = 0.125f;
        float* theta = p.master.data_ptr<float>() + i;
        *theta += h;
        const float up = stack.penalty(params.trainer(), Step{}).item<float>();
        *theta -= 2 * h;
        const float down = stack.penalty(params.trainer(), Step{}).item<float>();
        *theta += h;
        EXPECT_NEAR(floats(p.value.grad())[i], 1 + (up - down) / (2 * h), 1e-4) << p.name << i;
      }
  }
}

TEST(WeightDriftOfAProduct, DecoupledShrinksAFreshProductExactly) {
  FakeParams params = two_products(false);
  const Tensor before = product_drift(params, 0);
  const auto a = floats(params[0].value);
  Stack stack{WeightDrift{{.lambda = 0.5, .form = "decoupled"}}};
  stack.on_start(params.trainer());
  stack.after_step(params.trainer(), Step{.lr = 0.25});
  EXPECT_TRUE(product_drift(params, 0).equal(before.mul(1 - 0.125)));
  EXPECT_EQ(floats(params[0].value), a);
  // An adapter trained before has no product to shrink to; both factors go back.
  FakeParams again = two_products(true);
  const auto a_before = floats(again[0].value);
  stack.on_start(again.trainer());
  stack.after_step(again.trainer(), Step{.lr = 0.25});
  EXPECT_NE(floats(again[0].value), a_before);
}

TEST(WeightDriftOfAProduct, FactorsArePulledWhereAskedFor) {
  FakeParams params = two_products(false);
  Stack stack{WeightDrift{{.lambda = 2, .of = "factors", .layers = "1=0"}}};
  stack.on_start(params.trainer());
  double square = 0;
  for (const std::size_t i : {0, 1})
    square += params[i].value.detach().sub(params[i].start).pow(2).sum().item<double>();
  EXPECT_NEAR(stack.penalty(params.trainer(), Step{}).item<double>(), square, 1e-5);
  stack.before_step(params.trainer(), Step{});
  EXPECT_TRUE(params[1].value.grad().equal(params[1].value.detach().mul(2)));
}

TEST(WeightDrift, BadRulesNeverGetIn) {
  EXPECT_THROW((Stack{WeightDrift{{.layers = "middle=1"}}}), UsageError);
  EXPECT_THROW(AnyMitigation(WeightDrift{{.form = "sideways"}}), UsageError);
  EXPECT_THROW(AnyMitigation(WeightDrift{{.lambda = -1}}), UsageError);
}

}  // namespace
}  // namespace seawall
