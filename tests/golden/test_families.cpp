// Tiny random models of every family against transformers in float64, made by
// data/golden/make_families.py.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seawall/model/decoder.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_json;
using testing::golden_tensors;
using testing::ids_of;

// Logits are up to 6 and sums have up to 56 terms: float32 rounds them by some 1e-6. The reference
// keeps its norms and angles in float32. A window or frequency that is off by one is off by 1e-2.
constexpr double family_tolerance = 1e-4;

struct FamilyCase {
  const char* name;
  bool composite;
};

class Families : public ::testing::TestWithParam<FamilyCase> {
 protected:
  void SetUp() override {
    if (GetParam().composite) set_compute_path(ComputePath::composite);
  }
  void TearDown() override { set_compute_path(ComputePath::fused); }

  std::string folder_ = std::string("families/") + GetParam().name;
  nlohmann::json summary_ = golden_json(folder_ + "/golden.json");
  HfFolder files_ = read_hf_folder(golden_folder() / folder_);

  Decoder decoder() const { return {files_.config, files_.weights}; }
  std::vector<Sequence> rows() const {
    std::vector<Sequence> out;
    for (const auto& row : summary_.at("rows")) {
      Sequence sequence{ids_of(row.at("ids")), {}};
      sequence.loss.assign(sequence.ids.size(), 0);
      const auto answer = row.at("answer").get<std::ptrdiff_t>();
      std::fill(sequence.loss.end() - answer, sequence.loss.end(), 1);
      out.push_back(std::move(sequence));
    }
    return out;
  }
  /// Largest distance of any logit of any row from the reference's.
  double worst_logit(const LlamaConfig& config) const {
    auto golden = golden_tensors(folder_ + "/golden.safetensors");
    const Decoder model(config, files_.weights);
    const auto all = rows();
    double worst = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Tensor logits = model.logits(model.hidden(plan_batch({all[i]}, at::kCPU)));  // [T,V]
      const Tensor& want = golden.at("row" + std::to_string(i) + ".logits");
      worst = std::max(worst, (logits - want).abs().max().item<double>());
    }
    return worst;
  }
};

TEST_P(Families, LogitsOfEveryPosition) { EXPECT_LT(worst_logit(files_.config), family_tolerance); }

// What tells the family apart from Llama is in the golden logits: without it they are far off.
TEST_P(Families, TheFamilysOwnSettingIsFelt) {
  auto config = files_.config;
  if (config.sliding_window > 0)
    ++config.sliding_window;
  else if (config.rope_scaling.type == RopeScaling::Type::llama3)
    config.rope_scaling.original_max_position_embeddings *= 2;
  else
    config.rope_theta *= 1.5;
  EXPECT_GT(worst_logit(config), 100 * family_tolerance);
}

