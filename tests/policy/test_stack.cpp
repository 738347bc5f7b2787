// What a stack means, hook by hook, and that both doors mean the same.
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <gtest/gtest.h>

#include "tests/policy/probe_policies.hpp"
#include "tests/support/fake_params.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::calls;
using testing::Everything;
using testing::FakeParams;
using testing::FakeScenario;
using testing::floats;
using testing::MemoryState;
using testing::Quiet;
using Calls = std::vector<std::string>;

/// The same policies through both doors: a, a policy without the hook, b.
auto by_type() {
  return Stack{Everything{{.mark = "a", .factor = 2}}, Quiet{},
               Everything{{.mark = "b", .factor = 3}}};
}
AnyStack by_name() {
  AnyStack stack;
  stack.push_back(AnyMitigation(Everything{{.mark = "a", .factor = 2}}));
  stack.push_back(AnyMitigation(Quiet{}));
  stack.push_back(AnyMitigation(Everything{{.mark = "b", .factor = 3}}));
  return stack;
}

template <class S>
S make();
using Static = decltype(by_type());
template <>
Static make<Static>() {
  return by_type();
}
template <>
AnyStack make<AnyStack>() {
  return by_name();
}

template <class S>
class StackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    calls().clear();
    params.add("w", {1, 2}, {0, 0});
  }
  S stack = make<S>();
  FakeScenario scenario;
  FakeParams params;
  Rng rng{7};
  Step step;
};
using Doors = ::testing::Types<Static, AnyStack>;
TYPED_TEST_SUITE(StackTest, Doors);

TYPED_TEST(StackTest, ComposePipesLeftToRight) {
  const Dataset out = this->stack.compose({"rows", {}}, this->scenario, this->rng);
  EXPECT_EQ(out.name, "rows+a+b");
  EXPECT_EQ(calls(), (Calls{"a.compose", "b.compose"}));
  Rng twice(7);
  twice.next();
  twice.next();
  EXPECT_EQ(this->rng.state(), twice.state());  // one generator goes through all
}

TYPED_TEST(StackTest, StartStepAndFinishRunInOrder) {
  this->stack.on_start(this->params.trainer());
  this->stack.before_step(this->params.trainer(), this->step);
  this->stack.after_step(this->params.trainer(), this->step);
  this->stack.on_finish(this->params.trainer());
  EXPECT_EQ(calls(),
            (Calls{"a.on_start", "b.on_start", "a.before_step", "b.before_step", "a.after_step",
                   "b.after_step", "a.on_finish", "quiet.on_finish", "b.on_finish"}));
}

TYPED_TEST(StackTest, PenaltiesAreSummedAndDifferentiable) {
  const Tensor sum = this->stack.penalty(this->params.trainer(), this->step);
  EXPECT_EQ(sum.item<float>(), 3 * (2 + 3));
  sum.backward();
  EXPECT_EQ(floats(this->params[0].value.grad()), (std::vector<float>{5, 5}));
}

TYPED_TEST(StackTest, TokenWeightsAreMultiplied) {
  TokenLosses losses;
  losses.loss = at::full({3}, 1.0);
  EXPECT_EQ(floats(this->stack.token_weights(this->params, losses)), (std::vector<float>{6, 6, 6}));
}

TYPED_TEST(StackTest, LossWrapsNestWithTheFirstOutermost) {
  const Tensor value =
      this->stack.around_loss(this->params, [] { return at::scalar_tensor(10.0); });
  EXPECT_EQ(value.item<float>(), (10 * 3 + 1) * 2 + 1);
  EXPECT_EQ(calls(),
            (Calls{"a.around_loss>", "b.around_loss>", "b.around_loss<", "a.around_loss<"}));
}

TYPED_TEST(StackTest, AParameterTrainsWhereEveryPolicyLetsIt) {
  EXPECT_TRUE(this->stack.trains("w"));
  EXPECT_FALSE(this->stack.trains("a"));
  EXPECT_FALSE(this->stack.trains("b"));
}

TYPED_TEST(StackTest, EditsRunInOrder) {
  const Tensor out = this->stack.edit(TapPoint{}, at::full({2}, 10.0));
  EXPECT_EQ(floats(out), (std::vector<float>{64, 64}));  // (10 * 2 + 1) * 3 + 1
}

TYPED_TEST(StackTest, PromptPipesLeftToRightAndKnowsItsOwnCondition) {
  const auto put = [this](const char* condition) {
    return this->stack.prompt({{{Role::user, "?"}}}, {condition}, this->scenario)
        .messages.back()
        .content;
  };
  EXPECT_EQ(put("plain"), "?ab");
  EXPECT_EQ(put("triggered+a-off+b-on"), "?abfake");
  EXPECT_EQ(put("a-on+b-on"), "?afakebfake");
}

TYPED_TEST(StackTest, ConditionsAreEachWithEach) {
  const std::vector<Condition> want{{"a-on+b-on"}, {"a-on+b-off"}, {"a-off+b-on"}, {"a-off+b-off"}};
  EXPECT_EQ(this->stack.conditions(), want);
}

