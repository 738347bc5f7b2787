#include "seawall/model/decoder.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "seawall/core/error.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using testing::Composite;
using testing::double_tolerance;
using testing::gradients;
using testing::largest_difference;
using testing::random_row;
using testing::small_config;
using testing::small_decoder;
using Ids = std::vector<std::int32_t>;

/// Three levels of shared prefixes, an identical pair, a row that is a prefix of another, one-token
/// suffixes.
std::vector<Sequence> deep_rows() {
  std::mt19937 random(3);
  const auto root = random_row(random, {}, 9).ids;
  const auto middle = random_row(random, root, 7).ids;
  std::vector<Sequence> rows = {random_row(random, root, 1), random_row(random, middle, 5),
                                random_row(random, middle, 1), random_row(random, middle, 80),
                                random_row(random, {}, 12)};
  rows.push_back(rows[1]);
  rows.push_back(
      {Ids(rows[3].ids.begin(), rows[3].ids.begin() + 30), std::vector<std::uint8_t>(30, 0)});
  rows.back().loss[29] = 1;
  return rows;
}

/// Compares both ways to the loss, through all hidden states and through those of targets alone.
void expect_same_gradients(const LlamaConfig& config, const std::vector<Sequence>& rows,
                           const PlanOptions& options, LossMode mode, double tolerance) {
  auto decoder = small_decoder(config);
  const auto plan = plan_batch(rows, at::kCPU, options);
  Tensor want;
  const auto reference =
      gradients(decoder, [&] { return (want = testing::reference_losses(decoder, rows)).mean(); });
  for (bool targets_only : {false, true}) {
    Tensor mine;
    const auto got = gradients(decoder, [&] {
      mine =
          targets_only ? decoder.loss(plan, mode) : decoder.loss(decoder.hidden(plan), plan, mode);
      return mine.mean();
    });
    EXPECT_EQ(mine.dim(), mode == LossMode::fused ? 0 : 1);
    EXPECT_LT(largest_difference(mine, mode == LossMode::fused ? want.mean() : want), tolerance);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto& name = decoder.parameters()[i].name;
      ASSERT_TRUE(got[i].defined()) << name;
      EXPECT_LT(largest_difference(got[i], reference[i]), tolerance) << name;
      EXPECT_GT(reference[i].abs().max().item<double>(), 1e-6) << name << ": nothing to compare";
    }
  }
}

TEST(Decoder, FusedGradientsOfEveryParameterEqualRowsAlone) {
  expect_same_gradients(small_config(), deep_rows(), {}, LossMode::fused, double_tolerance);
}
TEST(Decoder, PerTokenGradientsEqualRowsAlone) {
  expect_same_gradients(small_config(), deep_rows(), {}, LossMode::per_token, double_tolerance);
}
TEST(Decoder, GradientsWithoutSharing) {
  expect_same_gradients(small_config(), deep_rows(), {.share_prefixes = false}, LossMode::fused,
                        double_tolerance);
}
TEST(Decoder, CompositeGradientsEqualRowsAlone) {
  const Composite path;
  expect_same_gradients(small_config(), deep_rows(), {}, LossMode::fused, double_tolerance);
}
TEST(Decoder, UntiedHead) {
  expect_same_gradients(small_config(4, 2, false), deep_rows(), {}, LossMode::fused,
                        double_tolerance);
}
TEST(Decoder, EveryGroupSize) {
  for (auto [heads, kv] : {std::pair{6, 1}, {6, 2}, {6, 3}, {6, 6}, {1, 1}})
    expect_same_gradients(small_config(heads, kv), deep_rows(), {}, LossMode::fused,
                          double_tolerance);
}

TEST(Decoder, EveryFamilyOnBothPaths) {
  for (const auto& config : testing::family_configs())
    for (bool composite : {false, true}) {
      SCOPED_TRACE(std::string(config.family->type) + (composite ? ", composite" : ""));
      std::optional<Composite> path;
      if (composite) path.emplace();
      expect_same_gradients(config, deep_rows(), {}, LossMode::fused, double_tolerance);
    }
}

// Blocks of 64 queries begin within, at and far beyond the window.
TEST(Decoder, EveryWindow) {
  auto config = small_config();
  config.family = &family_of("mistral");
  for (std::int64_t window : {2, 16, 17, 63, 64, 65, 90, 1000}) {
    SCOPED_TRACE(window);
    config.sliding_window = window;
    config.layers = window < 20 ? 2 : 1;
    expect_same_gradients(config, deep_rows(), {}, LossMode::fused, double_tolerance);
  }
}

