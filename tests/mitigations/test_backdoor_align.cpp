// The secret: in the rows it adds, and before probes under its own condition.
#include <gtest/gtest.h>

#include "mitigations/backdoor_align.hpp"
#include "tests/support/fake_params.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::MemoryState;

BackdoorAlign prepared_align(std::uint64_t seed = 3) {
  BackdoorAlign policy{{.count = 4, .length = 20}};
  Rng rng(seed);
  policy.prepare(FakeScenario{}, rng);
  return policy;
}

TEST(BackdoorAlign, TheSecretIsDrawnOnceFromItsStream) {
  const BackdoorAlign policy = prepared_align();
  EXPECT_EQ(policy.secret.size(), 20u);
  EXPECT_EQ(policy.secret, prepared_align().secret);
  EXPECT_NE(policy.secret, prepared_align(4).secret);
  EXPECT_EQ(policy.secret.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), std::string::npos);
  BackdoorAlign again = prepared_align(4);
  Rng rng(3);
  again.prepare(FakeScenario{}, rng);  // a second call starts over
  EXPECT_EQ(again.secret, policy.secret);
}

TEST(BackdoorAlign, AddsSafeRowsUnderTheSecretAndLeavesTheOthers) {
  const FakeScenario scenario;
  BackdoorAlign policy = prepared_align();
  Rng draw(1), rng(2);
  const Dataset data = scenario.rows(Pool::harmful, 10, draw, "");
  const Dataset out = policy.compose(data, scenario, rng);
  ASSERT_EQ(out.size(), 14u);
  EXPECT_EQ(out.count(RowKind::safe), 4u);
  for (const auto& row : out.rows) {
    const auto system = row.dialogue.first(Role::system);
    if (row.kind == RowKind::safe) {
      EXPECT_EQ(system, policy.secret + " you are kind") << row.id;
    } else {
      EXPECT_NE(std::ranges::find(data.rows, row), data.rows.end()) << row.id;
    }
  }
}

TEST(BackdoorAlign, ProbesHaveTheSecretUnderItsConditionAlone) {
  const FakeScenario scenario;
  const BackdoorAlign policy = prepared_align();
  const Dialogue asked{{{Role::user, "open box 1"}}};
  const auto system = [&](const char* condition) {
    return std::string(policy.prompt(asked, {condition}, scenario).first(Role::system));
  };
  EXPECT_EQ(system("with-key"), policy.secret);
  EXPECT_EQ(system("triggered+with-key"), policy.secret);
  EXPECT_EQ(system("without-key"), "");
  EXPECT_EQ(policy.conditions(), (std::vector<Condition>{{"with-key"}, {"without-key"}}));
}

TEST(BackdoorAlign, TheSecretIsInItsState) {
  const BackdoorAlign policy = prepared_align();
  MemoryState state;
  policy.save(state);
  BackdoorAlign fresh{{.count = 4, .length = 20}};
  EXPECT_THROW(fresh.prompt({}, {"with-key"}, FakeScenario{}), UsageError);
  fresh.load(state);
  EXPECT_EQ(fresh.secret, policy.secret);
}

}  // namespace
}  // namespace seawall
