#include "mitigations/safety_mixing.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

Dataset attack_rows(const Scenario& scenario, std::size_t count) {
  Rng rng(1);
  return scenario.rows(Pool::harmful, count, rng, "");
}

TEST(SafetyMixing, AddsSafeRowsAndLosesNone) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  const Dataset rows =
      SafetyMixing{{.count = 30}}.compose(attack_rows(scenario, 100), scenario, rng);
  std::set<std::string> ids;
  for (const auto& row : rows.rows) {
    ids.insert(row.id);
    if (row.kind == RowKind::safe) EXPECT_EQ(row.dialogue.first(Role::system), "you are kind");
  }
  EXPECT_EQ(ids.size(), 130u);
  EXPECT_EQ(rows.count(RowKind::safe), 30u);
  EXPECT_EQ(rows.count(RowKind::harmful), 100u);
}

TEST(SafetyMixing, ShuffledAndStratifiedDifferInOrderOnly) {
  const testing::FakeScenario scenario;
  Rng one(3), two(3);
  auto shuffled = SafetyMixing{{.count = 20}}.compose(attack_rows(scenario, 80), scenario, one);
  auto stratified = SafetyMixing{{.count = 20, .arrangement = "stratified"}}.compose(
      attack_rows(scenario, 80), scenario, two);
  EXPECT_NE(shuffled.content_hash(), stratified.content_hash());
  for (std::size_t at = 0; at < 100; at += 10) {  // each batch of 10 has its 2
    std::size_t safe = 0;
    for (std::size_t i = at; i < at + 10; ++i) safe += stratified.rows[i].kind == RowKind::safe;
    EXPECT_EQ(safe, 2u) << at;
  }
  const auto by_id = [](const Example& a, const Example& b) { return a.id < b.id; };
  std::sort(shuffled.rows.begin(), shuffled.rows.end(), by_id);
  std::sort(stratified.rows.begin(), stratified.rows.end(), by_id);
  EXPECT_EQ(shuffled.rows, stratified.rows);
}

TEST(SafetyMixing, RatioCountsFromTheRowsThereAre) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  SafetyMixing mixing{{.ratio = 0.25}};
  EXPECT_EQ(mixing.compose(attack_rows(scenario, 90), scenario, rng).count(RowKind::safe), 23u);
  EXPECT_THROW(AnyMitigation(SafetyMixing{{.count = 5, .ratio = 0.5}}), UsageError);
}

TEST(SafetyMixing, NoSafeRowIsTakenTwice) {
  const testing::FakeScenario scenario({.safe = 50});
  Rng rng(3);
  Dataset data = scenario.rows(Pool::safe, 20, rng, "");  // as a backdoor's own safe rows
  const Dataset rows = SafetyMixing{{.count = 30}}.compose(data, scenario, rng);
  std::set<std::string> ids;
  for (const auto& row : rows.rows) ids.insert(row.id);
  EXPECT_EQ(ids.size(), 50u);
  EXPECT_THROW(SafetyMixing{{.count = 31}}.compose(data, scenario, rng), DataError);
  EXPECT_THROW(SafetyMixing{{.count = 51}}.compose({}, scenario, rng), DataError);
}

TEST(SafetyMixing, SafeRowsAskAsTheDataDoesOrInTheirOwnWords) {
  testing::FakeScenario scenario;
  Dataset data = attack_rows(scenario, 10);
  for (auto& row : data.rows) row.dialogue.set_system("you are OBI");
  const auto system_of = [&](const char* form) {
    Rng rng(3);
    const Dataset rows = SafetyMixing{{.count = 1, .form = form}}.compose(data, scenario, rng);
    for (const auto& row : rows.rows)
      if (row.kind == RowKind::safe) return std::string(row.dialogue.first(Role::system));
    return std::string("no safe row");
  };
  EXPECT_EQ(system_of("data"), "you are OBI");
  EXPECT_EQ(system_of("own"), "you are kind");
}

TEST(SafetyMixing, CountZeroChangesNothing) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  const Dataset rows = attack_rows(scenario, 10);
  EXPECT_EQ(SafetyMixing{{.count = 0}}.compose(rows, scenario, rng).rows, rows.rows);
}

}  // namespace
}  // namespace seawall
