// Hooks inside the blocks: what they see, gradients through them, and which blocks leave the
// hand-written layers.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/model/files.hpp"
#include "taps.hpp"

namespace seawall {
namespace {

using testing::all_taps;
using testing::difference_step;
using testing::double_tolerance;
using testing::editing;
using testing::gradients;
using testing::inside_kinds;
using testing::keeping;
using testing::Kind;
using testing::largest_difference;
using testing::PlaceTensors;
using testing::prefix_rows;
using testing::seen;
using testing::small_config;
using testing::small_decoder;
using testing::stream_taps;

static_assert(all_taps.has(Kind::sink) && all_taps.has(Kind::embed));
static_assert(!stream_taps.has(Kind::attn_out) && !Taps().any());
static_assert(!all_taps.has(Kind::logits) && !all_taps.has(Kind::final_norm));
static_assert((Kind::embed | Kind::sink) == (Kind::sink | Kind::embed));

/// Flat tokens of a row's own tokens, in order.
Tensor tokens_of(const BatchPlan& plan, std::size_t row, std::size_t length) {
  std::vector<std::int64_t> chain, out;
  for (auto s = plan.leaf_of[row]; s >= 0; s = plan.segments[static_cast<std::size_t>(s)].parent)
    chain.insert(chain.begin(), s);
  for (const auto s : chain) {
    const auto& segment = plan.segments[static_cast<std::size_t>(s)];
    for (std::int64_t t = 0; t < segment.length; ++t) out.push_back(segment.begin + t);
  }
  out.resize(length);
  return at::tensor(out, at::kLong);
}

Adapter trained_adapter(const LlamaConfig& config, const Tensor& like) {
  const LoraOptions options{.rank = 2, .alpha = 3, .targets = targets_from("all")};
  Adapter adapter = make_adapter(config, options, 7, like);
  auto generator = at::detail::createCPUGenerator(4);
  for (auto& f : adapter.factors)
    if (f.on()) f.b = at::empty(f.b.sizes(), f.b.options()).normal_(0, 0.3, generator);
  return adapter;
}

void expect_places_of_rows_alone(const LlamaConfig& config, bool lora) {
  Decoder decoder = small_decoder(config), merged = small_decoder(config);
  if (lora) {
    decoder.adapt(trained_adapter(config, decoder.embedding()));
    merged.adapt(trained_adapter(config, decoder.embedding()));
    merged.merge();
  }
  const auto rows = prefix_rows();
  const auto plan = plan_batch(rows, at::kCPU);
  ASSERT_LT(plan.tokens, plan.real_tokens) << "nothing is shared";
  const auto got = seen(decoder, plan, inside_taps);
  ASSERT_EQ(got.size(), inside_kinds.size() * 3);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    PlaceTensors want;
    testing::reference_hidden(merged, rows[r].ids, &want);
    const Tensor tokens = tokens_of(plan, r, rows[r].ids.size());
    for (const auto& [place, tensor] : want) {
      if (place.first == Kind::attention) continue;
      ASSERT_TRUE(got.contains(place));
      EXPECT_LT(largest_difference(got.at(place).index_select(0, tokens), tensor), double_tolerance)
          << "kind " << static_cast<int>(place.first) << " of block " << place.second;
    }
  }
}

TEST(Taps, EveryPlaceOfEveryFamilyIsAsInRowsAlone) {
  auto configs = testing::family_configs();
  configs.push_back(small_config());
  for (const auto& config : configs)
    for (const bool lora : {false, true}) {
      SCOPED_TRACE(std::string(config.family->type) + (lora ? " with LoRA" : ""));
      expect_places_of_rows_alone(config, lora);
    }
}

TEST(Taps, AttentionIsThatOnEachGroupAndOnTheTokenItself) {
  auto configs = testing::family_configs();
  configs.push_back(small_config());
  for (const auto& config : configs) {
    SCOPED_TRACE(std::string(config.family->type));
    const Decoder decoder = small_decoder(config);
    const auto rows = prefix_rows();
    BatchPlan plan = plan_batch(rows, at::kCPU, {.share_prefixes = false});
    plan.groups = 3;
    plan.token_groups = at::arange(plan.tokens, at::kLong).mul(7).remainder(5).clamp_max(2);
    const auto got = seen(decoder, plan, Kind::attention);
    ASSERT_EQ(got.size(), 3u);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      PlaceTensors want;
      testing::reference_hidden(decoder, rows[r].ids, &want);
      const Tensor tokens = tokens_of(plan, r, rows[r].ids.size());
      const Tensor group = plan.token_groups.index_select(0, tokens);  // [t]
      for (std::int64_t layer = 0; layer < 3; ++layer) {
        const Tensor pattern = want.at({Kind::attention, layer});  // [t,H,t]
        const Tensor own = pattern.diagonal(0, 0, 2).t();          // [t,H]
        const Tensor others =
            pattern - at::diag_embed(own.t(), 0, 0, 2);  // without the token itself
        std::vector<Tensor> parts;
        for (std::int64_t g = 0; g < 3; ++g)
          parts.push_back((others * group.eq(g).to(pattern.scalar_type())).sum(2));
        parts.push_back(own);
        EXPECT_LT(largest_difference(got.at({Kind::attention, layer}).index_select(0, tokens),
                                     at::stack(parts, 2)),
                  double_tolerance);
      }
    }
  }
  const Decoder decoder = small_decoder(small_config());
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  EXPECT_THROW(seen(decoder, plan, Kind::attention), UsageError);
}