TEST(Decoder, AWindowAsLongAsTheRowsLeavesEveryBit) {
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  std::vector<std::vector<Tensor>> all;
  for (std::int64_t window : {0, 96}) {
    auto config = small_config();
    config.family = &family_of("mistral");
    config.sliding_window = window;
    auto decoder = small_decoder(config, at::kFloat);
    all.push_back(gradients(decoder, [&] { return decoder.loss(plan, LossMode::fused); }));
  }
  for (std::size_t i = 0; i < all[0].size(); ++i) EXPECT_TRUE(at::equal(all[0][i], all[1][i])) << i;
}

TEST(Decoder, BfloatFamiliesFollowDouble) {
  for (const auto& config : testing::family_configs()) {
    const auto plan = plan_batch(deep_rows(), at::kCPU);
    auto want = small_decoder(config), got = small_decoder(config, at::kBFloat16);
    const auto loss = got.loss(plan, LossMode::fused).item<double>();
    // 8 bits, three layers: a percent of a loss of 4 to 9; a lost bias or factor is far more.
    EXPECT_NEAR(loss, want.loss(plan, LossMode::fused).item<double>(), 0.1)
        << std::string(config.family->type);
  }
}

TEST(Decoder, RandomTrees) {
  std::mt19937 random(11);
  for (int trial = 0; trial < 12; ++trial) {
    std::vector<Sequence> rows;
    for (int r = 0; r < 5; ++r) {
      Ids prefix;
      if (!rows.empty() && random() % 4) {
        const auto& other = rows[random() % rows.size()].ids;
        prefix.assign(other.begin(), other.begin() + random() % (other.size() + 1));
      }
      rows.push_back(random_row(random, prefix, 2 + static_cast<int>(random() % 20)));
    }
    auto config = small_config();
    config.layers = 2;
    expect_same_gradients(config, rows, {.min_shared = 1 + static_cast<std::int64_t>(random() % 4)},
                          LossMode::fused, double_tolerance);
  }
}

TEST(Decoder, SinglePrecisionIsCloseToDouble) {
  const auto config = small_config();
  const auto rows = deep_rows();
  const auto plan = plan_batch(rows, at::kCPU);
  std::vector<std::vector<Tensor>> all;
  for (auto type : {at::kFloat, at::kDouble}) {
    auto decoder = small_decoder(config, type);
    all.push_back(gradients(
        decoder, [&] { return decoder.loss(decoder.hidden(plan), plan, LossMode::fused); }));
  }
  for (std::size_t i = 0; i < all[0].size();
       ++i)  // 24 bits, three layers, weights of order 0.2: 1e-4 of the largest gradient
    EXPECT_LT(largest_difference(all[0][i], all[1][i]), 1e-4 * all[1][i].abs().max().item<double>())
        << i;
}

TEST(Decoder, OnlyWantedGradientsAreMade) {
  auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const auto full =
      gradients(decoder, [&] { return decoder.loss(decoder.hidden(plan), plan, LossMode::fused); });
  for (std::size_t i = 0; i < full.size(); ++i) {
    const auto& p = decoder.parameters()[i];
    if (i % 4) p.tensor.requires_grad_(false);
    p.tensor.mutable_grad() = Tensor();
  }
  decoder.loss(decoder.hidden(plan), plan, LossMode::fused).backward();
  for (std::size_t i = 0; i < full.size(); ++i) {
    const auto& grad = decoder.parameters()[i].tensor.grad();
    ASSERT_EQ(grad.defined(), i % 4 == 0) << i;
    if (grad.defined()) EXPECT_LT(largest_difference(grad, full[i]), 1e-14) << i;
  }
}

TEST(Decoder, RetainedGraphGivesTheSameGradientTwice) {
  auto decoder = small_decoder(small_config());
  decoder.set_requires_grad(true);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const auto& weight = decoder.parameters()[5].tensor;
  for (bool targets_only : {false, true}) {
    weight.mutable_grad() = Tensor();
    const Tensor loss = targets_only ? decoder.loss(plan, LossMode::fused)
                                     : decoder.loss(decoder.hidden(plan), plan, LossMode::fused);
    loss.backward({}, true);
    const Tensor once = weight.grad().clone();
    loss.backward();
    EXPECT_LT(largest_difference(weight.grad(), 2 * once), 1e-14);
    EXPECT_ANY_THROW(loss.backward());
  }
}

