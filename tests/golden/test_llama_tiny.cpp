// Tiny random Llamas against transformers in float64, made by data/golden/make_llama_tiny.py.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seawall/model/decoder.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_json;
using testing::golden_tensors;
using testing::ids_of;
using testing::largest_difference;

std::vector<Sequence> golden_rows(const nlohmann::json& summary) {
  std::vector<Sequence> rows;
  for (const auto& row : summary.at("rows")) {
    Sequence sequence{ids_of(row.at("ids")), {}};
    sequence.loss.assign(sequence.ids.size(), 0);
    const auto answer = row.at("answer").get<std::size_t>();
    std::fill(sequence.loss.end() - static_cast<std::ptrdiff_t>(answer), sequence.loss.end(), 1);
    rows.push_back(std::move(sequence));
  }
  return rows;
}

/// Folder, element type, and how far a logit or gradient may be from float64's. Logits are up to
/// 15 and the longest sums have 64 terms: float32 rounding of 2^-24 relative each gives some 1e-5.
/// In float64 what is left is the reference's own float32 in norms and angles.
struct Case {
  const char* folder;
  at::ScalarType type;
  double tolerance;
};

class LlamaTiny : public ::testing::TestWithParam<Case> {
 protected:
  nlohmann::json summary_ = golden_json(std::string(GetParam().folder) + "/golden.json");
  std::map<std::string, Tensor> golden_ =
      golden_tensors(std::string(GetParam().folder) + "/golden.safetensors");

  static Decoder decoder() {
    auto folder = read_hf_folder(golden_folder() / GetParam().folder);
    for (auto& [name, tensor] : folder.weights) tensor = tensor.to(GetParam().type);
    return {folder.config, folder.weights};
  }
};

TEST_P(LlamaTiny, LogitsOfEveryPosition) {
  const auto model = decoder();
  const auto rows = golden_rows(summary_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Tensor logits = model.logits(model.hidden(plan_batch({rows[i]}, at::kCPU)));
    const Tensor& want = golden_["row" + std::to_string(i) + ".logits"];  // [T,V]
    EXPECT_LT(largest_difference(logits, want), GetParam().tolerance) << "row " << i;
  }
}

TEST_P(LlamaTiny, ResidualStreamOfEveryLayer) {
  const auto model = decoder();
  std::vector<Tensor> seen;
  ForwardHooks hooks;
  hooks.wants = [](const TapPoint& p) {
    return p.kind == TapPoint::Kind::embed || p.kind == TapPoint::Kind::resid_post;
  };
  hooks.take = [&](const TapPoint&, const Tensor& x) { seen.push_back(x.clone()); };
  model.hidden(plan_batch({golden_rows(summary_)[0]}, at::kCPU), hooks);
  ASSERT_EQ(seen.size(), 3u);
  // transformers' last hidden state is after the final norm; ours is compared through the logits.
  for (const int layer : {0, 1}) {
    const auto name = "row0.hidden." + std::to_string(layer);
    EXPECT_LT(largest_difference(seen[static_cast<std::size_t>(layer)], golden_[name]),
              GetParam().tolerance)
        << name;
  }
}

TEST_P(LlamaTiny, LossAndGradientOfEveryParameter) {
  auto model = decoder();
  model.set_requires_grad(true);
  // The three rows share their first six tokens, so this goes through the shared prefix.
  const auto plan = plan_batch(golden_rows(summary_), at::kCPU);
  EXPECT_LT(plan.tokens, plan.real_tokens) << "nothing was shared";
  const Tensor loss = model.loss(model.hidden(plan), plan, LossMode::fused);
  EXPECT_NEAR(loss.item<double>(), summary_.at("loss").get<double>(), GetParam().tolerance);
  loss.backward();
  double squares = 0;
  for (const auto& [name, tensor] : model.parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_LT(largest_difference(tensor.grad(), golden_["grad." + name]), GetParam().tolerance)
        << name;
    squares += tensor.grad().to(at::kDouble).pow(2).sum().item<double>();
  }
  EXPECT_NEAR(std::sqrt(squares), summary_.at("grad_norm").get<double>(),
              10 * GetParam().tolerance);
}

TEST_P(LlamaTiny, GreedyTokens) {
  ASSERT_GT(summary_.at("greedy_least_margin").get<double>(), 100 * GetParam().tolerance)
      << "the golden path would be a coin toss";
  GenerateOptions options;
  options.max_new_tokens = 24;
  const c10::NoGradGuard no_grad;
  const auto result = generate(decoder(), {ids_of(summary_.at("greedy_prompt"))}, options);
  EXPECT_EQ(result.rows.at(0).ids, ids_of(summary_.at("greedy_tokens")));
}

INSTANTIATE_TEST_SUITE_P(Folders, LlamaTiny,
                         ::testing::Values(Case{"llama_tiny", at::kFloat, 5e-5},
                                           Case{"llama_tiny", at::kDouble, 1e-5},
                                           Case{"llama_tiny_untied", at::kFloat, 5e-5},
                                           Case{"llama_tiny_untied", at::kDouble, 1e-5}),
                         [](const auto& info) {
                           return std::string(info.param.folder) +
                                  (info.param.type == at::kFloat ? "_f32" : "_f64");
                         });

TEST(LlamaTinyTraining, FiveAdamWStepsFollowTheReference) {
  for (const std::string name : {"llama_tiny", "llama_tiny_untied"}) {
    const auto summary = golden_json(name + "/golden.json");
    auto folder = read_hf_folder(golden_folder() / name);
    Decoder decoder(folder.config, folder.weights);
    FixedRows source(golden_rows(summary), {.batch_size = 3, .epochs = 5}, at::kCPU);
    TrainOptions options;
    options.schedule = {.kind = LrSchedule::constant, .lr = 1e-3};
    options.adamw.weight_decay = 0.01;
    AnyStack none;
    testing::LossSink sink;
    train(decoder, source, none, options, sink);
    const auto want = summary.at("losses_adamw").get<std::vector<double>>();
    ASSERT_EQ(sink.losses.size(), 5u);
    // Adam divides by the root of the second moment, so the rounding of small gradients grows;
    // 1e-4 of a loss of 5 is still a hundredth of what one wrong setting (eps, decay) would do.
    for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(sink.losses[i], want[i], 1e-4) << name << i;
  }
}

TEST(TinyGguf, TensorsAreDequantizedAndNamedAsTransformersDoes) {
  const GgufFile file(golden_folder() / "tiny.gguf");
  auto golden = golden_tensors("tiny_gguf.safetensors");
  const auto weights = file.llama_weights();
  EXPECT_EQ(weights.size() + 1, golden.size());  // and the logits
  for (const auto& [name, tensor] : weights) {
    ASSERT_TRUE(golden.contains(name)) << name;
    EXPECT_TRUE(at::equal(tensor, golden[name])) << name;  // d * q + m in float32: no tolerance
  }
  const Decoder decoder(file.llama_config(), weights);
  const auto rows = golden_rows(golden_json("llama_tiny_untied/golden.json"));
  const Tensor logits = decoder.logits(decoder.hidden(plan_batch({rows[0]}, at::kCPU)));
  EXPECT_LT(largest_difference(logits, golden["golden.row0.logits"]), 5e-5);
}

}  // namespace
}  // namespace seawall
