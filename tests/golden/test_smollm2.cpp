// SmolLM2-135M-Instruct from its GGUF against transformers, made by data/golden/make_smollm2.py.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <chrono>

#include "seawall/model/decoder.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/train/trainer.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_json;
using testing::Ids;
using testing::ids_of;
using testing::SmolLm2;

Dialogue question(const nlohmann::json& row) {
  return {{{Role::user, row.at("prompt").get<std::string>()}}};
}

TEST_F(SmolLm2, PromptsHaveTheIdsOfTheTemplate) {
  for (const auto& row : golden_json("smollm2_logits.json"))
    EXPECT_EQ(model().chat_template->encode_prompt(question(row), *model().tokenizer),
              ids_of(row.at("ids")))
        << row.at("prompt");
}

TEST_F(SmolLm2, LogitsOfTheLastPosition) {
  const c10::NoGradGuard no_grad;
  const auto golden = golden_json("smollm2_logits.json");
  ASSERT_EQ(golden.size(), 20u);
  std::vector<Sequence> rows;
  for (const auto& row : golden) rows.push_back({ids_of(row.at("ids")), {}});
  const auto plan = plan_batch(rows, at::kCPU);  // the default system turn is shared by all
  const auto& decoder = *model().decoder;
  const Tensor logits = decoder.logits(decoder.hidden(plan).index_select(0, plan.last_token));
  double worst = 0;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    const auto top = golden[i].at("top_ids").get<std::vector<std::int64_t>>();
    const auto values = golden[i].at("top_logits").get<std::vector<double>>();
    for (std::size_t k = 0; k < top.size(); ++k)
      worst = std::max(worst, std::abs(logits[place][top[k]].item<double>() - values[k]));
    const auto strided = golden[i].at("every_97th").get<std::vector<double>>();
    for (std::size_t k = 0; k < strided.size(); ++k)
      worst = std::max(
          worst,
          std::abs(logits[place][static_cast<std::int64_t>(97 * k)].item<double>() - strided[k]));
  }
  // Logits reach 30 after 30 layers of float32 sums in another order.
  EXPECT_LT(worst, 1e-3);
  RecordProperty("largest_logit_difference", std::to_string(worst));
}

TEST_F(SmolLm2, GreedyContinuationsOfFortyTokens) {
  const auto golden = golden_json("smollm2_logits.json");
  std::vector<Ids> prompts;
  for (const auto& row : golden) {
    ASSERT_GT(row.at("least_margin").get<double>(), 1e-2) << "the golden path is a coin toss";
    prompts.push_back(ids_of(row.at("ids")));
  }
  GenerateOptions options;
  options.max_new_tokens = 40;
  options.stop_ids = model().chat_template->stop_ids(*model().tokenizer);
  const auto result = generate(*model().decoder, prompts, options);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    Ids ids = result.rows[i].ids;
    if (result.rows[i].finished) ids.push_back(options.stop_ids.at(0));
    EXPECT_EQ(ids, ids_of(golden[i].at("continuation"))) << golden[i].at("prompt");
  }
}

TEST_F(SmolLm2, LossesOfThreeFullFineTuningSteps) {
  const auto golden = golden_json("smollm2_losses.json");
  std::vector<Sequence> rows;
  for (const auto& row : golden.at("rows")) {
    Sequence sequence{ids_of(row.at("ids")), {}};
    sequence.loss.assign(sequence.ids.size(), 0);
    const auto first = row.at("first_answer").get<std::size_t>();
    for (std::size_t t = 0; t < row.at("answer_tokens").get<std::size_t>(); ++t)
      sequence.loss[first + t] = 1;
    rows.push_back(std::move(sequence));
  }
  Decoder decoder(model().decoder->config(), model().decoder->parameters());
  FixedRows source(rows, {.batch_size = 10, .epochs = 3}, at::kCPU);
  TrainOptions options;
  options.schedule = {.kind = LrSchedule::epoch_decay, .lr = 5e-5};
  AnyStack none;
  testing::LossSink sink;
  train(decoder, source, none, options, sink);
  ASSERT_EQ(sink.losses.size(), 3u);
  for (const std::string reference : {"trainer", "plain"}) {
    const auto want = golden.at(reference).at("losses").get<std::vector<double>>();
    const auto norms = golden.at(reference).at("grad_norms").get<std::vector<double>>();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(sink.losses[i], want[i], 1e-3) << reference << " step " << i;
      EXPECT_NEAR(sink.norms[i], norms[i], 5e-3) << reference << " step " << i;
    }
  }
}

}  // namespace
}  // namespace seawall
