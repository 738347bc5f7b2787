// The KL divergence to another model, and logits of targets.
#include <gtest/gtest.h>

#include <optional>

#include "model/loss.hpp"
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

constexpr std::array both_ways = {KlDirection::start_now, KlDirection::now_start};

std::vector<Sequence> kl_rows(std::int64_t vocabulary = 61, int more = 9) {
  std::mt19937 random(5);
  const auto v = static_cast<int>(vocabulary);
  const auto root = random_row(random, {}, 8, v).ids;
  return {random_row(random, root, more, v), random_row(random, root, 3, v),
          random_row(random, {}, more, v)};
}

/// Another model of the same sizes.
Decoder another_decoder(const LlamaConfig& config, at::ScalarType type = at::kDouble) {
  return {config, testing::lively_weights(config, type, 2)};
}

/// The definition, from whole log-probabilities. Shapes: [N,V] -> [].
Tensor plain_kl(const Tensor& now, const Tensor& start, KlDirection direction) {
  const Tensor p = now.log_softmax(-1), q = start.log_softmax(-1);
  const Tensor each = direction == KlDirection::start_now ? (q.exp() * (q - p)).sum(-1)
                                                          : (p.exp() * (p - q)).sum(-1);
  return each.mean();
}

/// Logits of every target's source token, each row alone. Shapes: -> [N,V].
Tensor reference_logits(const Decoder& decoder, const std::vector<Sequence>& rows) {
  std::vector<Tensor> out;
  for (const auto& row : rows) {
    const Tensor logits = decoder.logits(testing::reference_hidden(decoder, row.ids));
    for (std::size_t t = 1; t < row.ids.size(); ++t)
      if (row.loss[t]) out.push_back(logits[static_cast<std::int64_t>(t) - 1]);
  }
  return at::stack(out);
}

void expect_definition(const LlamaConfig& config, const std::vector<Sequence>& rows,
                       KlDirection direction) {
  auto now = small_decoder(config), start = another_decoder(config);
  start.set_requires_grad(true);
  const auto plan = plan_batch(rows, at::kCPU);
  ASSERT_LT(plan.tokens, plan.real_tokens) << "nothing is shared";
  Tensor want, got;
  const auto reference = gradients(now, [&] {
    return want = plain_kl(reference_logits(now, rows), reference_logits(start, rows).detach(),
                           direction);
  });
  const auto mine = gradients(now, [&] { return got = now.kl(plan, start, direction); });
  EXPECT_GT(want.item<double>(), 0.01);
  EXPECT_LT(largest_difference(got, want), double_tolerance);
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const auto& name = now.parameters()[i].name;
    ASSERT_TRUE(mine[i].defined()) << name;
    EXPECT_LT(largest_difference(mine[i], reference[i]), double_tolerance) << name;
    EXPECT_FALSE(start.parameters()[i].tensor.grad().defined()) << name << " of the start";
  }
}

TEST(Kl, ValueAndGradientsEqualTheDefinitionInEveryFamily) {
  auto configs = testing::family_configs();
  configs.push_back(small_config());  // tied
  for (const auto& config : configs)
    for (const auto direction : both_ways)
      for (const bool composite : {false, true}) {
        SCOPED_TRACE(std::string(config.family->type) + (composite ? ", composite" : ""));
        std::optional<Composite> path;
        if (composite) path.emplace();
        expect_definition(config, kl_rows(), direction);
      }
}

TEST(Kl, ChunksAddUp) {  // 64 MiB of six [R,V] tensors: 27 rows per chunk here
  LlamaConfig config = small_config();
  config.vocab_size = 50000;
  config.hidden_size = 8;
  config.heads = config.kv_heads = 1;
  config.layers = 1;
  auto rows = kl_rows(config.vocab_size, 40);
  for (auto& row : rows) std::fill(row.loss.begin() + 1, row.loss.end(), 1);
  ASSERT_GT(plan_batch(rows, at::kCPU).needed.size(0), 60);
  for (const auto direction : both_ways) expect_definition(config, rows, direction);
}

TEST(Kl, IsZeroToItself) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const auto direction : both_ways) {
      auto now = small_decoder(small_config(), type);
      const auto start = small_decoder(small_config(), type);
      const auto plan = plan_batch(kl_rows(), at::kCPU);
      const auto grads = gradients(now, [&] {
        const Tensor kl = now.kl(plan, start, direction);
        EXPECT_EQ(kl.item<double>(), 0);
        return kl;
      });
      for (const auto& g : grads) EXPECT_EQ(g.abs().max().item<double>(), 0);
    }
}

TEST(Kl, AdapterAndHooksAreThisDecodersAlone) {
  const auto config = small_config();
  auto now = small_decoder(config), start = another_decoder(config);
  const LoraOptions options{.rank = 2, .alpha = 3, .targets = targets_from("all")};
  now.adapt(make_adapter(config, options, 7, now.embedding()));
  for (auto& [name, tensor] : now.adapter()->tensors()) {
    if (name.ends_with("lora_B.weight")) tensor.fill_(0.1);
    tensor.requires_grad_(true);
  }
  ForwardHooks hooks;
  hooks.taps = TapPoint::Kind::attn_out;
  hooks.edit = [](const TapPoint&, const Tensor& x) { return x * 1.5; };
  const auto plan = plan_batch(kl_rows(), at::kCPU);
  const auto factor_gradients = [&](const Tensor& loss) {
    loss.backward();
    std::vector<Tensor> out;
    for (auto& [name, tensor] : now.adapter()->tensors()) {
      out.push_back(tensor.grad());
      tensor.mutable_grad() = Tensor();
    }
    return out;
  };
  for (const auto direction : both_ways) {
    const Tensor got = now.kl(plan, start, direction, hooks),
                 want = plain_kl(now.logits_at(plan, hooks), start.logits_at(plan), direction);
    EXPECT_LT(largest_difference(got, want), double_tolerance);
    EXPECT_GT(std::abs(got.item<double>() - now.kl(plan, start, direction).item<double>()), 1e-3);
    const auto mine = factor_gradients(got), reference = factor_gradients(want);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_LT(largest_difference(mine[i], reference[i]), double_tolerance) << i;
      EXPECT_GT(reference[i].abs().max().item<double>(), 1e-6) << "nothing to compare";
    }
  }
}