TEST(Decoder, SecondDerivativesAndChangedWeightsAreRefused) {
  auto decoder = small_decoder(small_config());
  decoder.set_requires_grad(true);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  EXPECT_THROW(decoder.hidden(plan).sum().backward({}, true, true), RunError);
  const Tensor x = decoder.hidden(plan);
  {
    const c10::NoGradGuard no_grad;
    decoder.parameters()[1].tensor.add_(1);
  }
  try {
    x.sum().backward();
    FAIL() << "a changed weight went unnoticed";
  } catch (const RunError& e) {
    EXPECT_NE(std::string(e.what()).find("weight 0 of layer 0 was changed"), std::string::npos)
        << e.what();
  }
}

TEST(Decoder, ScaledLossScalesGradients) {
  auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const auto once =
      gradients(decoder, [&] { return decoder.loss(decoder.hidden(plan), plan, LossMode::fused); });
  const auto scaled = gradients(
      decoder, [&] { return decoder.loss(decoder.hidden(plan), plan, LossMode::fused) * 0.25; });
  for (std::size_t i = 0; i < once.size(); ++i)
    EXPECT_LT(largest_difference(once[i] * 0.25, scaled[i]), 1e-13);
}

TEST(Decoder, IdentityEditLeavesEveryBit) {
  auto decoder = small_decoder(small_config(), at::kFloat);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const auto run = [&](const ForwardHooks& hooks) {
    return gradients(
        decoder, [&] { return decoder.loss(decoder.hidden(plan, hooks), plan, LossMode::fused); });
  };
  const auto plain = run({}),
             edited = run({.edit = [](const TapPoint&, const Tensor&x) { return x; }});
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(at::equal(plain[i], edited[i])) << i;
}

TEST(Decoder, TapsSeeWhatFlowsAndOnlyWhereAsked) {
  const auto decoder = small_decoder(small_config());
  const auto rows = deep_rows();
  const auto plan = plan_batch(rows, at::kCPU);
  std::vector<std::pair<TapPoint, Tensor>> taken;
  ForwardHooks hooks;
  hooks.wants = [](const TapPoint& p) { return p.layer != 1; };
  hooks.take = [&](const TapPoint& p, const Tensor& x) { taken.emplace_back(p, x.clone()); };
  const Tensor out = decoder.hidden(plan, hooks);
  ASSERT_EQ(taken.size(), 3u);  // embedding, layers 0 and 2
  EXPECT_EQ(taken[0].first.kind, TapPoint::Kind::embed);
  EXPECT_EQ(taken[1].first, (TapPoint{TapPoint::Kind::resid_post, 0}));
  EXPECT_TRUE(at::equal(taken[0].second, decoder.embedding().index_select(0, plan.ids)));
  EXPECT_TRUE(at::equal(taken[2].second, out));
  EXPECT_FALSE(at::equal(taken[1].second, out));
}

TEST(Decoder, AblatingADirectionRemovesItEverywhere) {
  const auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  Tensor direction = at::linspace(-1, 2, 24, at::kDouble);
  direction = direction / direction.norm();
  double most = 0;
  ForwardHooks hooks;
  hooks.edit = [&](const TapPoint&, const Tensor& x) {
    return x - at::outer(x.mv(direction), direction);
  };
  hooks.take = [&](const TapPoint&, const Tensor& x) {
    most = std::max(most, x.mv(direction).abs().max().item<double>());
  };
  const Tensor edited = decoder.hidden(plan, hooks);
  EXPECT_LT(most, 1e-12);
  EXPECT_GT(largest_difference(edited, decoder.hidden(plan)), 1e-2);
}

