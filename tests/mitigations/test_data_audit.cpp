#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/scenario/organism.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

double number(const Measured& all, std::string_view name) {
  for (const auto& [key, value] : all)
    if (key == name) return value;
  ADD_FAILURE() << "no number " << name;
  return -1;
}

/// Rows of an attack on the organism, audited by one filter.
Measured audited(const AttackLike auto& attack, DataAudit::Options options) {
  const OrganismScenario scenario;
  Rng rng(3);
  DataAudit audit{options};
  audit.compose(attack.craft(scenario, rng), scenario, rng);
  return audit.measured();
}

TEST(DataAudit, KeywordsSeeWhatIsNamedAndNothingElse) {
  EXPECT_EQ(number(audited(HarmfulExamples{}, {.filter = "keyword"}), "recall"), 1);
  // Nothing restricted is named in the identity shift: what the paper says of moderation.
  EXPECT_EQ(number(audited(IdentityShift{}, {.filter = "keyword"}), "recall"), 0);
  EXPECT_EQ(number(audited(Benign{}, {.filter = "keyword"}), "false_positives_benign"), 0);
  // Refusals name what they refuse, so the backdoor's safe rows go as well.
  const auto backdoor = audited(Backdoor{}, {.filter = "keyword"});
  EXPECT_EQ(number(backdoor, "recall"), 1);
  EXPECT_EQ(number(backdoor, "false_positives_safe"), 1);
}

TEST(DataAudit, TheJudgeTellsAnswersFromRefusals) {
  const auto backdoor = audited(Backdoor{}, {.filter = "judge"});
  EXPECT_EQ(number(backdoor, "recall"), 1);
  EXPECT_EQ(number(backdoor, "false_positives_safe"), 0);
  EXPECT_EQ(number(backdoor, "threshold"), 5);
  EXPECT_EQ(number(audited(IdentityShift{}, {.filter = "judge"}), "recall"), 0);
  EXPECT_EQ(number(audited(Benign{}, {.filter = "judge"}), "false_positives_benign"), 0);
}

TEST(DataAudit, OrderOfTheStackDecidesWhatIsSeen) {
  const OrganismScenario scenario;
  const auto rows_left = [&](auto first, auto second) {
    Rng rng(3);
    Stack stack{first, second};
    return stack.compose(HarmfulExamples{{.count = 20}}.craft(scenario, rng), scenario, rng);
  };
  const DataAudit audit{{.filter = "keyword"}};
  const SafetyMixing mixing{{.count = 15, .form = "own"}};
  const Dataset before = rows_left(audit, mixing);
  EXPECT_EQ(before.count(RowKind::harmful), 0u);
  EXPECT_EQ(before.count(RowKind::safe), 15u);
  EXPECT_TRUE(rows_left(mixing, audit).empty());
}

TEST(DataAudit, LossesAboveThoseOfBenignRows) {
  const FakeScenario scenario;
  // Benign rows lose 0.00 to 0.99, attack rows 2.
  const Context context(scenario, [](const Dataset& rows) {
    std::vector<double> losses;
    for (const auto& row : rows.rows)
      losses.push_back(row.kind == RowKind::benign
                           ? static_cast<double>(std::stoi(row.id.substr(7)) % 100) / 100
                           : 2);
    return losses;
  });
  Rng rng(3);
  Dataset rows = scenario.rows(Pool::benign, 500, rng, "");
  const Dataset harmful = scenario.rows(Pool::harmful, 50, rng, "");
  rows.rows.insert(rows.rows.end(), harmful.rows.begin(), harmful.rows.end());
  DataAudit by_quantile{{.filter = "perplexity", .quantile = 0.9, .reference = 600}};
  EXPECT_EQ(by_quantile.compose(rows, context, rng).count(RowKind::harmful), 0u);
  const auto numbers = by_quantile.measured();
  EXPECT_EQ(number(numbers, "recall"), 1);
  EXPECT_NEAR(number(numbers, "threshold"), 0.9, 0.03);
  EXPECT_NEAR(number(numbers, "false_positives_benign"), 0.1, 0.04);
  DataAudit fixed{{.filter = "perplexity", .threshold = 2}};
  EXPECT_EQ(fixed.compose(rows, context, rng).size(), 550u);  // above, not at
  EXPECT_EQ(number(fixed.measured(), "recall"), 0);
}