TEST(Kl, NarrowTypesFollowDouble) {
  const auto config = testing::family_configs()[6];  // a cap
  const auto plan = plan_batch(kl_rows(), at::kCPU);
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const auto direction : both_ways)
      for (const bool composite : {false, true}) {
        std::optional<Composite> path;
        if (composite) path.emplace();
        auto now = small_decoder(config, type), start = another_decoder(config, type);
        // The same hidden states and weights in fp64, so that only norm, head and KL round.
        Tensor rows = now.hidden(plan).index_select(0, plan.needed).detach(),
               then = start.hidden(plan).index_select(0, plan.needed).detach();
        const auto inputs = [&](const Tensor& x, const Decoder& d, at::ScalarType as) {
          return HeadInputs{x.to(as).detach().requires_grad_(true), (d.final_norm() + 1).to(as),
                            d.head().to(as), config.rms_norm_eps, config.logit_cap};
        };
        const Tensor weights = at::linspace(0.1, 1, rows.size(0), at::kDouble);
        const auto got_in = inputs(rows, now, type), want_in = inputs(rows, now, at::kDouble);
        const Tensor got = kl_loss(got_in, inputs(then, start, type), weights, direction),
                     want = kl_loss(want_in, inputs(then, start, at::kDouble), weights, direction);
        EXPECT_EQ(got.scalar_type(), at::kFloat);
        got.backward();
        want.backward();
        const double bits = type == at::kFloat ? 1e-5 : 0.03;
        EXPECT_NEAR(got.item<double>(), want.item<double>(), bits * want.item<double>());
        EXPECT_LT(largest_difference(got_in.hidden.grad(), want_in.hidden.grad()),
                  bits * want_in.hidden.grad().abs().max().item<double>());
      }
}

TEST(Kl, AFactorScalesAndAGraphCanBeKept) {
  auto now = small_decoder(small_config());
  const auto start = another_decoder(small_config());
  const auto plan = plan_batch(kl_rows(), at::kCPU);
  const auto kl = [&] { return now.kl(plan, start, KlDirection::start_now); };
  const auto once = gradients(now, kl), part = gradients(now, [&] { return kl() * 0.25; });
  for (std::size_t i = 0; i < once.size(); ++i)
    EXPECT_LT(largest_difference(once[i] * 0.25, part[i]), 1e-13);
  const Tensor kept = kl();
  const auto& weight = now.parameters()[5].tensor;
  for (int pass = 0; pass < 2; ++pass) {
    weight.mutable_grad() = Tensor();
    kept.backward({}, pass == 0);
    EXPECT_LT(largest_difference(weight.grad(), once[5]), 1e-13);
  }
  EXPECT_THROW(kl().backward({}, true, true), RunError);
}

TEST(Kl, ErrorsSayWhatDiffers) {
  const auto now = small_decoder(small_config());
  auto config = small_config();
  config.vocab_size = 62;
  const auto plan = plan_batch(kl_rows(), at::kCPU);
  const auto no_targets = plan_batch({{{1, 2, 3}, {}}}, at::kCPU);
  const auto refusal = [&](const auto& call) {
    try {
      call();
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal([&] { now.kl(plan, small_decoder(config), KlDirection::start_now); }),
            "kl: want a start model of V=61, got V=62");
  EXPECT_EQ(refusal([&] { now.kl(no_targets, now, KlDirection::start_now); }),
            "kl: want at least one target token in the batch, got none");
  EXPECT_EQ(refusal([&] { now.logits_at(no_targets); }),
            "logits_at: want at least one target token in the batch, got none");
}

TEST(LogitsAt, GiveTheLossOfEveryTarget) {
  for (const auto& config : {small_config(), testing::family_configs()[6]}) {
    auto decoder = small_decoder(config);
    const auto plan = plan_batch(kl_rows(), at::kCPU);
    Tensor want, got;
    const auto reference =
        gradients(decoder, [&] { return (want = decoder.loss(plan, LossMode::per_token)).mean(); });
    const auto mine = gradients(decoder, [&] {
      const Tensor shares = decoder.logits_at(plan).log_softmax(-1);
      EXPECT_EQ(shares.sizes(), (std::vector<std::int64_t>{plan.targets.size(0), 61}));
      got = -shares.gather(1, plan.targets.unsqueeze(1)).squeeze(1);
      return got.mean();
    });
    EXPECT_LT(largest_difference(got, want), double_tolerance);
    for (std::size_t i = 0; i < mine.size(); ++i)
      EXPECT_LT(largest_difference(mine[i], reference[i]), double_tolerance) << i;
  }
}

}  // namespace
}  // namespace seawall