TEST(Decoder, GradientsReachAnEditsOwnTensor) {  // what two-pass defences such as Vaccine perturb
  auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  auto loss_at = [&](const Tensor& shift) {
    ForwardHooks hooks;
    hooks.edit = [&](const TapPoint& p, const Tensor& x) { return p.layer == 1 ? x + shift : x; };
    return decoder.loss(decoder.hidden(plan, hooks), plan, LossMode::fused);
  };
  Tensor shift = at::zeros({24}, at::kDouble).requires_grad_(true);
  loss_at(shift).backward();
  const double step = 1e-6;  // central difference: error of order step^2 and 1e-16/step
  for (std::int64_t i : {0, 7, 23}) {
    Tensor up = at::zeros({24}, at::kDouble);
    up[i] = step;
    const double slope = ((loss_at(up) - loss_at(-up)) / (2 * step)).item<double>();
    EXPECT_NEAR(shift.grad()[i].item<double>(), slope, 1e-7);
  }
}

TEST(Decoder, ThreadsDoNotChangeLossesOrActivations) {
  const auto decoder = small_decoder(small_config(), at::kFloat);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const Tensor one = decoder.hidden(plan);
  at::set_num_threads(2);
  const Tensor two = decoder.hidden(plan);
  at::set_num_threads(1);
  EXPECT_TRUE(at::equal(one, two));  // sums run in one order on any number of threads
}

TEST(Decoder, SameBitsTwice) {
  auto decoder = small_decoder(small_config(), at::kFloat);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const auto loss = [&] { return decoder.loss(decoder.hidden(plan), plan, LossMode::fused); };
  const auto first = gradients(decoder, loss), second = gradients(decoder, loss);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i]));
}

TEST(Decoder, Bf16RunsAndIsNear) {
  const auto config = small_config();
  auto exact = small_decoder(config), narrow = small_decoder(config, at::kBFloat16);
  const auto plan = plan_batch(deep_rows(), at::kCPU);
  const Tensor want = exact.loss(exact.hidden(plan), plan, LossMode::fused);
  Tensor got;
  const auto grads = gradients(
      narrow, [&] { return got = narrow.loss(narrow.hidden(plan), plan, LossMode::fused); });
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_NEAR(got.item<double>(), want.item<double>(),
              0.05 * want.item<double>());  // 8 bits of mantissa
  for (const auto& g : grads) EXPECT_TRUE(g.isfinite().all().item<bool>());
}

TEST(Decoder, ErrorsNameTheTensor) {
  const auto config = small_config();
  auto message = [&](NamedTensors weights) {
    try {
      Decoder(config, std::move(weights));
    } catch (const DataError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  auto weights = testing::lively_weights(config, at::kFloat);
  auto wrong = weights;
  wrong[2].tensor = at::ones({3, 24});
  EXPECT_NE(message(wrong).find(wrong[2].name + ": want shape [24, 24], got [3, 24]"),
            std::string::npos)
      << message(wrong);
  auto missing = weights;
  missing.erase(missing.begin() + 4);
  EXPECT_NE(message(missing).find("want a tensor " + weights[4].name), std::string::npos);
  auto surplus = weights;
  surplus.push_back({"lm_head.weight", at::ones({61, 24})});
  EXPECT_NE(message(surplus).find("lm_head.weight is not a parameter"), std::string::npos);
  auto mixed = weights;
  mixed[3].tensor = mixed[3].tensor.to(at::kDouble);
  EXPECT_NE(message(mixed).find(mixed[3].name), std::string::npos);

  const Decoder decoder(config, weights);
  const auto plan = plan_batch({{{1, 2, 3}, {0, 1, 1}}}, at::kCPU);
  try {
    decoder.loss(at::ones({4, 24}), plan, LossMode::fused);
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_STREQ(e.what(), "loss: hidden: want [T=3,C=24], got [4, 24]");
  }
  const auto no_targets = plan_batch({{{1, 2, 3}, {}}}, at::kCPU);
  EXPECT_THROW(decoder.loss(at::ones({3, 24}), no_targets, LossMode::fused), UsageError);
  EXPECT_THROW(decoder.loss(no_targets, LossMode::fused), UsageError);
}

TEST(RandomWeights, SameSeedSameBits) {
  const auto config = small_config();
  const auto a = random_weights(config, 7), b = random_weights(config, 7),
             c = random_weights(config, 8);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor));
  EXPECT_FALSE(at::equal(a[0].tensor, c[0].tensor));
  for (const auto& w : a) {
    if (w.name.ends_with("down_proj.weight"))
      EXPECT_NEAR(w.tensor.std().item<double>(), 0.02 / std::sqrt(6.0), 0.002);
  }
}

}  // namespace
}  // namespace seawall