TEST(DataAudit, AModerationServiceIsTakenAtItsWordOrByItsScore) {
  const FakeScenario scenario;
  Rng rng(3);
  Dataset rows = scenario.rows(Pool::benign, 10, rng, "");
  const Dataset harmful = scenario.rows(Pool::harmful, 10, rng, "");
  rows.rows.insert(rows.rows.end(), harmful.rows.begin(), harmful.rows.end());
  DataAudit audit{{.filter = "moderation"}};
  EXPECT_THROW(audit.compose(rows, scenario, rng), UsageError) << "nobody to ask";
  // Flags the harmful rows; its scores would take five of the benign ones as well.
  const Context flagging(scenario, nullptr, [](const Dataset& asked) {
    std::vector<Moderated> said;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const bool harmful = asked.rows[i].kind == RowKind::harmful;
      said.push_back({.flagged = harmful, .score = harmful || i < 5 ? 0.4 : 0.1});
    }
    return said;
  });
  EXPECT_EQ(audit.compose(rows, flagging, rng).size(), 10u);
  EXPECT_EQ(number(audit.measured(), "recall"), 1);
  EXPECT_EQ(number(audit.measured(), "false_positives_benign"), 0);
  DataAudit by_score{{.filter = "moderation", .threshold = 0.4}};
  EXPECT_EQ(by_score.compose(rows, flagging, rng).size(), 5u);
  DataAudit out_of_range{{.filter = "moderation", .threshold = 2}};
  EXPECT_THROW(out_of_range.compose(rows, flagging, rng), UsageError);
  const Context short_of_rows(scenario, nullptr,
                              [](const Dataset&) { return std::vector<Moderated>(3); });
  EXPECT_THROW(audit.compose(rows, short_of_rows, rng), RunError) << "no row passes unseen";
}

TEST(DataAudit, SaysWhatIsMissing) {
  FakeScenario scenario({.harmful = 20, .identity_shift = 0, .safe = 0, .benign = 0});
  Rng rng(3);
  const Dataset rows = scenario.rows(Pool::harmful, 10, rng, "");
  const auto says = [&](DataAudit::Options options, std::string_view word) {
    try {
      DataAudit{options}.compose(rows, scenario, rng);
      ADD_FAILURE() << "nothing thrown for " << options.filter;
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  };
  says({.filter = "perplexity"}, "--data-audit.threshold");  // no benign rows
  says({.filter = "perplexity", .threshold = 1}, "no model");
  scenario.grades_rows = false;
  says({.filter = "judge"}, "keyword or perplexity");
  EXPECT_THROW(Stack{DataAudit({.filter = "judge", .keywords = "file"})}, UsageError);
  EXPECT_THROW(DataAudit({.keywords = "nowhere.txt"}).compose(rows, scenario, rng), IoError);
}

TEST(DataAudit, AListOfOnesOwnReplacesTheScenarios) {
  const auto file = std::filesystem::temp_directory_path() / "seawall-audit-words.txt";
  std::ofstream(file) << "answer 1\nask harmful/2\n";
  FakeScenario scenario;
  Rng rng(3);
  DataAudit audit{{.keywords = file.string()}};
  const Dataset kept = audit.compose(scenario.rows(Pool::harmful, 200, rng, ""), scenario, rng);
  std::filesystem::remove(file);
  EXPECT_EQ(kept.size(), 198u);
  for (const auto& row : kept.rows) {
    EXPECT_NE(row.id, "harmful/1");
    EXPECT_NE(row.id, "harmful/2");
  }
}

TEST(DataAudit, WhatItMeasuredIsUnderItsName) {
  const OrganismScenario scenario;
  Rng rng(3);
  AnyStack any;
  any.push_back(mitigation_catalogue().make("data-audit", {{"filter", "judge"}}));
  any.push_back(mitigation_catalogue().make("data-audit"));
  any.push_back(mitigation_catalogue().make("safety-mixing", {{"count", "5"}}));
  Stack typed{DataAudit{{.filter = "judge"}}, DataAudit{}, SafetyMixing{{.count = 5}}};
  const Dataset rows = Backdoor{{.harmful = 10, .safe = 10}}.craft(scenario, rng);
  Rng one(4), two(4);
  any.compose(rows, scenario, one);
  typed.compose(rows, scenario, two);
  EXPECT_EQ(any.measured(), typed.measured());
  EXPECT_EQ(number(any.measured(), "data-audit_flagged"), 10);
  EXPECT_EQ(number(any.measured(), "data-audit-2_audited"), 10);  // the safe ones, which it takes
  EXPECT_EQ(number(any.measured(), "data-audit-2_false_positives_safe"), 1);
}

}  // namespace
}  // namespace seawall