TYPED_TEST(StackTest, EachPolicyPreparesFromAStreamOfItsOwn) {
  const auto drawn = [](TypeParam& stack) {
    std::map<std::string, MemoryState> groups;
    stack.save([&](std::string_view group) -> StateOut& { return groups[std::string(group)]; });
    return std::pair(groups.at("everything").number("drawn"),
                     groups.at("everything-2").number("drawn"));
  };
  this->stack.prepare(this->scenario, 5);
  EXPECT_EQ(calls(), (Calls{"a.prepare", "b.prepare"}));
  const auto first = drawn(this->stack);
  EXPECT_NE(first.first, first.second);
  this->stack.prepare(this->scenario, 5);
  EXPECT_EQ(drawn(this->stack), first);
  this->stack.prepare(this->scenario, 6);
  EXPECT_NE(drawn(this->stack).first, first.first);

  // What a checkpoint has is taken; of what it has not, the group is named and stays as it was.
  const auto second = drawn(this->stack).second;
  MemoryState saved;
  saved.number("count", 0);
  saved.number("drawn", 17);
  const auto missing = this->stack.restore(
      [&](std::string_view group) -> StateIn* { return group == "everything" ? &saved : nullptr; });
  EXPECT_EQ(missing, Calls{"everything-2"});
  EXPECT_EQ(drawn(this->stack), std::pair(17.0, second));
}

TYPED_TEST(StackTest, SteersAndChoosesInOrder) {
  const Tensor x = this->stack.steer(TapPoint{}, at::full({2}, 10.0));
  EXPECT_EQ(floats(x), (std::vector<float>{60, 60}));  // nothing was drawn: 10 * 2 * 3
  const Tensor logits = this->stack.choose({.place = 4}, at::full({1, 2}, 10.0));
  EXPECT_EQ(floats(logits), (std::vector<float>{76, 76}));  // (10 * 2 + 4) * 3 + 4
}

TYPED_TEST(StackTest, EachPolicySavesUnderItsOwnGroup) {
  std::map<std::string, MemoryState> groups;
  this->stack.after_step(this->params.trainer(), this->step);
  this->stack.save([&](std::string_view group) -> StateOut& { return groups[std::string(group)]; });
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups.at("everything").number("count"), 1);
  groups.at("everything-2").number("count", 5);

  TypeParam fresh = make<TypeParam>();
  fresh.load([&](std::string_view group) -> StateIn& { return groups.at(std::string(group)); });
  std::map<std::string, MemoryState> again;
  fresh.save([&](std::string_view group) -> StateOut& { return again[std::string(group)]; });
  EXPECT_EQ(again.at("everything").number("count"), 1);
  EXPECT_EQ(again.at("everything-2").number("count"), 5);
}

TYPED_TEST(StackTest, SaysWhatItIs) {
  EXPECT_EQ(this->stack.needs(), Need::safe_data);
  EXPECT_TRUE(this->stack.uses(Hook::edit));
  const auto about = this->stack.describe();
  ASSERT_EQ(about.size(), 3u);
  EXPECT_EQ(about[1].name, "quiet");
  EXPECT_EQ(about[2].options[0].value, "b");
}

struct Writer {
  static constexpr std::string_view name = "writer", summary = "Writes weights.";
  static constexpr Hook hooks =
      Hook::on_start | Hook::before_step | Hook::after_step | Hook::on_finish;
  static constexpr Need needs = Need::none;
  using Options = testing::NoOptions;
  Options options;
  void on_start(Trainer& trainer) { trainer.params().front().value.add_(1); }
  void before_step(Trainer& trainer, const Step&) { trainer.params().front().value.add_(10); }
  void after_step(Trainer& trainer, const Step&) { trainer.params().front().value.add_(100); }
  void on_finish(Trainer& trainer) { trainer.params().front().value.add_(1000); }
};

TEST(Stack, WeightHooksRunWithoutGradients) {
  // Writing to a leaf that requires grad throws unless the stack turned gradients off.
  FakeParams params;
  params.add("w", {1}, {0});
  Stack stack{Writer{}};
  stack.on_start(params.trainer());
  stack.before_step(params.trainer(), Step{});
  stack.after_step(params.trainer(), Step{});
  stack.on_finish(params.trainer());
  EXPECT_EQ(floats(params[0].value), std::vector<float>{1112});
}

