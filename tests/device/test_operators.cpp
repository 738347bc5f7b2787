// The operators of a device, as a GPU's row functions compute them on the host, against ATen in
// fp64, and their plain twins against the same.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/device/operators.hpp"

namespace seawall::device {
namespace {

/// Half a unit in the last place of a value of 1, twice over: an operator rounds once or twice.
double tolerance(at::ScalarType type) { return type == at::kBFloat16 ? 1.6e-2 : 2e-6; }

void expect_near(const Tensor& got, const Tensor& want, double relative) {
  ASSERT_EQ(got.sizes(), want.sizes());
  const Tensor wide = want.to(at::kDouble);
  const double scale = wide.abs().max().item<double>();
  EXPECT_LE((got.to(at::kDouble) - wide).abs().max().item<double>(), relative * scale);
}

struct Case {
  at::ScalarType type;
  std::int64_t width;  // 8 values at a time, or one
};
class Operators : public ::testing::TestWithParam<Case> {
 protected:
  Tensor values(at::IntArrayRef sizes, double mean = 0) {
    return at::randn(sizes).add(mean).to(GetParam().type);
  }
  double near() const { return tolerance(GetParam().type); }
};

Tensor leaf(const Tensor& x) { return x.to(at::kDouble).requires_grad_(true); }

TEST_P(Operators, RmsNorm) {
  const auto n = GetParam().width;
  for (const auto weight_type : {GetParam().type, at::kFloat}) {
    const Tensor x = values({3, 5, n}).requires_grad_(true);
    const Tensor w = values({n}, 1).to(weight_type).requires_grad_(true);
    const Tensor dy = values({3, 5, n});
    const Tensor x64 = leaf(x.detach()), w64 = leaf(w.detach());
    const Tensor want = x64 * (x64.square().mean(-1, true) + 1e-5).rsqrt() * w64;
    want.backward(dy.to(at::kDouble));
    const Tensor got = rms_norm(x, w, 1e-5);
    got.backward(dy);
    EXPECT_EQ(got.scalar_type(), GetParam().type);
    expect_near(got, want.detach(), near());
    expect_near(x.grad(), x64.grad(), near());
    expect_near(w.grad(), w64.grad(), near());
  }
}

TEST_P(Operators, Rotary) {
  const auto d = 2 * GetParam().width;
  const Tensor x = values({7, 3, d}).requires_grad_(true), dy = values({7, 3, d});
  const Tensor angle = at::rand({7, 1, d / 2}).repeat({1, 1, 2}) * 6;
  const Tensor cos = angle.cos().to(GetParam().type), sin = angle.sin().to(GetParam().type);
  const Tensor x64 = leaf(x.detach());
  const Tensor turned = at::cat({-x64.narrow(2, d / 2, d / 2), x64.narrow(2, 0, d / 2)}, 2);
  const Tensor want = x64 * cos.to(at::kDouble) + turned * sin.to(at::kDouble);
  want.backward(dy.to(at::kDouble));
  const Tensor got = rotary(x, cos, sin);
  got.backward(dy);
  expect_near(got, want.detach(), near());
  expect_near(x.grad(), x64.grad(), near());
}

TEST_P(Operators, Gate) {
  const auto n = 3 * GetParam().width;
  for (const bool gelu : {false, true}) {
    const Tensor gate = values({5, n}).requires_grad_(true),
                 up = values({5, n}).requires_grad_(true);
    const Tensor dy = values({5, n}), gate64 = leaf(gate.detach()), up64 = leaf(up.detach());
    const Tensor want = (gelu ? at::gelu(gate64, "tanh") : at::silu(gate64)) * up64;
    want.backward(dy.to(at::kDouble));
    const Tensor got = gated(gate, up, gelu);
    got.backward(dy);
    expect_near(got, want.detach(), near());
    expect_near(gate.grad(), gate64.grad(), near());
    expect_near(up.grad(), up64.grad(), near());
  }
}

TEST_P(Operators, HaveNoSecondDerivative) {
  const Tensor x = values({2, GetParam().width}).requires_grad_(true);
  const Tensor y = gated(x, x, false).sum();
  EXPECT_THROW(y.backward({}, true, /*create_graph=*/true), RunError);
}

/// Tensors of one step: weights that have moved from their start a little.
AdamWTensors step_tensors(std::int64_t n, at::ScalarType type, at::ScalarType gradient) {
  AdamWTensors t;
  t.start = at::randn({n}).mul(0.05).to(type);
  t.weight = t.start.to(at::kFloat).add(at::randn({n}).mul(1e-3)).to(type);
  t.gradient = at::randn({n}).mul(1e-2).to(gradient);
  t.m = at::randn({n}).mul(1e-2).to(type);
  t.v = at::rand({n}).mul(1e-4).to(type);
  return t;
}
AdamWTensors copy(const AdamWTensors& t) {
  const auto own = [](const Tensor& x) { return x.defined() ? x.clone() : x; };
  return {own(t.weight), t.gradient, own(t.m), own(t.v), t.start, own(t.term), own(t.master)};
}

TEST_P(Operators, AdamW) {
  const auto type = GetParam().type;
  const auto n = 100 * GetParam().width;
  const AdamWStep step{.lr = 1e-2, .weight_decay = 0.1, .updates = 3};
  const Tensor guard = at::tensor({0.5, 1.0}, at::kFloat);
  for (const auto& [gradient, start] :
       {std::pair{type, type}, std::pair{at::kBFloat16, type}, std::pair{type, at::kBFloat16},
        std::pair{at::kBFloat16, at::kBFloat16}}) {
    AdamWTensors ours = step_tensors(n, type, gradient);
    ours.start = ours.start.to(start);
    AdamWTensors plain = copy(ours), wide;
    const Tensor before = ours.weight.clone();
    for (const auto member : {&AdamWTensors::weight, &AdamWTensors::gradient, &AdamWTensors::m,
                              &AdamWTensors::v, &AdamWTensors::start})
      wide.*member = (ours.*member).to(at::kDouble);
    const Tensor facts = adamw(step, ours, guard);
    plain_adamw(step, plain, guard);
    const Tensor want = plain_adamw(step, wide, guard.to(at::kDouble));
    const double near = tolerance(type);
    for (const auto& t : {ours, plain}) {
      expect_near(t.weight, wide.weight, near);
      expect_near(t.m, wide.m, near);
      expect_near(t.v, wide.v, near);
    }
    EXPECT_EQ(facts[0].item<double>(), before.ne(ours.weight).sum().item<double>());
    const double away =
        (ours.weight.to(at::kDouble) - ours.start.to(at::kDouble)).square().sum().item<double>();
    EXPECT_NEAR(facts[1].item<double>(), away, 1e-5 * away);
    if (type == at::kFloat) {
      EXPECT_NEAR(facts[1].item<double>(), want[1].item<double>(), 1e-5 * away);
    }
  }
}

TEST_P(Operators, AdamWMovesNothingWhereTheGuardForbidsIt) {
  const auto type = GetParam().type;
  AdamWTensors t = step_tensors(10 * GetParam().width, type, type);
  t.gradient.fill_(std::numeric_limits<double>::quiet_NaN());
  const AdamWTensors before = copy(t);
  const AdamWStep step{.lr = 1e-2, .weight_decay = 0.1};
  for (const bool plain : {false, true}) {
    const Tensor guard = at::tensor({1.0, 0.0}, at::kFloat);
    const Tensor facts = plain ? plain_adamw(step, t, guard) : adamw(step, t, guard);
    EXPECT_TRUE(t.weight.equal(before.weight));
    EXPECT_TRUE(t.m.equal(before.m));
    EXPECT_TRUE(t.v.equal(before.v));
    EXPECT_EQ(facts[0].item<double>(), 0);
    EXPECT_GT(facts[1].item<double>(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Operators,
                         ::testing::Values(Case{at::kFloat, 64}, Case{at::kFloat, 5},
                                           Case{at::kBFloat16, 64}, Case{at::kBFloat16, 5}),
                         [](const auto& info) {
                           return std::string(info.param.type == at::kFloat ? "fp32" : "bf16") +
                                  (info.param.width % 8 == 0 ? "" : "_odd");
                         });

TEST(OperatorsOfKahan, AdamWKeepsWhatRoundingLost) {
  AdamWTensors ours = step_tensors(800, at::kBFloat16, at::kBFloat16);
  ours.term = at::randn({800}).mul(1e-5).to(at::kBFloat16);
  ours.master = at::zeros({800}, at::kFloat);
  AdamWTensors plain = copy(ours);
  const AdamWStep step{.lr = 1e-5};  // below half a unit in the last place of most weights
  const Tensor guard = at::tensor({1.0, 1.0}, at::kFloat);
  const Tensor before = ours.weight.to(at::kFloat) + ours.term;
  const Tensor facts = adamw(step, ours, guard), want = plain_adamw(step, plain, guard);
  const Tensor after = ours.weight.to(at::kFloat) + ours.term;
  EXPECT_EQ(facts[0].item<double>(), before.ne(after).sum().item<double>());
  EXPECT_GT(facts[0].item<double>(), 700);
  expect_near(after, plain.weight.to(at::kFloat) + plain.term, 1e-6);
  expect_near(ours.master, plain.master, 1e-6);
  EXPECT_NEAR(facts[1].item<double>(), want[1].item<double>(), 1e-4 * want[1].item<double>());
}

}  // namespace
}  // namespace seawall::device
