// What holds for every entry of both catalogues. A new policy is under these tests by its line in
// the catalogue.
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "attacks/catalogue.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/train/still_model.hpp"
#include "tests/contract/trial.hpp"
#include "tests/train/scenario_run.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::floats;
using testing::MemoryState;

template <class List>
struct AsTypes;
template <class... Ps>
struct AsTypes<TypeList<Ps...>> {
  using type = ::testing::Types<Ps...>;
};
using testing::AllMitigations;

template <class List, class... Ps>
Append<List, Ps...> joined(List, TypeList<Ps...>);

template <class P>
struct AnyPolicy : ::testing::Test {};
using AllPolicies = AsTypes<decltype(joined(AllMitigations{}, Attacks{}))>::type;
TYPED_TEST_SUITE(AnyPolicy, AllPolicies);

/// Sets one option through the catalogue's own path.
template <class P>
void set(P& policy, std::string_view name, const std::string& text) {
  set_option(policy.options, P::name, name, text);
}

TYPED_TEST(AnyPolicy, DefaultsAreInRange) { EXPECT_NO_THROW(detail::check_policy(TypeParam{})); }

TYPED_TEST(AnyPolicy, SaysWhatItAndItsOptionsAre) {
  const auto ends_well = [](std::string_view text) {
    return !text.empty() && text.find('\n') == text.npos;
  };
  EXPECT_TRUE(ends_well(TypeParam::summary));
  std::set<std::string> names;
  for (const auto& option : list_options(TypeParam{}.options)) {
    EXPECT_TRUE(ends_well(option.help)) << option.name;
    EXPECT_TRUE(names.insert(option.name).second) << option.name << " twice";
  }
}

TYPED_TEST(AnyPolicy, EveryOptionReadsBackWhatItShows) {
  for (const auto& option : list_options(TypeParam{}.options)) {
    TypeParam policy;
    set(policy, option.name, option.value);
    const auto again = list_options(policy.options);
    const auto same =
        std::find_if(again.begin(), again.end(), [&](auto& o) { return o.name == option.name; });
    EXPECT_EQ(same->value, option.value);
  }
}

TYPED_TEST(AnyPolicy, OptionsOutOfRangeThrowUsageError) {
  typename TypeParam::Options options;
  TypeParam::Options::visit(options, [](auto& value, const OptionInfo& info) {
    using Value = std::remove_cvref_t<decltype(value)>;
    const auto refuses = [&](const std::string& text) {
      TypeParam policy;
      EXPECT_THROW(set(policy, info.name, text), UsageError) << info.name << " = " << text;
    };
    if constexpr (std::same_as<Value, std::string>) {
      if (!info.choices.empty()) refuses("no-such-word");
    } else {
      refuses("many");
      refuses("");
      if constexpr (!std::same_as<Value, bool>) {
        if (std::isfinite(info.min)) refuses(std::to_string(static_cast<long>(info.min) - 1));
        if (std::isfinite(info.max)) refuses(std::to_string(static_cast<long>(info.max) + 1));
        // A number without any bound has not been thought about.
        EXPECT_TRUE(std::isfinite(info.min) || std::isfinite(info.max)) << info.name;
      }
    }
  });
  TypeParam policy;
  EXPECT_THROW(set(policy, "no-such-option", "1"), UsageError);
}

/// Of all stages.
Dataset rows_of(const AttackLike auto& attack, const Context& context, Rng& rng) {
  Dataset all;
  for (const StagePlan& stage : stages_of(attack, context, rng))
    all.rows.insert(all.rows.end(), stage.rows.rows.begin(), stage.rows.rows.end());
  return all;
}

/// A scenario, and a tiny model that attacks may ask while they choose rows.
struct AskedModel {
  FakeScenario scenario;
  Decoder decoder = testing::tiny_decoder();
  StillModel model{decoder, scenario, services(), 5};
  Context context{scenario};
  AskedModel() {
    context.set_model([this]() -> Trainer& { return model; });
  }
  static ModelServices services() {
    ModelServices out;
    out.encode = [](const Dataset& rows) { return EncodedRows{testing::encode_texts(rows), {}}; };
    return out;
  }
};

template <class A>
struct AnyAttackPolicy : ::testing::Test {};
TYPED_TEST_SUITE(AnyAttackPolicy, AsTypes<Attacks>::type);

