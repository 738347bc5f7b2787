// What generic code makes of the table of families, and which layers run one.
#include <algorithm>
#include <array>

#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/model/families.hpp"
#include "seawall/model/generate.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using testing::Composite;
using testing::family_configs;
using testing::small_config;
using testing::small_decoder;

/// Hears what the library warns of while it lives.
struct Ear {
  struct Kept : Listener {
    std::string heard;
    void tell(std::string_view) override {}
    void warn(std::string_view text) override { heard += text; }
  };
  std::shared_ptr<Kept> kept = std::make_shared<Kept>();
  std::shared_ptr<Listener> before = listen(kept);
  ~Ear() { listen(before); }
  std::size_t count(std::string_view what) const {
    std::size_t n = 0;
    for (auto at = kept->heard.find(what); at != std::string::npos;
         at = kept->heard.find(what, at + 1))
      ++n;
    return n;
  }
};

constexpr std::array activations{std::string_view("silu")};
constexpr std::array own_block{BlockTensor{Part::norm1, "first.weight", "first.weight"},
                               BlockTensor{Part::qkv, "mix.qkv.weight", "qkv.weight"},
                               BlockTensor{Part::o, "mix.out.weight", "out.weight"},
                               BlockTensor{Part::attention_norm, "mixed.weight", "mixed.weight"},
                               BlockTensor{Part::norm2, "second.weight", "second.weight"},
                               BlockTensor{Part::gate, "wide.gate.weight", "gate.weight"},
                               BlockTensor{Part::up, "wide.up.weight", "up.weight"},
                               BlockTensor{Part::down, "wide.down.weight", "down.weight"}};
constexpr Family own{.type = "own-family",
                     .architecture = "OwnForCausalLM",
                     .block = own_block,
                     .activations = activations};

TEST(Families, EveryRowIsWholeAndNamedOnce) {
  for (const auto* family : families()) {
    SCOPED_TRACE(std::string(family->type));
    EXPECT_FALSE(family->architecture.empty());
    EXPECT_FALSE(family->activations.empty());
    EXPECT_EQ(find_family(family->type), family);
    for (const auto& tensor : family->block) {
      EXPECT_EQ(std::ranges::count(family->block, tensor.part, &BlockTensor::part), 1);
      EXPECT_EQ(std::ranges::count(family->block, tensor.name, &BlockTensor::name), 1);
      if (family->gguf.empty()) continue;
      EXPECT_EQ(std::ranges::count(family->block, tensor.gguf, &BlockTensor::gguf), 1);
    }
    auto config = small_config();
    config.family = family;
    for (const auto part : {Part::norm1, Part::q, Part::k, Part::v, Part::o, Part::norm2,
                            Part::gate, Part::up, Part::down})
      EXPECT_GE(place_of(config, part).tensor, 0) << "part " << static_cast<int>(part);
  }
  EXPECT_EQ(find_family("no such"), nullptr);
  EXPECT_THROW(family_of("no such"), UsageError);
}

// The fused layers and the plain operators sum in other orders: equal bits tell which one ran.
TEST(Families, TheFusedLayersRunWhatTheyCanAndNothingElse) {
  std::int64_t fused = 0, composite = 0;
  for (const auto& config : family_configs()) {
    SCOPED_TRACE(std::string(config.family->type));
    const auto decoder = small_decoder(config, at::kFloat);
    std::mt19937 random(2);
    const auto plan = plan_batch({testing::random_row(random, {}, 40)}, at::kCPU);
    const bool lacks = !fused_lacks(config).empty();
    const Tensor got = decoder.hidden(plan);
    const Composite path;
    const Tensor plain = decoder.hidden(plan);
    EXPECT_EQ(at::equal(got, plain), lacks) << fused_lacks(config);
    EXPECT_LT((got - plain).abs().max().item<float>(), 1e-3f);
    (lacks ? composite : fused) += 1;
  }
  EXPECT_GE(fused, 5);
  EXPECT_GE(composite, 1);
}

TEST(Families, AFamilyOfOnesOwnIsReadRunAndTrainedAndTheSlowPathIsSaidOnce) {
  std::vector<const Family*> list(default_families().begin(), default_families().end());
  list.push_back(&own);
  set_families(list);
  auto config = small_config(4, 2, false);
  config.family = &own;
  const auto read = LlamaConfig::from_json(config.to_json(), "config.json");
  EXPECT_EQ(read.family, &own);
  EXPECT_EQ(read.parameter_shapes(), config.parameter_shapes());
  EXPECT_EQ(read.parameter_shapes()[2].first, "model.layers.0.mix.qkv.weight");
  const Ear ear;
  auto decoder = small_decoder(config);
  std::mt19937 random(2);
  const std::vector<Sequence> rows{testing::random_row(random, {}, 20)};
  const auto plan = plan_batch(rows, at::kCPU);
  for (int twice = 0; twice < 2; ++twice)
    EXPECT_LT((decoder.loss(plan, LossMode::per_token) - testing::reference_losses(decoder, rows))
                  .abs()
                  .max()
                  .item<double>(),
              testing::double_tolerance);
  generate(decoder, {{1, 2, 3}}, {.max_new_tokens = 2});
  EXPECT_EQ(ear.count("norms of what attention and the MLP give (family own-family)"), 1u);
  set_families({});
  EXPECT_EQ(find_family("own-family"), nullptr);
}

TEST(Families, LoraTargetsAreThoseOfTheFamily) {
  const auto like = at::empty({1});
  for (const auto& config : family_configs()) {
    SCOPED_TRACE(std::string(config.family->type));
    const auto there = projections_of(config);
    LoraOptions options{.rank = 2, .targets = targets_from("all")};
    EXPECT_EQ(make_adapter(config, options, 1, like).options.targets, there);
    const bool fused = config.family->has(Part::qkv);
    options.targets = targets_from(fused ? "q_proj,v_proj" : "qkv_proj");
    try {
      make_adapter(config, options, 1, like);
      ADD_FAILURE() << "a target that the family does not have was taken";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("want `all` or some of " + targets_text(there)),
                std::string::npos)
          << error.what();
    }
  }
}

// LoRA on the fused gate is beyond the fast layers; on the other projections they run.
TEST(Families, LoraOnFusedProjectionsRunsWhereItCan) {
  auto config = small_config(4, 2, false);
  config.family = *std::ranges::find_if(
      families(), [](const Family* each) { return each->has(Part::gate_up); });
  const auto adapter = [&](const char* targets) {
    return make_adapter(config, {.rank = 2, .targets = targets_from(targets)}, 1, at::empty({1}));
  };
  const auto narrow = adapter("qkv_proj,o_proj,down_proj"), wide = adapter("gate_up_proj");
  EXPECT_EQ(fused_lacks(config, &narrow), "");
  EXPECT_EQ(fused_lacks(config, &wide), "LoRA on gate_up_proj");
}

}  // namespace
}  // namespace seawall
