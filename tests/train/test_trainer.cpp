#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/model/files.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(Trainer, LossesAreThoseOfPyTorch) {
  // Five AdamW steps (lr 1e-3, decay 0.01) in float64 with transformers and torch.
  const std::string folder = SEAWALL_SOURCE_DIR "/data/golden/llama_tiny";
  std::ifstream file(folder + "/golden.json");
  const auto golden = nlohmann::json::parse(file);
  std::vector<Sequence> rows;
  for (const auto& row : golden.at("rows")) {
    Sequence s{row.at("ids").get<std::vector<std::int32_t>>(), {}};
    s.loss.assign(s.ids.size(), 0);
    for (std::size_t i = 0; i < row.at("answer").get<std::size_t>(); ++i)
      s.loss[s.ids.size() - 1 - i] = 1;
    rows.push_back(std::move(s));
  }
  HfFolder model = read_hf_folder(folder);
  TinyRun run;
  run.decoder = Decoder(model.config, model.weights);
  run.data = {.batch_size = 3, .epochs = 6};
  run.options.schedule = {.kind = LrSchedule::constant, .lr = 1e-3};
  run.options.adamw.weight_decay = 0.01;
  Stack<> none;
  run.go(none, rows);
  const auto want = golden.at("losses_adamw").get<std::vector<double>>();
  ASSERT_EQ(run.sink.steps.size(), want.size());
  // fp32 against float64: relative 1e-6 a pass; Adam lifts rounding in gradients near zero to steps
  // of up to lr, on few weights.
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(run.sink.steps[i].loss, want[i], 2e-4) << i;
  EXPECT_NEAR(run.sink.steps[0].grad_norm, golden.at("grad_norm").get<double>(), 1e-4);
}

TEST(Trainer, HooksComeInOrder) {
  journal().clear();
  TinyRun run;
  run.data = {.batch_size = 4, .micro_batch_size = 2, .epochs = 1};
  Stack stack{Recorder<'a'>{}, Recorder<'b'>{}};
  std::vector<std::int64_t> evaluated;
  run.context.evaluate = [&](std::int64_t step, std::int64_t, bool) {
    journal().push_back("evaluate");
    evaluated.push_back(step);
  };
  run.context.checkpoint = [](const CheckpointState& state) { EXPECT_EQ(state.groups.size(), 2u); };
  run.go(stack, tiny_rows(4));
  const std::vector<std::string> want{
      "a.on_start",     "b.on_start",     "a.penalty 0/1",   "b.penalty 0/1",  // once a step
      "a.around_loss(", "b.around_loss(", "a.token_weights", "b.token_weights", "b.around_loss)",
      "a.around_loss)",  // each micro-batch
      "a.around_loss(", "b.around_loss(", "a.token_weights", "b.token_weights", "b.around_loss)",
      "a.around_loss)", "a.before_step",  "b.before_step",   "a.after_step 0",  "b.after_step 0",
      "a.on_finish",    "b.on_finish",    "evaluate",        "a.save",          "b.save"};
  EXPECT_EQ(journal(), want);
  EXPECT_EQ(evaluated, std::vector<std::int64_t>{1});
}

TEST(Trainer, AStackThatDoesNothingChangesNothing) {
  TinyRun plain, recorded;
  plain.go();
  Stack stack{Recorder<'a'>{}};
  recorded.go(stack);
  // Per-token losses and block-wise autograd (edit) against the fused path: other order of
  // additions, so rounding apart, which Adam may lift to lr on weights whose gradient is near zero.
  EXPECT_LT(max_difference(plain.decoder.parameters(), recorded.decoder.parameters()), 5e-3);
  for (std::size_t i = 0; i < plain.sink.steps.size(); ++i)
    EXPECT_NEAR(plain.sink.steps[i].loss, recorded.sink.steps[i].loss, 1e-4) << i;
}

TEST(Trainer, AccumulationEqualsTheBigBatch) {
  // Rows have 2 or 3 targets, so a mean of micro-batch means would be wrong by several per cent.
  const auto first_step = [](std::int64_t micro, at::ScalarType type) {
    TinyRun run;
    run.data = {.batch_size = 12, .micro_batch_size = micro, .epochs = 1};
    NamedTensors weights;
    for (const auto& [name, tensor] : run.decoder.parameters())
      weights.push_back({name, tensor.to(type)});
    run.decoder = Decoder(tiny_config(), weights);
    Stack stack{Pull{}};
    return run.go(stack).sink.steps.front();
  };
  const StepRecord whole = first_step(0, at::kDouble);
  for (const std::int64_t micro : {1, 5, 12}) {
    const StepRecord parts = first_step(micro, at::kDouble);
    // float64, where sums in another order differ by 1e-15 or so; losses come in at least fp32.
    EXPECT_NEAR(parts.loss, whole.loss, 1e-6) << micro;
    EXPECT_NEAR(parts.grad_norm, whole.grad_norm, 1e-6 * whole.grad_norm) << micro;
    EXPECT_EQ(parts.tokens, whole.tokens);
  }
  EXPECT_NEAR(first_step(5, at::kFloat).grad_norm, whole.grad_norm, 1e-5 * whole.grad_norm);
}

