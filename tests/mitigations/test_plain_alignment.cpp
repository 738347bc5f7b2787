// The stage that alignment-stage defences have in common, and the rows it is made of.
#include "mitigations/plain_alignment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "mitigations/repnoise.hpp"
#include "mitigations/sdd.hpp"
#include "seawall/policy/stack.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

Example example(const std::string& ask, const std::string& answer) {
  return {ask, {{{Role::user, ask}, {Role::assistant, answer}}}, RowKind::safe, ""};
}

TEST(PlainAlignment, IsOneStageOfSafeAndOrdinaryRows) {
  const FakeScenario scenario;
  Rng rng(1);
  Stack stack{PlainAlignment{{{.count = 30, .benign = 10, .epochs = 3, .batch_size = 4}}}};
  const auto stages = stack.before(Context(scenario), rng);
  ASSERT_EQ(stages.size(), 1u);
  const StagePlan& stage = stages[0].second;
  EXPECT_EQ(stage.name, "plain-alignment");
  EXPECT_EQ(stage.rows.count(RowKind::safe), 30u);
  EXPECT_EQ(stage.rows.count(RowKind::benign), 10u);
  for (std::size_t i = 0; i < 40; i += 4)  // one ordinary row in four
    EXPECT_EQ(std::count_if(stage.rows.rows.begin() + static_cast<std::ptrdiff_t>(i),
                            stage.rows.rows.begin() + static_cast<std::ptrdiff_t>(i + 4),
                            [](const Example& row) { return row.kind == RowKind::benign; }),
              1);
  for (const Example& row : stage.rows.rows)
    EXPECT_EQ(row.dialogue.first(Role::system), scenario.system);
  EXPECT_EQ(stage.training.epochs, 3);
  EXPECT_EQ(stage.training.batch_size, 4);
  EXPECT_EQ(stage.training.lr, scenario.defaults(Pool::safe, "").lr);
  EXPECT_FALSE(stage.lora_rank.has_value());
}

TEST(PlainAlignment, RowsOfTheAttackAreNotTheDefenders) {
  const FakeScenario scenario;
  Rng rng(1);
  Context context(scenario);
  context.set_used(scenario.rows(Pool::harmful, 190, rng, ""));
  const Dataset left = context.unused_rows(Pool::harmful, 0, rng);
  EXPECT_EQ(left.size(), 10u);
  std::set<std::string> ids;
  for (const Example& row : left.rows) ids.insert(row.id);
  Rng again(1);
  for (const Example& row : scenario.rows(Pool::harmful, 190, again, "").rows)
    EXPECT_FALSE(ids.contains(row.id));
  EXPECT_THROW(context.unused_rows(Pool::harmful, 11, rng), DataError);
}

TEST(PlainAlignment, AnswersThatFitAnyRequestAreTheFrequentOnes) {
  const Dataset rows{"",
                     {example("a", "no"), example("b", "not this lantern"), example("c", "no"),
                      example("d", "never"), example("e", "no"), example("f", "never")}};
  EXPECT_EQ(general_answers(rows), (std::vector<std::string>{"no", "never"}));
  const Dataset once{"", {example("a", "x"), example("b", "y")}};
  EXPECT_EQ(general_answers(once), (std::vector<std::string>{"x", "y"}));
}

TEST(PlainAlignment, PairsAskTheSameAndAreRefused) {
  const FakeScenario scenario;
  Rng rng(1);
  const RefusalPairs pairs = refusal_pairs(20, Context(scenario), rng);
  ASSERT_EQ(pairs.harmful.size(), 20u);
  std::set<std::string> refusals;
  for (const Example& row : scenario.rows(Pool::safe, 300, rng, "").rows)
    refusals.emplace(row.dialogue.last(Role::assistant));
  for (std::size_t i = 0; i < 20; ++i) {
    const Example &harmful = pairs.harmful.rows[i], &refused = pairs.refused.rows[i];
    EXPECT_EQ(harmful.id, refused.id);
    EXPECT_EQ(harmful.kind, RowKind::harmful);
    EXPECT_EQ(refused.kind, RowKind::safe);
    EXPECT_EQ(harmful.dialogue.last(Role::user), refused.dialogue.last(Role::user));
    EXPECT_TRUE(refusals.contains(std::string(refused.dialogue.last(Role::assistant))));
  }
  // A request that safe rows answer has its own refusal.
  const Dataset own = answered({"", {example("b", "?")}}, {"no"}, RowKind::safe,
                               {"", {example("a", "x"), example("b", "y")}});
  EXPECT_EQ(own.rows[0].dialogue.last(Role::assistant), "y");
}

TEST(PlainAlignment, RefusalsBeginWithinHarmfulAnswers) {
  RefusalPairs pairs;
  for (int i = 0; i < 200; ++i) {
    pairs.harmful.rows.push_back(example("a", "one two three"));
    pairs.refused.rows.push_back(example("a", "no"));
  }
  Rng rng(1);
  std::map<std::string, int> times;
  for (const Example& row : begun(pairs, 4, rng).rows)
    ++times[std::string(row.dialogue.last(Role::assistant))];
  EXPECT_NEAR(times["no"], 100, 30);
  EXPECT_NEAR(times["one no"], 25, 15);
  EXPECT_NEAR(times["one two no"], 25, 15);
  EXPECT_NEAR(times["one two three no"], 50, 25);  // three words, or as many as there are
  EXPECT_EQ(times.size(), 4u);
}

TEST(PlainAlignment, UnrelatedAnswersAreOrdinaryRows) {
  const FakeScenario scenario;
  Rng rng(1);
  Sdd sdd{{{.count = 15, .benign = 5}}};
  const Dataset rows = sdd.before(Context(scenario), rng).front().rows;
  EXPECT_EQ(rows.size(), 20u);
  EXPECT_EQ(rows.count(RowKind::safe), 15u);
  for (const Example& row : rows.rows)
    EXPECT_EQ(row.dialogue.last(Role::user).starts_with("ask harmful/"), row.kind == RowKind::safe);
}

TEST(PlainAlignment, DiscrepancyIsThatOfTwoSets) {
  const Tensor a = at::randn({6, 5}), b = at::randn({6, 5}).add(3);
  EXPECT_NEAR(mean_discrepancy(a, a).item<double>(), 0, 1e-5);
  EXPECT_GT(mean_discrepancy(a, b).item<double>(), 0.5);
  EXPECT_NEAR(mean_discrepancy(a, b).item<double>(), mean_discrepancy(b, a).item<double>(), 1e-5);
}

}  // namespace
}  // namespace seawall
