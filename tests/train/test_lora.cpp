#include <ATen/Functions.h>

#include <filesystem>

#include "mitigations/constrained_sft.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/checkpoint.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

/// A tiny run of LoRA; B starts away from zero where `continued`, as of an adapter trained before.
struct LoraRun : TinyRun {
  explicit LoraRun(double dropout = 0, bool continued = false) {
    options.schedule.lr = 2e-2;
    LoraOptions lora{.rank = 2,
                     .alpha = 6,
                     .targets = targets_from("q_proj,o_proj,up_proj"),
                     .dropout = dropout};
    Adapter adapter = make_adapter(decoder.config(), lora, 9, decoder.embedding());
    auto generator = at::detail::createCPUGenerator(4);
    for (auto& f : adapter.factors)
      if (f.on() && continued) f.b.normal_(0, 0.1, generator);
    decoder.adapt(std::move(adapter));
    base = copy_of(decoder.parameters());
    start = copy_of(decoder.adapter()->tensors());
  }
  /// W + s B A of every weight, as fp64.
  static NamedTensors merged(const Decoder& decoder) {
    NamedTensors wide;
    for (const auto& [name, tensor] : decoder.parameters())
      wide.push_back({name, tensor.detach().to(at::kDouble)});
    Adapter adapter = *decoder.adapter();
    NamedTensors factors;
    for (const auto& [name, tensor] : adapter.tensors())
      factors.push_back({name, tensor.detach().to(at::kDouble)});
    adapter.replace(factors);
    Decoder out(decoder.config(), wide);
    out.adapt(adapter);
    out.merge();
    return out.parameters();
  }
  NamedTensors base, start;
};

TEST(LoraTraining, MovesTheFactorsAndNothingElse) {
  LoraRun run;
  run.go();
  EXPECT_TRUE(same_bits(run.decoder.parameters(), run.base));
  const auto now = run.decoder.adapter()->tensors();
  for (std::size_t i = 0; i < now.size(); ++i) {
    EXPECT_FALSE(same_bits(now[i].tensor, run.start[i].tensor)) << now[i].name;
    EXPECT_FALSE(now[i].tensor.requires_grad());
  }
  // Ids are random and the rows of a batch others at each step, so little can be learned.
  EXPECT_LT(run.sink.steps.back().loss, run.sink.steps.front().loss);
  for (const auto& [name, tensor] : run.decoder.parameters())
    EXPECT_FALSE(tensor.grad().defined()) << name;
}

TEST(LoraTraining, RecordsTheDriftOfTheProductAWeight) {
  for (const bool continued : {false, true}) {
    LoraRun run(0, continued);
    const auto before = LoraRun::merged(run.decoder);
    run.go();
    const auto after = LoraRun::merged(run.decoder);
    double square = 0;
    const StepRecord& last = run.sink.steps.back();
    ASSERT_EQ(last.param_drift.size(), after.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      const double drift = after[i].tensor.sub(before[i].tensor).norm().item<double>();
      // fp32 sums of some hundred products against fp64
      EXPECT_NEAR(last.param_drift[i], drift, 1e-4 * drift + 1e-7) << after[i].name;
      square += drift * drift;
    }
    EXPECT_GT(square, 0);
    EXPECT_NEAR(last.drift, std::sqrt(square), 1e-4 * std::sqrt(square));
    EXPECT_NEAR(run.result.final.drift, last.drift, 1e-9);
    EXPECT_GT(last.moved, 0.9);  // of the factors
  }
}

TEST(LoraTraining, MicroBatchesAddUpToTheBatch) {
  LoraRun whole, parts;
  whole.data.steps = parts.data.steps = 1;
  parts.data.micro_batch_size = 1;
  whole.go();
  parts.go();
  EXPECT_NEAR(whole.sink.steps[0].loss, parts.sink.steps[0].loss, 1e-6);
  EXPECT_NEAR(whole.sink.steps[0].grad_norm, parts.sink.steps[0].grad_norm,
              1e-5 * whole.sink.steps[0].grad_norm);
}

/// Trains the matrices of block 0.
struct OnlyFirst {
  static constexpr std::string_view name = "only-first", summary = "Trains block 0.";
  static constexpr Hook hooks = Hook::trains;
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  // A policy knows weights, not factors.
  bool trains(std::string_view parameter) const {
    return parameter.starts_with("model.layers.0.") && parameter.ends_with("_proj.weight");
  }
};