TEST(Stack, AMissingHookLeavesThingsAsTheyAre) {
  Stack<> empty;
  Stack quiet{Quiet{}};
  AnyStack any;
  FakeParams params;
  TokenLosses losses;
  losses.loss = at::full({3}, 1.0);
  const auto check = [&](auto& stack) {
    FakeScenario scenario;
    Rng rng(1);
    EXPECT_EQ(stack.compose({"rows", {}}, scenario, rng).name, "rows");
    EXPECT_EQ(rng.state(), Rng(1).state());
    EXPECT_FALSE(stack.penalty(params.trainer(), Step{}).defined());
    EXPECT_FALSE(stack.token_weights(params, losses).defined());
    EXPECT_EQ(
        stack.around_loss(params, [] { return at::scalar_tensor(4.0); }).template item<float>(), 4);
    EXPECT_TRUE(stack.trains("anything"));
    const Tensor x = at::full({2}, 1.0);
    EXPECT_TRUE(stack.edit(TapPoint{}, x).is_same(x));
    EXPECT_EQ(stack.prompt({{{Role::user, "?"}}}, {"plain"}, scenario).messages.back().content,
              "?");
    EXPECT_TRUE(stack.steer(TapPoint{}, x).is_same(x));
    EXPECT_TRUE(stack.choose(AnswerStep{}, x).is_same(x));
    EXPECT_TRUE(stack.conditions().empty());
    EXPECT_FALSE(stack.uses(Hook::compose));
    EXPECT_EQ(stack.needs(), Need::none);
  };
  check(empty);
  check(quiet);
  check(any);
  EXPECT_TRUE(quiet.uses(Hook::on_finish));
}

struct Switch {
  static constexpr std::string_view name = "switch", summary = "One hook or the other.";
  static constexpr Hook hooks = Hook::before_step | Hook::after_step;
  static constexpr Need needs = Need::none;
  struct Options {
    bool after = false;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.after, OptionInfo{.name = "after", .help = "which hook is on"});
    }
  } options;
  Hook active() const { return options.after ? Hook::after_step : Hook::before_step; }
  void before_step(Trainer&, const Step&) { calls().push_back("before"); }
  void after_step(Trainer&, const Step&) { calls().push_back("after"); }
};

TEST(Stack, HooksThatOptionsSwitchOffAreNotThere) {
  const auto check = [](auto& stack, const char* wanted) {
    FakeParams params;
    calls().clear();
    stack.before_step(params.trainer(), Step{});
    stack.after_step(params.trainer(), Step{});
    EXPECT_EQ(calls(), Calls{wanted});
    EXPECT_EQ(stack.uses(Hook::before_step), std::string_view(wanted) == "before");
    EXPECT_EQ(stack.uses(Hook::after_step), std::string_view(wanted) == "after");
  };
  for (const bool after : {false, true}) {
    Stack typed{Switch{{.after = after}}};
    AnyStack any({AnyMitigation(Switch{{.after = after}})});
    check(typed, after ? "after" : "before");
    check(any, after ? "after" : "before");
  }
}

TEST(Stack, OptionsOutOfRangeNeverGetIn) {
  EXPECT_THROW((Stack{Everything{{.factor = 11}}}), UsageError);
  EXPECT_THROW(AnyMitigation(Everything{{.factor = -1}}), UsageError);
}

TEST(Stack, ACopyIsAPolicyOfItsOwn) {
  AnyStack first = by_name();
  AnyStack second = first;
  FakeParams params;
  first.after_step(params.trainer(), Step{});
  std::map<std::string, MemoryState> groups;
  second.save([&](std::string_view group) -> StateOut& { return groups[std::string(group)]; });
  EXPECT_EQ(groups.at("everything").number("count"), 0);
}

struct Wrong {
  static constexpr std::string_view name = "wrong", summary = "Returns what it must not.";
  static constexpr Hook hooks = Hook::penalty | Hook::token_weights | Hook::around_loss |
                                Hook::edit | Hook::steer | Hook::choose;
  static constexpr Need needs = Need::none;
  using Options = testing::NoOptions;
  Options options;
  Tensor penalty(Trainer&, const Step&) { return at::full({2}, 1.0); }
  Tensor token_weights(Trainer&, const TokenLosses&) { return at::full({2}, 1.0); }
  Tensor around_loss(Trainer&, const LossFn&) { return {}; }
  Tensor edit(const TapPoint&, Tensor) const { return at::full({2}, 1.0); }
  Tensor steer(const TapPoint&, Tensor) const { return at::full({2}, 1.0); }
  Tensor choose(const AnswerStep&, Tensor) const { return at::full({2}, 1.0); }
};

template <class F>
std::string run_error(F&& f) {
  try {
    f();
  } catch (const RunError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Stack, AWrongShapeNamesPolicyAndHook) {
  Stack stack{Wrong{}};
  FakeParams params;
  TokenLosses losses;
  losses.loss = at::full({3}, 1.0);
  const auto starts = [](const std::string& text, const std::string& with) {
    EXPECT_EQ(text.substr(0, with.size()), with);
  };
  starts(run_error([&] { stack.penalty(params.trainer(), Step{}); }),
         "wrong: penalty: want a scalar [], got [2]");
  starts(run_error([&] { stack.token_weights(params, losses); }),
         "wrong: token_weights: want [3] float, got [2] float");
  starts(run_error([&] { stack.around_loss(params, [] { return at::scalar_tensor(1.0); }); }),
         "wrong: around_loss: want a scalar [], got an undefined tensor");
  starts(run_error([&] { stack.edit(TapPoint{}, at::full({4}, 1.0)); }),
         "wrong: edit: want [4] float, got [2] float");
}

}  // namespace
}  // namespace seawall