TYPED_TEST(AnyAttackPolicy, CraftsTheSameBitsFromTheSameSeed) {
  const auto craft = [&](std::uint64_t seed) {
    Rng rng(seed);
    AskedModel asked;
    const Dataset rows = rows_of(TypeParam{}, asked.context, rng);
    return rows.content_hash();
  };
  EXPECT_EQ(craft(5), craft(5));
  if (TypeParam::needs != Need::none && !detail::Tampers<TypeParam>) {
    EXPECT_NE(craft(5), craft(6));
  }
}

TYPED_TEST(AnyAttackPolicy, RowsEndInAnAnswerAndHaveTheirKind) {
  Rng rng(5);
  AskedModel asked;
  const Dataset rows = rows_of(TypeParam{}, asked.context, rng);
  EXPECT_EQ(rows.empty(), TypeParam::needs == Need::none || detail::Tampers<TypeParam>);
  EXPECT_EQ(rows.count(RowKind::other), 0u);
  for (const auto& row : rows.rows)
    EXPECT_EQ(row.dialogue.messages.back().role, Role::assistant) << row.id;
}

TYPED_TEST(AnyAttackPolicy, ProbesStillAskWhatTheyAsked) {
  const FakeScenario scenario;
  const auto conditions = conditions_of(TypeParam{});
  ASSERT_FALSE(conditions.empty());
  EXPECT_EQ(conditions.front().name, "plain");
  for (const auto& condition : conditions)
    for (const Probe& probe : scenario.probes(ProbeSet::harmfulness)) {
      const Dialogue dialogue = prompt_of(TypeParam{}, probe, condition, scenario);
      EXPECT_EQ(dialogue.messages.back().role, Role::user);
      EXPECT_NE(dialogue.messages.back().content.find(probe.dialogue.first(Role::user)),
                std::string::npos);
    }
}

TYPED_TEST(AnyAttackPolicy, AMissingPoolIsAnErrorBeforeAnythingRuns) {
  if (TypeParam::needs == Need::none) GTEST_SKIP() << "needs no rows";
  const FakeScenario nothing({.harmful = 0, .identity_shift = 0, .safe = 0, .benign = 0});
  EXPECT_THROW(
      check_needs({.name = std::string(TypeParam::name), .options = {}, .needs = TypeParam::needs},
                  nothing),
      UsageError);
  Rng rng(5);
  if (!detail::Tampers<TypeParam>) {
    EXPECT_THROW(stages_of(TypeParam{}, nothing, rng), DataError);
  }
}

TYPED_TEST(AnyAttackPolicy, BothDoorsAgree) {
  const FakeScenario scenario;
  const TypeParam typed;
  const AnyAttack any = attack_catalogue().make(TypeParam::name);
  Rng one(5), two(5);
  AskedModel first, second;
  EXPECT_EQ(rows_of(typed, first.context, one).content_hash(),
            rows_of(any, second.context, two).content_hash());
  EXPECT_EQ(one.state(), two.state());
  EXPECT_EQ(conditions_of(typed), any.conditions());
  for (const auto& condition : any.conditions())
    for (const Probe& probe : scenario.probes(ProbeSet::harmfulness))
      EXPECT_EQ(prompt_of(typed, probe, condition, scenario),
                any.prompt(probe, condition, scenario));
}

/// Three steps of full fine-tuning and of LoRA under a stack, and all that came of them as text.
template <StackLike S>
std::string trail(S& stack) {
  std::string out;
  const auto add = [&](double number) { out += detail::to_text(number) + " "; };
  stack.prepare(FakeScenario{}, 5);
  for (const bool lora : {false, true}) {
    testing::ScenarioRun run(lora);
    run.data.steps = 3;
    Rng rng(5);
    run.rows = stack.compose(std::move(run.rows), run.scenario, rng);
    testing::take_stage(stack, run);
    out += run.rows.content_hash() + "\n";
    try {
      run.go(stack);
    } catch (const UsageError& refusal) {
      out += refusal.what();
      continue;
    }
    for (const StepRecord& step : run.sink.steps) {
      for (const double x : {step.loss, step.penalty, step.grad_norm, step.drift}) add(x);
      for (const auto& [name, value] : step.measured) out += name, add(value);
    }
    for (const auto& [name, tensor] : run.trained()) add(tensor.sum().template item<double>());
  }
  const FakeScenario scenario;
  for (const Condition& condition : conditions_of_run({{"plain"}}, stack.conditions())) {
    out += condition.name + " " + decoding_text(condition.decoding) + ":";
    for (const auto& message : stack.prompt({{{Role::user, "?"}}}, condition, scenario).messages)
      out += " " + message.content;
    out += "\n";
  }
  const TapPoint middle{.kind = TapPoint::Kind::resid_post, .layer = 1};
  const Tensor x = at::ones({1, testing::tiny_config().hidden_size});
  const Tensor logits = at::arange(8, at::kFloat).view({1, 8});
  const AnswerStep first{
      .place = 0, .rows = {0}, .under = [&](const NamedTensors&) { return logits.neg(); }};
  for (const Tensor& tensor : {stack.steer(middle, x), stack.choose(first, logits)})
    for (const float value : floats(tensor)) add(static_cast<double>(value));
  return out;
}

