// What holds for every entry of both catalogues. A new policy is under these tests by its line in
// the catalogue.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/policy/needs.hpp"
#include "tests/policy/probe_policies.hpp"
#include "tests/support/fake_params.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeParams;
using testing::FakeScenario;
using testing::floats;
using testing::MemoryState;

template <class List>
struct AsTypes;
template <class... Ps>
struct AsTypes<TypeList<Ps...>> {
  using type = ::testing::Types<Ps...>;
};
// A policy with every hook stands beside those that ship, so that no check below runs on nothing.
using AllMitigations = Append<Mitigations, testing::Everything>;

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

template <class A>
struct AnyAttackPolicy : ::testing::Test {};
TYPED_TEST_SUITE(AnyAttackPolicy, AsTypes<Attacks>::type);

TYPED_TEST(AnyAttackPolicy, CraftsTheSameBitsFromTheSameSeed) {
  const FakeScenario scenario;
  const auto craft = [&](std::uint64_t seed) {
    Rng rng(seed);
    const Dataset rows = TypeParam{}.craft(scenario, rng);
    return rows.content_hash();
  };
  EXPECT_EQ(craft(5), craft(5));
  EXPECT_NE(craft(5), craft(6));
}

TYPED_TEST(AnyAttackPolicy, RowsEndInAnAnswerAndHaveTheirKind) {
  const FakeScenario scenario;
  Rng rng(5);
  const Dataset rows = TypeParam{}.craft(scenario, rng);
  ASSERT_FALSE(rows.empty());
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
  const FakeScenario nothing({.harmful = 0, .identity_shift = 0, .safe = 0, .benign = 0});
  EXPECT_THROW(
      check_needs({.name = std::string(TypeParam::name), .options = {}, .needs = TypeParam::needs},
                  nothing),
      UsageError);
  Rng rng(5);
  EXPECT_THROW(TypeParam{}.craft(nothing, rng), DataError);
}

TYPED_TEST(AnyAttackPolicy, BothDoorsAgree) {
  const FakeScenario scenario;
  const TypeParam typed;
  const AnyAttack any = attack_catalogue().make(TypeParam::name);
  Rng one(5), two(5);
  EXPECT_EQ(typed.craft(scenario, one).content_hash(), any.craft(scenario, two).content_hash());
  EXPECT_EQ(one.state(), two.state());
  EXPECT_EQ(conditions_of(typed), any.conditions());
  for (const auto& condition : any.conditions())
    for (const Probe& probe : scenario.probes(ProbeSet::harmfulness))
      EXPECT_EQ(prompt_of(typed, probe, condition, scenario),
                any.prompt(probe, condition, scenario));
}

/// Every hook once, and all that came of it as text.
template <StackLike S>
std::string trail(S& stack) {
  const FakeScenario scenario;
  FakeParams params;
  params.add("model.embed_tokens.weight", {1, 2, 3}, {0, 2, 5});
  params.add("model.layers.0.mlp.up_proj.weight", {4, -4}, {3.5f, -4.25f});
  std::string out;
  const auto add = [&](std::string_view what, const Tensor& tensor) {
    out += std::string(what) + ":";
    if (tensor.defined())
      for (const float x : floats(tensor)) out += detail::to_text(static_cast<double>(x)) + " ";
    out += "\n";
  };
  Rng rng(5), draw(1);
  out +=
      stack.compose(scenario.rows(Pool::benign, 40, draw, ""), scenario, rng).content_hash() + "\n";
  stack.on_start(params.trainer());
  const Step step{.lr = 0.125};
  add("penalty", stack.penalty(params.trainer(), step));
  TokenLosses losses;
  losses.loss = at::tensor(std::vector<float>{0.5f, 2, 3});
  losses.row = at::tensor(std::vector<std::int64_t>{0, 0, 1});
  losses.place = at::tensor(std::vector<std::int64_t>{0, 1, 0});
  losses.reference = at::tensor(std::vector<float>{-1, -2, -2});
  add("token_weights", stack.token_weights(params, losses));
  add("around_loss", stack.around_loss(params, [&] { return losses.loss.sum(); }));
  for (const Param& p : params.params()) p.value.mutable_grad() = at::ones_like(p.value.detach());
  stack.before_step(params.trainer(), step);
  for (const Param& p : params.params()) add("grad", p.value.grad());
  stack.after_step(params.trainer(), step);
  for (const Param& p : params.params()) {
    add("weight", p.master);
    out += stack.trains(p.name) ? "trains\n" : "stays\n";
  }
  add("edit", stack.edit(TapPoint{}, losses.loss));
  out += stack.prompt({{{Role::user, "?"}}}).messages.back().content + "\n";
  stack.on_finish(params.trainer());
  for (const Param& p : params.params()) add("weight", p.master);
  return out;
}

template <class M>
struct AnyMitigationPolicy : ::testing::Test {};
TYPED_TEST_SUITE(AnyMitigationPolicy, AsTypes<AllMitigations>::type);

TYPED_TEST(AnyMitigationPolicy, BothDoorsAgreeOnEveryHook) {
  Stack typed{TypeParam{}};
  AnyStack any;
  any.push_back(mitigation_catalogue_of(AllMitigations{}).make(TypeParam::name));
  const std::string expected = trail(typed);
  EXPECT_EQ(trail(any), expected);
  EXPECT_EQ(any.needs(), typed.needs());
  for (std::uint32_t bit = 0; bit < 12; ++bit)
    EXPECT_EQ(any.uses(static_cast<Hook>(1u << bit)), typed.uses(static_cast<Hook>(1u << bit)));
  // The other side of the coin: a policy that does nothing at all would agree as well.
  Stack<> nothing;
  EXPECT_NE(trail(nothing), expected);
}

TYPED_TEST(AnyMitigationPolicy, TheSameSeedGivesTheSameBits) {
  Stack one{TypeParam{}}, two{TypeParam{}};
  EXPECT_EQ(trail(one), trail(two));
}

TYPED_TEST(AnyMitigationPolicy, StateSurvivesACheckpoint) {
  if constexpr (!has(TypeParam::hooks, Hook::state)) {
    // Without state, a policy started anew must go on as one that has run before.
    Stack used{TypeParam{}}, fresh{TypeParam{}};
    trail(used);
    EXPECT_EQ(trail(used), trail(fresh));
  } else {
    TypeParam used, fresh;
    Stack stack{used};
    trail(stack);
    MemoryState saved, again;
    stack.save([&](std::string_view) -> StateOut& { return saved; });
    Stack resumed{fresh};
    resumed.load([&](std::string_view) -> StateIn& { return saved; });
    EXPECT_EQ(trail(resumed), trail(stack));
    MemoryState empty;
    EXPECT_THROW(resumed.load([&](std::string_view) -> StateIn& { return empty; }), DataError);
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
