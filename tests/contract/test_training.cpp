// Mitigations in the real loop: any two train together, and both doors give the same bits.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "tests/policy/probe_policies.hpp"
#include "tests/support/fake_scenario.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::same_bits;
using testing::TinyRun;

constexpr std::uint64_t seed = 11;

// Tensors this small are slower on two threads.
const bool one_thread = (at::set_num_threads(1), true);

/// Token ids from the texts, so that what compose did to the rows reaches the weights.
std::vector<Sequence> encode(const Dataset& rows) {
  std::vector<Sequence> out;
  for (const auto& row : rows.rows) {
    Sequence sequence{{1, 7, 9}, {}};
    Rng rng(std::stoull(Dataset{"", {row}}.content_hash().substr(0, 8), nullptr, 16));
    for (int i = 0; i < 8; ++i)
      sequence.ids.push_back(static_cast<std::int32_t>(2 + rng.below(62)));
    sequence.loss.assign(sequence.ids.size(), 0);
    for (std::size_t i = 6; i < sequence.ids.size(); ++i) sequence.loss[i] = 1;
    out.push_back(std::move(sequence));
  }
  return out;
}

/// Attacks a tiny decoder under `stack` and returns what was trained: its weights, or the factors
/// of an adapter.
template <StackLike S>
NamedTensors attacked(const AttackLike auto& attack, S& stack, bool lora = false) {
  const FakeScenario scenario;
  Rng rng = Rng(seed).stream("attack");
  const Dataset rows = compose_rows(attack.craft(scenario, rng), stack, scenario, seed);
  TinyRun run;
  run.data.batch_size = 10;
  run.data.epochs = 2;  // the pull of a drift penalty starts with the second step
  run.context.scenario = &scenario;
  const LoraOptions options{.rank = 2, .alpha = 4, .targets = targets_from("all"), .dropout = 0.1};
  if (lora)
    run.decoder.adapt(make_adapter(run.decoder.config(), options, seed, run.decoder.embedding()));
  run.go(stack, encode(rows));
  EXPECT_GT(run.result.steps, 0);
  return testing::copy_of(lora ? run.decoder.adapter()->tensors() : run.decoder.parameters());
}

TEST(Training, BothDoorsGiveTheSameBits) {
  Stack typed{SafetyMixing{{.count = 10, .arrangement = "stratified"}},
              WeightDrift{{.lambda = 0.5}},
              WeightDrift{{.lambda = 0.25, .form = "decoupled", .layers = "embed=0,1=2"}}};
  AnyStack any;
  any.push_back(mitigation_catalogue().make("safety-mixing",
                                            {{"count", "10"}, {"arrangement", "stratified"}}));
  any.push_back(mitigation_catalogue().make("weight-drift", {{"lambda", "0.5"}}));
  any.push_back(mitigation_catalogue().make(
      "weight-drift", {{"lambda", "0.25"}, {"form", "decoupled"}, {"layers", "embed=0,1=2"}}));
  const NamedTensors by_type = attacked(HarmfulExamples{{.count = 30}}, typed);
  const NamedTensors by_name =
      attacked(attack_catalogue().make("harmful-examples", {{"count", "30"}}), any);
  EXPECT_TRUE(same_bits(by_type, by_name));
  Stack<> none;
  EXPECT_FALSE(same_bits(by_type, attacked(HarmfulExamples{{.count = 30}}, none)));
}

constexpr auto mitigations = mitigation_catalogue_of(Append<Mitigations, testing::Everything>{});

/// The weights moved, elsewhere than without the stack, and are numbers.
void expect_effect(const NamedTensors& weights, const NamedTensors& undefended,
                   const std::string& what) {
  EXPECT_FALSE(same_bits(weights, undefended)) << what;
  for (const auto& [name, tensor] : weights)
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << what << ": " << name;
}