TEST(Trainer, PenaltyIsAskedOnceHoweverManyMicroBatches) {
  for (const std::int64_t micro : {0, 1}) {
    TinyRun plain, pulled;
    plain.data = pulled.data = {.batch_size = 4, .micro_batch_size = micro, .epochs = 2};
    plain.go();
    Stack stack{Pull{}};
    pulled.go(stack);
    EXPECT_EQ(pulled.sink.steps[0].loss, plain.sink.steps[0].loss);
    EXPECT_EQ(pulled.sink.steps[0].penalty, 0);  // at theta0
    EXPECT_EQ(pulled.sink.steps[1].loss, plain.sink.steps[1].loss);
    EXPECT_EQ(plain.sink.steps[1].penalty, 0);
    const double drift = pulled.sink.steps[0].drift;
    EXPECT_NEAR(pulled.sink.steps[1].penalty, 0.5 * drift * drift, 1e-6) << micro;
  }
}

TEST(Trainer, DriftIsHeldBackByAPull) {
  TinyRun plain, pulled;
  plain.go();
  Stack stack{Pull{.strength = 50}};
  pulled.go(stack);
  EXPECT_LT(pulled.result.final.drift, 0.7 * plain.result.final.drift);
}

TEST(Trainer, FrozenParametersStayAndOthersMove) {
  TinyRun run;
  const NamedTensors before = copy_of(run.decoder.parameters());
  Stack stack{MlpOnly{}};
  run.go(stack);
  const StepRecord& last = run.sink.steps.back();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool mlp = before[i].name.find(".mlp.") != std::string::npos;
    const auto same = same_bits(before[i].tensor, run.decoder.parameters()[i].tensor);
    EXPECT_EQ(static_cast<bool>(same), !mlp) << before[i].name;
    EXPECT_EQ(last.param_drift[i] > 0, mlp) << before[i].name;
    EXPECT_FALSE(run.decoder.parameters()[i].tensor.requires_grad());
  }
}

TEST(Trainer, TheGivenWeightsAreNeverWritten) {
  NamedTensors weights = random_weights(tiny_config(), 1);
  const NamedTensors before = copy_of(weights);
  TinyRun run;
  run.decoder = Decoder(tiny_config(), weights);
  run.go();
  EXPECT_TRUE(same_bits(weights, before));
}

TEST(Trainer, RecordsWhatHappened) {
  TinyRun run;
  run.options.schedule.kind = LrSchedule::epoch_decay;
  const NamedTensors start = copy_of(run.decoder.parameters());
  run.go();
  ASSERT_EQ(run.sink.steps.size(), 9u);
  std::int64_t held = 0;
  for (const auto& row : tiny_rows(12)) held += static_cast<std::int64_t>(row.ids.size());
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < 3; ++i) tokens += run.sink.steps[i].tokens;
  EXPECT_EQ(tokens, held);
  EXPECT_EQ(run.result.tokens, 3 * held);
  for (std::size_t i = 0; i < 9; ++i) {
    const StepRecord& s = run.sink.steps[i];
    EXPECT_EQ(s.step, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(s.epoch, static_cast<std::int64_t>(i) / 3);
    EXPECT_DOUBLE_EQ(s.lr, 1e-3 * std::pow(0.85, static_cast<double>(s.epoch)));
    EXPECT_GT(s.moved, 0.9);
    EXPECT_GT(s.grad_norm, 0);
    EXPECT_GT(s.seconds, 0);
    double square = 0;
    for (const double d : s.param_drift) square += d * d;
    EXPECT_NEAR(s.drift, std::sqrt(square), 1e-9);
  }
  const double moved = distance(start, run.decoder.parameters());
  EXPECT_NEAR(run.sink.steps.back().drift, moved, 1e-5 * moved);
  EXPECT_LT(run.sink.steps.back().loss, run.sink.steps.front().loss);
}

TEST(Trainer, ADriftAfterHooksIsTheDriftRecorded) {
  TinyRun run;
  const NamedTensors start = copy_of(run.decoder.parameters());
  Stack stack{PullAfter{}};
  run.go(stack);
  const double moved = distance(start, run.decoder.parameters());
  EXPECT_NEAR(run.sink.steps.back().drift, moved, 1e-5 * moved);
}

TEST(Trainer, ReferenceLogProbabilitiesAreThoseOfTheStart) {
  journal().clear();
  TinyRun run;
  run.data.epochs = 2;
  Stack stack{Reweigh{}};
  run.go(stack);
  ASSERT_EQ(journal().size(), 6u);
  EXPECT_EQ(journal().front(), "1");  // before the first update log p is the reference
  EXPECT_EQ(journal().back(), "0");   // later it is not
}