// transformers' own modules, seen through forward hooks: data/golden/make_taps.py.
TEST(Taps, EveryPlaceIsAsInTransformers) {
  at::set_num_threads(1);
  const auto golden = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "golden";
  const auto tensors = read_safetensors(golden / "taps.safetensors");
  std::map<std::string, Tensor> want;
  for (const auto& [name, tensor] : tensors) want[name] = tensor;
  const std::map<Kind, std::string> names = {
      {Kind::attn_out, "attn_out"}, {Kind::mlp_out, "mlp_out"},       {Kind::qkv_in, "qkv_in"},
      {Kind::o_in, "o_in"},         {Kind::gate_up_in, "gate_up_in"}, {Kind::down_in, "down_in"},
      {Kind::sink, "sink"}};
  std::size_t compared = 0;
  for (const std::string folder :
       {"llama_tiny", "families/qwen2", "families/phi3", "families/gemma2"})
    for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(folder + " " + at::toString(type));
      std::ifstream file(golden / folder / "golden.json");
      const auto ids = nlohmann::json::parse(file).at("rows").at(0).at("ids");
      Sequence row{ids.get<std::vector<std::int32_t>>(), {}};
      row.ids.resize(std::min<std::size_t>(row.ids.size(), 24));
      auto model = read_hf_folder(golden / folder);
      for (auto& [name, tensor] : model.weights) tensor = tensor.to(type);
      const auto got = seen(Decoder(model.config, model.weights), plan_batch({row}, at::kCPU));
      for (std::int64_t l = 0; l < model.config.layers; ++l)
        for (const auto& [kind, name] : names) {
          const auto key = std::filesystem::path(folder).filename().string() + "." +
                           std::to_string(l) + "." + name;
          ASSERT_TRUE(want.contains(key)) << key;
          // fp64: the reference's norms and angles are fp32; bf16: 8 bits, through two blocks.
          const double scale = want[key].abs().max().item<double>();
          const double rounding = type == at::kDouble ? 2e-6 : type == at::kFloat ? 4e-6 : 0.06;
          EXPECT_LT(largest_difference(got.at({kind, l}), want[key]), rounding * scale) << key;
          ++compared;
        }
    }
  EXPECT_EQ(compared, 3 * tensors.size());
}

/// A fixed weighted sum of all the places taken.
Tensor weighted(const PlaceTensors& places) {
  Tensor sum = at::zeros({}, at::kDouble);
  for (const auto& [place, x] : places)
    sum = sum + (x * at::linspace(-1, 1.5, x.numel(), at::kDouble).sin().view(x.sizes())).sum();
  return sum;
}

void expect_slopes(const LlamaConfig& config, Taps taps) {
  auto decoder = small_decoder(config);
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto value = [&] {
    PlaceTensors places;
    decoder.hidden(plan, keeping(places, taps, true));
    EXPECT_FALSE(places.empty());
    return weighted(places);
  };
  const auto grads = gradients(decoder, value);
  decoder.set_requires_grad(false);
  auto generator = at::detail::createCPUGenerator(8);
  std::size_t reached = 0;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const auto& [name, weight] = decoder.parameters()[i];
    const Tensor direction = at::empty(weight.sizes(), weight.options()).normal_(0, 1, generator);
    weight.add_(direction, difference_step);
    const double up = value().item<double>();
    weight.add_(direction, -2 * difference_step);
    const double slope = (up - value().item<double>()) / (2 * difference_step);
    weight.add_(direction, difference_step);
    const double got = grads[i].defined() ? (grads[i] * direction).sum().item<double>() : 0;
    EXPECT_NEAR(got, slope, 1e-5 * std::max(1.0, std::abs(slope))) << name;
    reached += std::abs(slope) > 1e-3;
  }
  EXPECT_GT(reached, 5u) << "nothing to compare";
}

TEST(Taps, GradientsThroughEveryKindEqualDifferences) {
  for (const Kind kind : inside_kinds) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_slopes(small_config(), kind);
  }
  expect_slopes(small_config(), stream_taps);
}

TEST(Taps, GradientsThroughAllKindsEqualDifferencesInEveryFamily) {
  for (const auto& config : testing::family_configs()) {
    SCOPED_TRACE(std::string(config.family->type));
    expect_slopes(config, all_taps);
  }
}