TEST(Training, AnyTwoMitigationsTrainTogether) {
  const HarmfulExamples attack{{.count = 20}};
  AnyStack none;
  const NamedTensors undefended = attacked(attack, none);
  for (const auto& first : mitigations.entries())
    for (const auto& second : mitigations.entries()) {
      AnyStack stack;
      stack.push_back(mitigations.make(first.name));
      stack.push_back(mitigations.make(second.name));
      expect_effect(attacked(attack, stack), undefended,
                    std::string(first.name) + " + " + std::string(second.name));
    }
}

TEST(Training, EveryMitigationTrainsUnderLora) {
  const HarmfulExamples attack{{.count = 20}};
  AnyStack none, all;
  const NamedTensors undefended = attacked(attack, none, true);
  EXPECT_TRUE(same_bits(undefended, attacked(attack, none, true)));
  for (const auto& mitigation : mitigations.entries()) {
    AnyStack one;
    one.push_back(mitigations.make(mitigation.name));
    all.push_back(mitigations.make(mitigation.name));
    expect_effect(attacked(attack, one, true), undefended, std::string(mitigation.name));
  }
  expect_effect(attacked(attack, all, true), undefended, "all");
}

TEST(Training, BothDoorsGiveTheSameBitsUnderLora) {
  for (const char* of : {"product", "factors"}) {
    Stack typed{SafetyMixing{{.count = 10}}, WeightDrift{{.lambda = 5, .of = of}},
                WeightDrift{{.lambda = 3, .form = "decoupled", .of = of, .layers = "1=2"}}};
    AnyStack any;
    any.push_back(mitigation_catalogue().make("safety-mixing", {{"count", "10"}}));
    any.push_back(mitigation_catalogue().make("weight-drift", {{"lambda", "5"}, {"of", of}}));
    any.push_back(mitigation_catalogue().make(
        "weight-drift", {{"lambda", "3"}, {"form", "decoupled"}, {"of", of}, {"layers", "1=2"}}));
    const HarmfulExamples attack{{.count = 30}};
    EXPECT_TRUE(same_bits(attacked(attack, typed, true), attacked(attack, any, true))) << of;
  }
}

TEST(Training, EveryAttackTrainsUnderAllMitigations) {
  const std::map<std::string_view, OptionTexts> few{
      {"harmful-examples", {{"count", "20"}}},
      {"benign", {{"count", "20"}}},
      {"backdoor", {{"harmful", "10"}, {"safe", "10"}}}};
  for (const auto& entry : attack_catalogue().entries()) {
    const auto options = few.contains(entry.name) ? few.at(entry.name) : OptionTexts{};
    const AnyAttack attack = attack_catalogue().make(entry.name, options);
    AnyStack none, all;
    for (const auto& mitigation : mitigations.entries())
      all.push_back(mitigations.make(mitigation.name));
    expect_effect(attacked(attack, all), attacked(attack, none), std::string(entry.name));
  }
}

double drift_of(auto& stack) {
  TinyRun run;
  run.options.schedule.lr = 1e-2;
  run.go(stack);
  return run.result.final.drift;
}

TEST(Training, WeightDriftHoldsTheWeightsNearTheStart) {
  Stack<> none;
  Stack coupled{WeightDrift{{.lambda = 10}}};
  Stack decoupled{WeightDrift{{.lambda = 50, .form = "decoupled"}}};
  const double free = drift_of(none);
  EXPECT_LT(drift_of(coupled), 0.8 * free);
  // theta keeps 1 - lr * lambda = half of its way after each of the 9 steps.
  EXPECT_LT(drift_of(decoupled), 0.5 * free);
}

TEST(Training, TheCoupledPenaltyIsInTheRecordedLoss) {
  TinyRun plain, pulled;
  plain.go();
  Stack stack{WeightDrift{{.lambda = 1000}}};
  pulled.go(stack);
  // The first step starts at theta0, where the penalty is 0; the second has moved by about lr a
  // weight.
  EXPECT_EQ(plain.sink.steps[0].loss, pulled.sink.steps[0].loss);
  const double drift = pulled.sink.steps[0].drift;
  EXPECT_NEAR(pulled.sink.steps[1].loss - plain.sink.steps[1].loss, 500 * drift * drift,
              0.01 * 500 * drift * drift);
}

}  // namespace
}  // namespace seawall