TEST(Trainer, EditActsInTraining) {
  TinyRun plain, steered;
  plain.go();
  Stack stack{Steer{}};
  steered.go(stack);
  EXPECT_GT(std::abs(plain.sink.steps[0].loss - steered.sink.steps[0].loss), 1e-4);
}

TEST(Trainer, AroundLossMayRunTheLossTwice) {
  TinyRun once, twice;
  once.go();
  Stack stack{Uphill{}};
  twice.go(stack);
  EXPECT_NEAR(once.sink.steps[0].loss, twice.sink.steps[0].loss, 1e-6);
  EXPECT_NEAR(once.sink.steps[0].grad_norm, twice.sink.steps[0].grad_norm,
              1e-5 * once.sink.steps[0].grad_norm);
}

TEST(Trainer, GradientHooksComeBeforeTheNormAndClipping) {
  TinyRun plain, halved, clipped;
  plain.go();
  Stack stack{Halve{}};
  halved.go(stack);
  EXPECT_NEAR(halved.sink.steps[0].grad_norm, 0.5 * plain.sink.steps[0].grad_norm, 1e-6);
  clipped.options.clip_norm = 1e-9;  // gradients below eps: AdamW's step shrinks with them
  clipped.go();
  EXPECT_EQ(clipped.sink.steps[0].grad_norm, plain.sink.steps[0].grad_norm);
  EXPECT_LT(clipped.result.final.drift, 0.1 * plain.result.final.drift);
}

TEST(Trainer, OnFinishIsInTheLastEvaluationAndInTheDrift) {
  TinyRun run;
  Stack stack{Prune{}};
  std::int64_t zeros = 0, calls = 0;
  run.context.evaluate = [&](std::int64_t, std::int64_t epochs, bool) {
    ++calls;
    EXPECT_EQ(epochs, calls);
    zeros = at::eq(run.decoder.parameters()[0].tensor, 0).sum().item<std::int64_t>();
  };
  run.go(stack);
  EXPECT_EQ(calls, 3);
  EXPECT_GT(zeros, 0);
  EXPECT_NE(run.result.final.drift, run.sink.steps.back().drift);
}

TEST(Trainer, BothDoorsGiveTheSameBits) {
  for (const auto precision : {Precision::fp32, Precision::kahan}) {
    TinyRun named, any;
    named.options.precision = any.options.precision = precision;
    Stack stack{Pull{}, MlpOnly{}, PullAfter{}, Halve{}, Steer{}, Reweigh{}};
    named.go(stack);
    AnyStack erased;
    erased.push_back(AnyMitigation(Pull{}));
    erased.push_back(AnyMitigation(MlpOnly{}));
    erased.push_back(AnyMitigation(PullAfter{}));
    erased.push_back(AnyMitigation(Halve{}));
    erased.push_back(AnyMitigation(Steer{}));
    erased.push_back(AnyMitigation(Reweigh{}));
    any.go(erased);
    EXPECT_TRUE(same_bits(named.decoder.parameters(), any.decoder.parameters()));
    EXPECT_EQ(named.sink.steps.back().loss, any.sink.steps.back().loss);
    EXPECT_EQ(named.sink.steps.back().drift, any.sink.steps.back().drift);
  }
}

TEST(Trainer, ARerunGivesTheSameBits) {
  TinyRun a, b;
  a.go();
  b.go();
  EXPECT_TRUE(same_bits(a.decoder.parameters(), b.decoder.parameters()));
}

TEST(Trainer, GeneratedRowsTrain) {
  TinyRun run;
  GeneratedRows source(
      [](std::int64_t step) {
        auto rows = tiny_rows(4, static_cast<std::uint64_t>(step % 3));
        for (auto& row : rows) row.loss.assign(row.ids.size(), 1);
        return rows;
      },
      40, 20, {}, run.decoder.device());
  run.options.schedule = {.kind = LrSchedule::cosine, .lr = 3e-3, .warmup_steps = 4};
  Stack<> none;
  const TrainResult result = train(run.decoder, source, none, run.options, run.sink);
  EXPECT_EQ(result.steps, 40);
  EXPECT_LT(result.loss, 0.7 * run.sink.steps.front().loss);
  EXPECT_EQ(run.sink.steps.back().epoch, 1);
}

TEST(Trainer, DataThatAPolicyNeedsIsAskedForBeforeStepOne) {
  AnyStack stack;
  stack.push_back(AnyMitigation(WantsSafe{}));
  TinyRun run;
  EXPECT_THROW(run.go(stack), UsageError);
  EXPECT_TRUE(run.sink.steps.empty());
}

}  // namespace
}  // namespace seawall
