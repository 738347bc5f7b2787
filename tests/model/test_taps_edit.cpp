// What an edit inside the blocks does, and what is refused.
#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "taps.hpp"

namespace seawall {
namespace {

using testing::all_taps;
using testing::difference_step;
using testing::double_tolerance;
using testing::edited_kinds;
using testing::editing;
using testing::keeping;
using testing::Kind;
using testing::largest_difference;
using testing::PlaceTensors;
using testing::prefix_rows;
using testing::seen;
using testing::small_config;
using testing::small_decoder;

TEST(TapEdits, AnEditAddsBeforeTheResidual) {
  const auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto plain = seen(decoder, plan);
  const Tensor shift = at::linspace(-1, 2, 24, at::kDouble);
  PlaceTensors places;
  ForwardHooks hooks =
      keeping(places, all_taps & (Kind::attn_out | Kind::mlp_out | Kind::resid_post));
  hooks.edit = [&](const TapPoint& p, const Tensor& x) {
    if (p.layer != 1 || p.kind == Kind::resid_post) return x;
    return p.kind == Kind::attn_out ? x + shift : at::zeros_like(x);
  };
  decoder.hidden(plan, hooks);
  const Tensor& before = plain.at({Kind::resid_post, 0});
  EXPECT_LT(largest_difference(places.at({Kind::resid_post, 0}), before), double_tolerance);
  EXPECT_LT(largest_difference(places.at({Kind::resid_post, 1}),
                               before + plain.at({Kind::attn_out, 1}) + shift),
            double_tolerance);
}

TEST(TapEdits, WhatIsSetToZeroAddsNothing) {
  // No family here has a bias: zero in, zero out. Gemma 2 has norms between the products and the
  // stream.
  const auto families = testing::family_configs();
  for (const auto& config : {small_config(), families[5], families[6]}) {
    SCOPED_TRACE(std::string(config.family->type));
    const auto decoder = small_decoder(config);
    const auto plan = plan_batch(prefix_rows(), at::kCPU);
    const std::map<Kind, Kind> next = {{Kind::qkv_in, Kind::o_in},
                                       {Kind::o_in, Kind::attn_out},
                                       {Kind::gate_up_in, Kind::down_in},
                                       {Kind::down_in, Kind::mlp_out}};
    for (const auto& [kind, after] : next) {
      PlaceTensors places;
      auto hooks = keeping(places, kind | after);
      hooks.edit = [&, kind = kind](const TapPoint& p, const Tensor& x) {
        return p.kind == kind && p.layer == 1 ? at::zeros_like(x) : x;
      };
      decoder.hidden(plan, hooks);
      EXPECT_EQ(places.at({after, 1}).abs().max().item<double>(), 0);
      EXPECT_GT(places.at({after, 0}).abs().max().item<double>(), 1e-3);
    }
    PlaceTensors places;
    auto hooks = keeping(places, Kind::attn_out | Kind::mlp_out | Kind::resid_post);
    hooks.edit = [](const TapPoint& p, const Tensor& x) {
      return p.kind != Kind::resid_post && p.layer == 1 ? at::zeros_like(x) : x;
    };
    decoder.hidden(plan, hooks);
    EXPECT_TRUE(at::equal(places.at({Kind::resid_post, 1}), places.at({Kind::resid_post, 0})));
    EXPECT_FALSE(at::equal(places.at({Kind::resid_post, 2}), places.at({Kind::resid_post, 1})));
  }
}

TEST(TapEdits, AnEditComesBeforeAFamilysNorm) {  // which takes a factor away
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  auto config = testing::family_configs()[6];
  config.rms_norm_eps = 1e-12;
  for (const Kind kind : {Kind::attn_out, Kind::mlp_out}) {
    const auto twice = editing(kind, [](const Tensor& x) { return x * 2; });
    const auto gemma = small_decoder(config), llama = small_decoder(small_config());
    EXPECT_LT(largest_difference(gemma.hidden(plan, twice), gemma.hidden(plan)), 1e-8);
    EXPECT_GT(largest_difference(llama.hidden(plan, twice), llama.hidden(plan)), 1e-2);
  }
}

TEST(TapEdits, GradientsReachAnEditsOwnTensorAtEveryKind) {
  auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  for (const Kind kind : edited_kinds) {
    const std::int64_t width = kind == Kind::down_in ? 40 : 24;
    const auto loss_at = [&](const Tensor& shift) {
      return decoder.loss(plan, LossMode::fused,
                          editing(kind, [&](const Tensor& x) { return x + shift; }));
    };
    const Tensor shift = at::zeros({width}, at::kDouble).requires_grad_(true);
    loss_at(shift).backward();
    for (const std::int64_t i : {0, 7, 23}) {
      Tensor up = at::zeros({width}, at::kDouble);
      up[i] = difference_step;
      const double slope = ((loss_at(up) - loss_at(-up)) / (2 * difference_step)).item<double>();
      EXPECT_NEAR(shift.grad()[i].item<double>(), slope, 1e-7) << static_cast<int>(kind);
      EXPECT_GT(std::abs(slope), 1e-6) << "nothing to compare";
    }
  }
}

TEST(TapEdits, ErrorsSayWhatToDo) {
  const auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto refusal = [&](const ForwardHooks& hooks) {
    try {
      decoder.hidden(plan, hooks);
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal(editing(Kind::sink, [](auto& x) { return x; })),
            "hooks: attention probabilities (sink, attention) can be taken, not edited; leave them "
            "out of taps, or take them in a pass without edit");
  PlaceTensors places;
  EXPECT_EQ(refusal(keeping(places, all_taps | Kind::logits)),
            "hooks: a forward pass does not stop at logits; compute it from the hidden states with "
            "Decoder::logits");
  EXPECT_EQ(refusal(editing(Kind::down_in, [](auto& x) { return x.narrow(1, 0, 24); })),
            "edit hook's result at down_in of block 1: want the shape of what it was given, [" +
                std::to_string(plan.tokens) + ", 40], got [" + std::to_string(plan.tokens) +
                ", 24]");
  EXPECT_EQ(refusal(editing(Kind::attn_out, [](auto&) { return Tensor(); })),
            "edit hook's result at attn_out of block 1: want the shape of what it was given, [" +
                std::to_string(plan.tokens) + ", 24], got no tensor");
}

}  // namespace
}  // namespace seawall
