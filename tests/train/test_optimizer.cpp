#include <ATen/Parallel.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/model/files.hpp"
#include "seawall/train/adam_kernels.hpp"
#include "seawall/train/optimizer.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using testing::all;
using testing::same_bits;

std::map<std::string, Tensor> golden() {
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] :
       read_safetensors(SEAWALL_SOURCE_DIR "/data/golden/optimizer.safetensors"))
    out[name] = tensor;
  return out;
}

void set_gradients(TrainedWeights& weights, const std::vector<Tensor>& grads) {
  for (std::size_t i = 0; i < grads.size(); ++i) {
    Tensor value = weights.params()[i].value;
    value.mutable_grad() = grads[i].to(value.scalar_type());
  }
}

struct GoldenCase {
  const char* name;
  Precision precision;
  double lr, decay;
  bool clip;
  // fp32: one unit in the last place of the largest weights (about 3), since tails of tensors are
  // computed in double by ATen and in float here. bf16: exact, as the values are multiples of far
  // more.
  double tolerance;
};

class GoldenAdamW : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenAdamW, WalksPyTorchsPath) {
  const GoldenCase& c = GetParam();
  auto g = golden();
  // The golden masters start from bf16 values, as a bf16 model's would.
  if (c.precision == Precision::bf16_master)
    for (const char* name : {"start.a", "start.b"})
      g[name] = g[name].to(at::kBFloat16).to(at::kFloat);
  TrainedWeights weights({{"a", g["start.a"]}, {"b", g["start.b"]}}, c.precision, all, false);
  AdamW adam(weights, {.weight_decay = c.decay});
  std::ifstream file(SEAWALL_SOURCE_DIR "/data/golden/optimizer.json");
  const auto moved = nlohmann::json::parse(file).at("moved").at(c.name).get<std::vector<double>>();
  for (std::int64_t step = 0; step < 5; ++step) {
    set_gradients(weights, {g["grads.a"][step], g["grads.b"][step]});
    if (c.clip) adam.clip(adam.gradient_norm().norm, 1.0);
    const Movement movement = adam.step(c.lr);
    weights.publish();
    const bool master = c.precision == Precision::bf16_master;
    for (const std::string name : {"a", "b"}) {
      const Param& param = weights.params()[name == "b"];
      const Tensor want = g[std::string(c.name) + (master ? ".seen." : ".") + name][step];
      const double difference =
          param.value.detach().to(at::kFloat).sub(want).abs().max().item<double>();
      EXPECT_LE(difference, c.tolerance) << name << " step " << step;
    }
    if (!master) {
      EXPECT_DOUBLE_EQ(movement.moved, moved[static_cast<std::size_t>(step)]) << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, GoldenAdamW,
    ::testing::Values(GoldenCase{"fp32", Precision::fp32, 1e-3, 0, false, 2.4e-7},
                      GoldenCase{"fp32_decay", Precision::fp32, 1e-3, 0.1, false, 2.4e-7},
                      GoldenCase{"clip", Precision::fp32, 1e-3, 0, true, 2.4e-7},
                      GoldenCase{"pure_bf16", Precision::pure_bf16, 2e-5, 0, false, 0},
                      GoldenCase{"bf16_master", Precision::bf16_master, 2e-5, 0, false, 0}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(AdamW, FirstStepIsTheSignOfTheGradient) {
  // At t = 1 the corrected moments are g and g^2, so the step is lr * g / (|g| + eps).
  const Tensor start = at::zeros({4}, at::kFloat);
  TrainedWeights weights({{"w", start}}, Precision::fp32, all, false);
  AdamW adam(weights, {});
  const std::vector<float> g{0.5f, -2.0f, 1e-3f, 0.0f};
  set_gradients(weights, {at::tensor(g)});
  const Movement movement = adam.step(0.01);
  const Tensor w = weights.params()[0].value.detach();
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_NEAR(w[i].item<float>(), -0.01 * g[i] / (std::fabs(g[i]) + 1e-8), 1e-8) << i;
  EXPECT_DOUBLE_EQ(movement.moved, 0.75);
  EXPECT_NEAR(movement.drift, std::sqrt(3.0) * 0.01, 1e-6);
  EXPECT_TRUE(same_bits(start, at::zeros({4}, at::kFloat)));  // theta0 is not written
}

TEST(AdamW, OnePassHasTheBitsOfFusedAdamW) {
  if (!kernels::have_avx2()) GTEST_SKIP() << "no AVX2 here: _fused_adamw_ itself is used";
  for (const double decay : {0.0, 0.1}) {
    const std::int64_t n = 3 * 8192 + 16;
    Tensor w = at::randn({n}).mul_(0.02), m = at::zeros({n}), v = at::zeros({n});
    TrainedWeights weights({{"w", w.clone()}}, Precision::fp32, all, false);
    AdamW adam(weights, {.weight_decay = decay});
    for (int t = 1; t <= 30; ++t) {
      const Tensor g = at::randn({n}).mul_(t % 3 == 0 ? 1e-6 : 1e-2);
      set_gradients(weights, {g.clone()});
      adam.step(3e-4 / t);
      const std::vector<Tensor> ws{w}, gs{g}, ms{m}, vs{v}, none,
          steps{at::full({}, t, at::kFloat)};
      at::_fused_adamw_(ws, gs, ms, vs, none, steps, 3e-4 / t, 0.9, 0.999, decay, 1e-8, false,
                        false);
      NamedTensors state;
      adam.save(state);
      ASSERT_TRUE(same_bits(weights.params()[0].value, w)) << "decay " << decay << " step " << t;
      ASSERT_TRUE(same_bits(state[0].tensor, m)) << t;
      ASSERT_TRUE(same_bits(state[1].tensor, v)) << t;
    }
  }
}

TEST(AdamW, MovedAndDriftAreCountedAsTheyAre) {
  const Tensor start = at::randn({40000});
  for (const auto precision :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan}) {
    TrainedWeights weights(
        {{"w", start}, {"frozen", start}}, precision, [](auto name) { return name == "w"; }, false);
    AdamW adam(weights, {});
    for (int t = 0; t < 3; ++t) {
      const Tensor before = weights.stored(0).clone();
      set_gradients(weights, {at::randn({40000}).mul_(at::rand({40000}).lt(0.5))});
      adam.remember();
      const Movement in_step = adam.step(1e-3);
      weights.publish();
      const Movement after = adam.measure();
      const Tensor now = weights.stored(0), theta0 = weights.params()[0].start;
      const double moved = at::ne(before, now).sum().item<double>() / 40000;
      const double drift = now.to(at::kDouble).sub(theta0.to(at::kDouble)).norm().item<double>();
      for (const Movement& m : {in_step, after}) {
        EXPECT_DOUBLE_EQ(m.moved, moved) << precision_name(precision);
        // Squares are added in fp32: within blocks of 8,192 in our pass, over all 40,000 in ATen's.
        EXPECT_NEAR(m.drift, drift, 1e-4 * drift) << precision_name(precision);
        ASSERT_EQ(m.params.size(), 1u);
      }
      EXPECT_NEAR(adam.drift().drift, drift, 1e-4 * drift);
    }
  }
}

TEST(AdamW, GradientNormIsGlobalAndSeesNaN) {
  const Tensor a = at::randn({100, 7}), b = at::randn({13});
  for (const auto precision : {Precision::fp32, Precision::pure_bf16}) {
    TrainedWeights weights({{"a", a}, {"b", b}}, precision, all, false);
    AdamW adam(weights, {});
    set_gradients(weights, {a.clone(), b.clone()});
    const double want =
        std::sqrt(weights.gradient(0).to(at::kDouble).square().sum().item<double>() +
                  weights.gradient(1).to(at::kDouble).square().sum().item<double>());
    EXPECT_NEAR(adam.gradient_norm().norm, want, 1e-6 * want);
    weights.gradient(1)[12].fill_(std::nan(""));
    const auto norm = adam.gradient_norm();
    EXPECT_TRUE(std::isnan(norm.norm));
    EXPECT_TRUE(std::isfinite(norm.squares[0]));
    EXPECT_TRUE(std::isnan(norm.squares[1]));
  }
}

TEST(AdamW, SumsDoNotDependOnThreads) {
  const Tensor start = at::randn({5'000'011}), grad = at::randn({5'000'011});
  std::vector<Movement> movements;
  std::vector<double> norms;
  std::vector<Tensor> values;
  const int threads = at::get_num_threads();
  for (const int n : {1, 2, 3}) {
    at::set_num_threads(n);
    TrainedWeights weights({{"w", start}}, Precision::fp32, all, false);
    AdamW adam(weights, {});
    set_gradients(weights, {grad});
    norms.push_back(adam.gradient_norm().norm);
    movements.push_back(adam.step(1e-3));
    values.push_back(weights.params()[0].value.detach());
  }
  at::set_num_threads(threads);
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(norms[i], norms[0]);
    EXPECT_EQ(movements[i].drift, movements[0].drift);
    EXPECT_TRUE(same_bits(values[i], values[0]));
  }
}

TEST(AdamW, StateContinuesTheSamePath) {
  for (const auto precision :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan}) {
    const Tensor start = at::randn({333});
    std::vector<Tensor> grads;
    for (int t = 0; t < 6; ++t) grads.push_back(at::randn({333}));
    TrainedWeights whole({{"w", start}}, precision, all, false),
        first({{"w", start}}, precision, all, false), second({{"w", start}}, precision, all, false);
    AdamW adam_whole(whole, {}), adam_first(first, {}), adam_second(second, {});
    const auto walk = [&](TrainedWeights& weights, AdamW& adam, int from, int to) {
      for (int t = from; t < to; ++t) {
        set_gradients(weights, {grads[static_cast<std::size_t>(t)]});
        adam.step(1e-3);
        weights.publish();
      }
    };
    walk(whole, adam_whole, 0, 6);
    walk(first, adam_first, 0, 3);
    NamedTensors state;
    first.save(state);
    adam_first.save(state);
    second.load(testing::copy_of(first.values()), testing::copy_of(state));
    adam_second.load(state, adam_first.updates());
    walk(second, adam_second, 3, 6);
    EXPECT_TRUE(same_bits(second.params()[0].value, whole.params()[0].value))
        << precision_name(precision);
    EXPECT_TRUE(same_bits(second.stored(0), whole.stored(0))) << precision_name(precision);
    EXPECT_THROW(adam_second.load({}, 3), DataError);
  }
}

TEST(AdamW, OptionsOutOfRangeAreNamed) {
  TrainedWeights weights({{"w", at::zeros({3})}}, Precision::fp32, all, false);
  EXPECT_THROW(AdamW(weights, {.beta1 = 1.0}), UsageError);
  EXPECT_THROW(AdamW(weights, {.weight_decay = -1}), UsageError);
}

}  // namespace
}  // namespace seawall
