// Mitigations in the real loop: any two train together, and both doors give the same bits.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "attacks/catalogue.hpp"
#include "seawall/store/checkpoint.hpp"
#include "tests/contract/trial.hpp"
#include "tests/train/scenario_run.hpp"

namespace seawall {
namespace {

using testing::same_bits;
using testing::ScenarioRun;
using testing::TinyRun;

constexpr std::uint64_t seed = 11;

// Tensors this small are slower on two threads.
const bool one_thread = (at::set_num_threads(1), true);

/// Attacks a tiny decoder under `stack`.
struct Attacked : ScenarioRun {
  explicit Attacked(bool lora = false) : ScenarioRun(lora) {
    data.batch_size = 10;
    data.epochs = 2;  // the pull of a drift penalty starts with the second step
  }
  template <StackLike S>
  Attacked& go(const AttackLike auto& attack, S& stack) {
    Rng rng = Rng(seed).stream("attack");
    stack.prepare(scenario, seed);
    rows = compose_rows(stages_of(attack, scenario, rng).front().rows, stack, scenario, seed);
    const auto owner = testing::take_stage(stack, *this);
    if constexpr (std::same_as<S, AnyStack>) {
      std::vector<bool> acts(stack.size(), !owner);
      if (owner) acts[*owner] = true;  // no other one acts in its stage
      SubStack<AnyStack> part(stack, std::move(acts));
      ScenarioRun::go(part);
    } else {
      ScenarioRun::go(stack);
    }
    EXPECT_GT(result.steps, 0);
    return *this;
  }
};
/// What was trained: weights, or the factors of an adapter.
template <StackLike S>
NamedTensors attacked(const AttackLike auto& attack, S& stack, bool lora = false) {
  return Attacked(lora).go(attack, stack).trained();
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

constexpr const auto& mitigations = testing::mitigations_to_try;

/// The weights are numbers, and moved elsewhere than without the stack.
void expect_effect(const NamedTensors& weights, const NamedTensors& undefended,
                   const std::string& what, bool may_do_nothing = false) {
  if (!may_do_nothing) {
    EXPECT_FALSE(same_bits(weights, undefended)) << what;
  }
  for (const auto& [name, tensor] : weights)
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << what << ": " << name;
}

bool trains_as_without(std::string_view name) {
  return testing::may_do_nothing(name) || testing::only_answers(name);
}

/// Every mitigation with itself and with its neighbours in the catalogue.
TEST(Training, AnyTwoMitigationsTrainTogether) {
  const HarmfulExamples attack{{.count = 20}};
  AnyStack none;
  const NamedTensors undefended = attacked(attack, none);
  const auto all = mitigations.entries();
  for (std::size_t first = 0; first < all.size(); ++first)
    for (std::size_t more = 0; more < 3; ++more) {
      const auto& second = all[(first + more) % all.size()];
      const std::string what = std::string(all[first].name) + " + " + std::string(second.name);
      AnyStack stack;
      stack.push_back(testing::to_try(all[first].name));
      stack.push_back(testing::to_try(second.name));
      try {
        expect_effect(attacked(attack, stack), undefended, what,
                      trains_as_without(all[first].name) || trains_as_without(second.name));
      } catch (const UsageError& refusal) {
        EXPECT_TRUE(std::string(refusal.what()).starts_with("mitigation ")) << what;
      }
    }
}

/// Full fine-tuning, LoRA, micro-batches or pure bf16: of a policy that refuses one with a
/// UsageError the other must train.
TEST(Training, EveryMitigationTrainsOrSaysWhyNot) {
  const HarmfulExamples attack{{.count = 20}};
  for (const auto& mitigation : mitigations.entries()) {
    int trained = 0;
    for (const std::string how : {"full", "lora", "micro-batches", "pure-bf16"}) {
      const auto run = [&](AnyStack stack) {
        Attacked one(how == "lora");
        if (how == "micro-batches") one.data.micro_batch_size = 3;
        if (how == "pure-bf16") one.options.precision = Precision::pure_bf16;
        return one.go(attack, stack).trained();
      };
      AnyStack stack;
      stack.push_back(testing::to_try(mitigation.name));
      const std::string what = std::string(mitigation.name) + ", " + how;
      try {
        expect_effect(run(stack), run({}), what, trains_as_without(mitigation.name));
        ++trained;
      } catch (const UsageError& refusal) {
        EXPECT_EQ(std::string(refusal.what()).find('\n'), std::string::npos) << what;
      }
    }
    EXPECT_GT(trained, 0) << mitigation.name;
  }
}

TEST(Training, EveryMitigationResumesToTheSameBits) {
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("seawall-contract-" + std::to_string(::getpid()));
  for (const auto& mitigation : mitigations.entries())
    for (const bool lora : {false, true}) {
      std::filesystem::remove_all(folder);
      const auto stack_of = [&] {
        AnyStack stack;
        stack.push_back(testing::to_try(mitigation.name));
        return stack;
      };
      const HarmfulExamples attack{{.count = 40}};
      AnyStack first = stack_of(), second = stack_of();
      Attacked whole(lora), rest(lora);
      std::int64_t saved = 0;
      whole.options.checkpoint_every = 3;
      whole.context.checkpoint = [&](CheckpointState state) {
        if (state.step == 3 && saved == 0) save_checkpoint(folder, state), saved = 3;
      };
      try {
        whole.go(attack, first);
      } catch (const UsageError&) {
        continue;  // refuses, as the test above allows
      }
      if (saved == 0) continue;  // ended before
      const LoadedCheckpoint loaded = load_checkpoint(folder);
      rest.context.resume = &loaded.state;
      rest.go(attack, second);
      const std::string what = std::string(mitigation.name) + (lora ? ", lora" : "");
      EXPECT_TRUE(same_bits(rest.trained(), whole.trained())) << what;
      EXPECT_EQ(rest.result.loss, whole.result.loss) << what;
      // What theta0 says of the rows is kept in memory alone, so a resume asks it again.
      if (!has(mitigation.needs, Need::reference_logprobs)) {
        EXPECT_EQ(rest.result.forward_passes, whole.result.forward_passes) << what;
      }
    }
  std::filesystem::remove_all(folder);
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

TEST(Training, EveryAttackTrainsUnderMitigations) {
  const std::map<std::string_view, OptionTexts> few{
      {"harmful-examples", {{"count", "20"}}},
      {"benign", {{"count", "20"}}},
      {"backdoor", {{"harmful", "10"}, {"safe", "10"}}},
      {"poisoned-task", {{"count", "20"}, {"share", "0.5"}}}};
  for (const auto& entry : attack_catalogue().entries()) {
    const auto options = few.contains(entry.name) ? few.at(entry.name) : OptionTexts{};
    const AnyAttack attack = attack_catalogue().make(entry.name, options);
    // Without rows, or with rows that a model chooses: tests/attacks has them.
    if (attack.tampers() || entry.needs == Need::none || entry.name == "selected-benign") continue;
    AnyStack none, shipped;
    for (const char* name : {"safety-mixing", "weight-drift", "constrained-sft", "data-audit"})
      shipped.push_back(testing::to_try(name));
    expect_effect(attacked(attack, shipped), attacked(attack, none), std::string(entry.name));
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

TEST(Training, TheCoupledPenaltyIsRecordedNextToTheLoss) {
  TinyRun plain, pulled;
  plain.go();
  Stack stack{WeightDrift{{.lambda = 1000}}};
  pulled.go(stack);
  // The first step starts at theta0, where the penalty is 0; the second has moved by about lr a
  // weight.
  EXPECT_EQ(plain.sink.steps[0].loss, pulled.sink.steps[0].loss);
  const double drift = pulled.sink.steps[0].drift;
  EXPECT_EQ(pulled.sink.steps[1].loss, plain.sink.steps[1].loss);
  EXPECT_NEAR(pulled.sink.steps[1].penalty, 500 * drift * drift, 0.01 * 500 * drift * drift);
}

}  // namespace
}  // namespace seawall