TEST(LoraTraining, FreezingAWeightFreezesBothItsFactors) {
  LoraRun run;
  Stack stack{OnlyFirst{}};
  run.go(stack);
  const auto now = run.decoder.adapter()->tensors();
  for (std::size_t i = 0; i < now.size(); ++i)
    EXPECT_NE(bool(same_bits(now[i].tensor, run.start[i].tensor)),
              now[i].name.starts_with("model.layers.0."))
        << now[i].name;
  EXPECT_GT(run.sink.steps.back().drift, 0);
}

TEST(LoraTraining, TheReferenceIsTheModelItStartedFrom) {
  // At step 1 the model is theta0, so every weight of constrained-sft is one and nothing changes.
  for (const bool continued : {false, true}) {
    LoraRun plain(0, continued), held(0, continued);
    plain.go();
    Stack stack{ConstrainedSft{{.beta = 1}}};
    held.go(stack);
    EXPECT_NEAR(plain.sink.steps[0].loss, held.sink.steps[0].loss, 1e-5);
    EXPECT_GT(std::abs(plain.sink.steps[4].loss - held.sink.steps[4].loss), 1e-3);
  }
}

class LoraPrecision : public ::testing::TestWithParam<Precision> {};

TEST_P(LoraPrecision, TrainsAndResumesToTheSameBits) {
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("seawall-lora-resume-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const auto configure = [&](LoraRun& run) {
    run.options.precision = GetParam();
    run.data.micro_batch_size = 3;
  };
  LoraRun whole(0.2);
  configure(whole);
  whole.options.checkpoint_every = 4;
  whole.context.checkpoint = [&](const CheckpointState& state) {
    if (state.step == 4) save_checkpoint(folder, state);
  };
  Stack first{PullAfter{}, ConstrainedSft{}};
  whole.go(first);
  const auto type = GetParam() == Precision::fp32 ? at::kFloat : at::kBFloat16;
  EXPECT_EQ(whole.decoder.dtype(), type);  // the frozen weights as well
  EXPECT_EQ(whole.decoder.adapter()->tensors()[0].tensor.scalar_type(), type);

  const LoadedCheckpoint loaded = load_checkpoint(folder);
  ASSERT_EQ(loaded.state.parameters.size(), 12u);  // factors alone
  for (const auto& [name, tensor] : loaded.state.parameters)
    EXPECT_NE(name.find(".lora_"), std::string::npos) << name;
  LoraRun rest(0.2);
  configure(rest);
  rest.context.resume = &loaded.state;
  Stack second{PullAfter{}, ConstrainedSft{}};
  rest.go(second);
  EXPECT_TRUE(same_bits(rest.decoder.adapter()->tensors(), whole.decoder.adapter()->tensors()));
  ASSERT_EQ(rest.sink.steps.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(rest.sink.steps[i].loss, whole.sink.steps[4 + i].loss);
    EXPECT_EQ(rest.sink.steps[i].drift, whole.sink.steps[4 + i].drift);
  }
  // Dropout draws anew at every step, from the seed.
  LoraRun other(0.2);
  configure(other);
  other.options.seed = 4;
  Stack third{PullAfter{}, ConstrainedSft{}};
  other.go(third);
  EXPECT_EQ(other.sink.steps[0].loss, whole.sink.steps[0].loss);  // B is zero
  EXPECT_NE(other.sink.steps[1].loss, whole.sink.steps[1].loss);
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(All, LoraPrecision,
                         ::testing::Values(Precision::fp32, Precision::bf16_master,
                                           Precision::pure_bf16, Precision::kahan),
                         [](const auto& info) {
                           std::string name(precision_name(info.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(LoraTraining, AFrozenMergedModelEvaluatesInTheMiddleOfARun) {
  LoraRun plain, looked;
  plain.go();
  int looks = 0;
  looked.context.evaluate = [&](std::int64_t, std::int64_t, bool) {
    const MergedAdapter merged(looked.decoder);
    EXPECT_EQ(looked.decoder.adapter(), nullptr);
    ++looks;
  };
  looked.go();
  EXPECT_EQ(looks, 3);
  EXPECT_TRUE(same_bits(plain.decoder.adapter()->tensors(), looked.decoder.adapter()->tensors()));
}

}  // namespace
}  // namespace seawall