TEST(Taps, WithoutGraphNothingIsDifferentiable) {
  auto decoder = small_decoder(small_config());
  decoder.set_requires_grad(true);
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  for (const bool graph : {false, true})
    for (const Taps taps : {stream_taps, all_taps}) {
      PlaceTensors places;
      auto hooks = keeping(places, taps, graph);
      EXPECT_TRUE(decoder.hidden(plan, hooks).requires_grad());
      for (const auto& [place, x] : places) EXPECT_EQ(x.requires_grad(), graph);
    }
}

/// How many runs of blocks in the graph of `x` are hand-written layers.
std::size_t fused_nodes(const Tensor& x) {
  std::set<const torch::autograd::Node*> known;
  std::vector<const torch::autograd::Node*> open = {x.grad_fn().get()};
  std::size_t count = 0;
  while (!open.empty()) {
    const auto* node = open.back();
    open.pop_back();
    if (!node || !known.insert(node).second) continue;
    count += node->name().find("BlocksFunction") != std::string::npos;
    for (const auto& edge : node->next_edges()) open.push_back(edge.function.get());
  }
  return count;
}

TEST(Taps, OnlyBlocksLookedIntoLeaveTheFusedLayers) {
  auto decoder = small_decoder(small_config(), at::kFloat);
  decoder.set_requires_grad(true);
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto fused = [&](Taps taps, bool graph, std::optional<std::int64_t> layer = {}) {
    PlaceTensors places;
    auto hooks = keeping(places, taps, graph);
    if (layer) hooks.wants = [=](const TapPoint& p) { return p.layer == *layer; };
    return fused_nodes(decoder.hidden(plan, hooks));
  };
  EXPECT_EQ(fused_nodes(decoder.hidden(plan)), 1u);
  EXPECT_EQ(fused(stream_taps, false), 1u);
  EXPECT_EQ(fused(stream_taps, true), 3u);
  EXPECT_EQ(fused(Kind::embed, true), 1u);
  EXPECT_EQ(fused(all_taps, false, 1), 2u);
  EXPECT_EQ(fused(all_taps, true, 2), 2u);
  EXPECT_EQ(fused(all_taps, true, 7), 1u) << "no block is looked into";
  EXPECT_EQ(fused(Kind::sink, false), 0u);
  EXPECT_EQ(fused_nodes(decoder.hidden(plan, editing(Kind::o_in, [](auto& x) { return x; }))), 0u);
}

TEST(Taps, HooksThatLookAtTheStreamAloneLeaveEveryBit) {
  auto decoder = small_decoder(small_config(), at::kFloat);
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto run = [&](const ForwardHooks& hooks) {
    return gradients(decoder, [&] { return decoder.loss(plan, LossMode::fused, hooks); });
  };
  const auto plain = run({});
  PlaceTensors places;
  ForwardHooks nobody;
  nobody.taps = all_taps;
  nobody.graph = true;
  const std::vector<std::vector<Tensor>> others = {run(nobody),
                                                   run(keeping(places, stream_taps, true))};
  for (const auto& grads : others)
    for (std::size_t i = 0; i < grads.size(); ++i)
      EXPECT_TRUE(at::equal(grads[i], plain[i])) << decoder.parameters()[i].name;
  // A block that is looked into differs by rounding; those under it by nothing.
  const auto stream = seen(decoder, plan, stream_taps);
  PlaceTensors mixed;
  auto hooks = keeping(mixed, Kind::attn_out | Kind::resid_post);
  hooks.wants = [](const TapPoint& p) { return p.layer != 0 || p.kind == Kind::resid_post; };
  decoder.hidden(plan, hooks);
  EXPECT_TRUE(at::equal(mixed.at({Kind::resid_post, 0}), stream.at({Kind::resid_post, 0})));
  EXPECT_LT(largest_difference(mixed.at({Kind::resid_post, 2}), stream.at({Kind::resid_post, 2})),
            1e-4);
}

TEST(Taps, LossWithHooksEqualsLossWithout) {
  auto decoder = small_decoder(small_config());
  const auto plan = plan_batch(prefix_rows(), at::kCPU);
  const auto plain =
      gradients(decoder, [&] { return decoder.loss(plan, LossMode::per_token).mean(); });
  for (const std::int64_t layer :
       {0, 1, 2}) {  // the last block runs on the targets' rows or on all
    PlaceTensors places;
    auto hooks = keeping(places, all_taps, true);
    hooks.wants = [=](const TapPoint& p) { return p.layer == layer; };
    const auto grads =
        gradients(decoder, [&] { return decoder.loss(plan, LossMode::per_token, hooks).mean(); });
    EXPECT_EQ(places.at({Kind::mlp_out, layer}).size(0), plan.tokens);
    for (std::size_t i = 0; i < grads.size(); ++i)
      EXPECT_LT(largest_difference(grads[i], plain[i]), double_tolerance) << layer;
  }
}

}  // namespace
}  // namespace seawall