TEST_P(Families, ThreeAdamWStepsFollowTheReference) {
  auto model = decoder();
  const auto plan = plan_batch(rows(), at::kCPU);
  EXPECT_LT(plan.tokens, plan.real_tokens) << "nothing was shared";
  FixedRows source(rows(), {.batch_size = 3, .epochs = 3}, at::kCPU);
  TrainOptions options;
  options.schedule = {.kind = LrSchedule::constant, .lr = 1e-3};
  options.adamw.weight_decay = 0.01;
  AnyStack none;
  testing::LossSink sink;
  train(model, source, none, options, sink);
  const auto want = summary_.at("losses_adamw").get<std::vector<double>>();
  ASSERT_EQ(sink.losses.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(sink.losses[i], want[i], family_tolerance) << i;
  const c10::NoGradGuard no_grad;
  EXPECT_NEAR(model.loss(plan, LossMode::fused).item<double>(), want[3], family_tolerance);
}

TEST_P(Families, GreedyTokensAmongOtherRows) {
  ASSERT_GT(summary_.at("greedy_least_margin").get<double>(), 10 * family_tolerance)
      << "the golden path would be a coin toss";
  const auto prompt = ids_of(summary_.at("greedy_prompt"));
  auto longer = prompt, other = prompt;
  longer.push_back(5);
  other.resize(9);
  GenerateOptions options;
  options.max_new_tokens = 32;
  const auto result = generate(decoder(), {longer, prompt, other}, options);
  EXPECT_EQ(result.rows.at(1).ids, ids_of(summary_.at("greedy_tokens")));
}

// What tells Gemma 2 apart, each alone.
TEST(FamilyFacts, CapsAndTheScaleOfTheQueriesAreFelt) {
  const auto files = read_hf_folder(golden_folder() / "families/gemma2");
  const auto golden = golden_tensors("families/gemma2/golden.safetensors");
  const auto ids = ids_of(golden_json("families/gemma2/golden.json").at("rows")[0].at("ids"));
  const auto far = [&](const std::function<void(LlamaConfig&)>& change) {
    auto config = files.config;
    change(config);
    const Decoder model(config, files.weights);
    const Tensor logits = model.logits(model.hidden(plan_batch({{ids, {}}}, at::kCPU)));
    return (logits - golden.at("row0.logits")).abs().max().item<double>();
  };
  EXPECT_LT(far([](LlamaConfig&) {}), family_tolerance);
  EXPECT_GT(far([](LlamaConfig& c) { c.attention_cap *= 1.5; }), 30 * family_tolerance);
  EXPECT_GT(far([](LlamaConfig& c) { c.logit_cap *= 1.5; }), 30 * family_tolerance);
  EXPECT_GT(far([](LlamaConfig& c) { c.query_scalar = c.head_dim; }), 30 * family_tolerance);
}

class FamilyGradients : public Families {};

TEST_P(FamilyGradients, OfEveryWeightAreTheReferences) {
  const auto golden = golden_tensors(folder_ + "/gradients.safetensors");
  const auto plan = plan_batch(rows(), at::kCPU);
  for (const auto mode : {LossMode::fused, LossMode::per_token}) {
    auto model = decoder();
    model.set_requires_grad(true);
    model.loss(plan, mode).mean().backward();
    EXPECT_EQ(golden.size(), model.parameters().size());
    for (const auto& [name, tensor] : model.parameters()) {
      const Tensor& want = golden.at(name);
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_GT(want.abs().max().item<double>(), 1e-4) << name << ": nothing there";
      // fp32 sums of up to 150 rows; a transposed or left-out term is off by its whole size
      EXPECT_LT((tensor.grad() - want).abs().max().item<double>(),
                2e-5 + 2e-4 * want.abs().max().item<double>())
          << name;
      tensor.mutable_grad() = Tensor();
    }
  }
}

// The same folder again. That transformers loads such an export with equal logits is for
// data/golden/make_families.py --check to say.
TEST_P(FamilyGradients, AnExportReadsBackTheSame) {
  const auto out = std::filesystem::path(::testing::TempDir()) /
                   (std::string("seawall_export_") + GetParam().name);
  write_hf_folder(out, files_.config, files_.weights, {.bos = 1, .eos = {2}});
  const auto again = read_hf_folder(out);
  EXPECT_EQ(again.config.to_json(), files_.config.to_json());
  EXPECT_EQ(again.config.family, files_.config.family);
  for (std::size_t i = 0; i < again.weights.size(); ++i) {
    EXPECT_EQ(again.weights[i].name, files_.weights[i].name);
    EXPECT_TRUE(at::equal(again.weights[i].tensor, files_.weights[i].tensor));
  }
}

INSTANTIATE_TEST_SUITE_P(Newer, FamilyGradients,
                         ::testing::Values(FamilyCase{"qwen3", false}, FamilyCase{"qwen3", true},
                                           FamilyCase{"phi3", false}, FamilyCase{"phi3", true},
                                           FamilyCase{"gemma2", false}, FamilyCase{"gemma2", true}),
                         [](const auto& info) {
                           return std::string(info.param.name) +
                                  (info.param.composite ? "_composite" : "_fused");
                         });

INSTANTIATE_TEST_SUITE_P(
    Folders, Families,
    ::testing::Values(FamilyCase{"llama3", false}, FamilyCase{"llama3", true},
                      FamilyCase{"llama_linear", false}, FamilyCase{"llama_linear", true},
                      FamilyCase{"mistral", false}, FamilyCase{"mistral", true},
                      FamilyCase{"qwen2", false}, FamilyCase{"qwen2", true},
                      FamilyCase{"gemma", false}, FamilyCase{"gemma", true},
                      FamilyCase{"qwen3", false}, FamilyCase{"qwen3", true},
                      FamilyCase{"phi3", false}, FamilyCase{"phi3", true},
                      FamilyCase{"gemma2", false}, FamilyCase{"gemma2", true}),
    [](const auto& info) {
      return std::string(info.param.name) + (info.param.composite ? "_composite" : "_fused");
    });

}  // namespace
}  // namespace seawall