template <class M>
M to_try() {
  return detail::with_options<M>(testing::options_to_try(M::name));
}

template <class M>
struct AnyMitigationPolicy : ::testing::Test {};
TYPED_TEST_SUITE(AnyMitigationPolicy, AsTypes<AllMitigations>::type);

TYPED_TEST(AnyMitigationPolicy, BothDoorsAgreeOnEveryHook) {
  Stack typed{to_try<TypeParam>()};
  AnyStack any;
  any.push_back(testing::to_try(TypeParam::name));
  const std::string expected = trail(typed);
  EXPECT_EQ(trail(any), expected);
  EXPECT_EQ(any.needs(), typed.needs());
  for (std::uint32_t bit = 0; bit < 15; ++bit)
    EXPECT_EQ(any.uses(static_cast<Hook>(1u << bit)), typed.uses(static_cast<Hook>(1u << bit)));
  // The other side of the coin: a policy that does nothing at all would agree as well.
  Stack<> nothing;
  if (!testing::may_do_nothing(TypeParam::name)) {
    EXPECT_NE(trail(nothing), expected);
  }
}

TYPED_TEST(AnyMitigationPolicy, TheSameSeedGivesTheSameBits) {
  Stack one{to_try<TypeParam>()}, two{to_try<TypeParam>()};
  EXPECT_EQ(trail(one), trail(two));
}

/// A second run does not see what the first left in the policy; nor does state that is not there
/// pass for none.
TYPED_TEST(AnyMitigationPolicy, StartsAgain) {
  Stack used{to_try<TypeParam>()};
  const std::string first = trail(used);
  EXPECT_EQ(trail(used), first);
  if constexpr (has(TypeParam::hooks, Hook::state)) {
    MemoryState saved, empty;
    used.save([&](std::string_view) -> StateOut& { return saved; });
    EXPECT_NO_THROW(used.load([&](std::string_view) -> StateIn& { return saved; }));
    EXPECT_THROW(used.load([&](std::string_view) -> StateIn& { return empty; }), DataError);
  }
}

TYPED_TEST(AnyMitigationPolicy, AMissingPoolIsAnErrorBeforeAnythingRuns) {
  const FakeScenario nothing({.harmful = 0, .identity_shift = 0, .safe = 0, .benign = 0});
  const bool data = has(TypeParam::needs, Need::safe_data | Need::harmful_data | Need::benign_data |
                                              Need::identity_data);
  if (data)
    EXPECT_THROW(
        check_needs(
            {.name = std::string(TypeParam::name), .options = {}, .needs = TypeParam::needs},
            nothing),
        UsageError);
  else
    EXPECT_NO_THROW(check_needs(
        {.name = std::string(TypeParam::name), .options = {}, .needs = TypeParam::needs}, nothing));
}

TEST(Contract, EachPolicyHasOneShortHeaderOfItsName) {
  const auto check = [](const char* folder, const auto& catalogue) {
    for (const auto& entry : catalogue.entries()) {
      std::string file(entry.name);
      std::replace(file.begin(), file.end(), '-', '_');
      const auto path = std::filesystem::path(SEAWALL_SOURCE_DIR) / folder / (file + ".hpp");
      std::ifstream in(path);
      ASSERT_TRUE(in) << path;
      int code = 0;  // lines that are neither blank nor comment
      for (std::string line; std::getline(in, line);) {
        const auto first = line.find_first_not_of(' ');
        code += first != line.npos && line.compare(first, 2, "//") != 0;
      }
      EXPECT_LE(code, 60) << path << ": move what others can use to policy/";
    }
  };
  check("attacks", attack_catalogue());
  check("mitigations", mitigation_catalogue());
}

}  // namespace
}  // namespace seawall
