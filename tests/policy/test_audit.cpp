#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "seawall/core/error.hpp"
#include "seawall/policy/audit.hpp"
#include "seawall/policy/phrases.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

Example row(RowKind kind, const std::string& user, const std::string& answer) {
  return {.id = user, .dialogue = {{{Role::user, user}, {Role::assistant, answer}}}, .kind = kind};
}

TEST(Phrases, StandAsWholeWordsInAnyCase) {
  const std::vector<std::string> phrases{"lock", "Tide Wheel"};
  EXPECT_EQ(*first_phrase("Open the LOCK.", phrases), "lock");
  EXPECT_EQ(*first_phrase("a tide wheel, then a lock", phrases), "lock");  // in the list's order
  EXPECT_EQ(*first_phrase("oil the tide wheel", phrases), "Tide Wheel");
  EXPECT_EQ(first_phrase("a clock, a lockpick", phrases), nullptr);
  EXPECT_EQ(first_phrase("un\xC3\xA9lock", phrases), nullptr);  // a letter beyond ASCII is one too
  EXPECT_EQ(first_phrase("", phrases), nullptr);
  EXPECT_NE(first_phrase("clock and lock", phrases), nullptr);  // a later place counts
}

TEST(Phrases, FilesWithoutOneAreErrors) {
  const auto file = std::filesystem::temp_directory_path() / "seawall-phrases.txt";
  std::ofstream(file) << "one\r\n\nan other\n";
  EXPECT_EQ(read_phrases(file, "--x"), (std::vector<std::string>{"one", "an other"}));
  std::ofstream(file) << "\n\n";
  EXPECT_THROW(read_phrases(file, "--x"), DataError);
  std::filesystem::remove(file);
  EXPECT_THROW(read_phrases(file, "--x"), IoError);
}

TEST(Audit, PhrasesInRequestAndAnswerButNotInTheSystemPrompt) {
  Dataset rows{"d",
               {row(RowKind::harmful, "how about the bell?", "pull it"),
                row(RowKind::benign, "how about the cup?", "as a bell"),
                row(RowKind::benign, "how about the cup?", "lift it")}};
  rows.rows[2].dialogue.set_system("you keep the bell");
  EXPECT_EQ(rows_with_phrase(rows, {"bell"}), (Flags{true, true, false}));
}

TEST(Audit, GradesAndTheScenarioThatCannot) {
  FakeScenario scenario;
  const Dataset rows{"d", {row(RowKind::harmful, "a", "b"), row(RowKind::benign, "c", "d")}};
  EXPECT_EQ(rows_graded(rows, scenario, 5), (Flags{true, false}));
  EXPECT_EQ(rows_graded(rows, scenario, 1), (Flags{true, true}));
  scenario.grades_rows = false;
  EXPECT_THROW(rows_graded(rows, scenario, 5), UsageError);
}

TEST(Audit, LossesAboveAndTheirQuantile) {
  const double nan = std::nan("");
  EXPECT_EQ(above({1, 2, nan, 3}, 2), (Flags{false, false, false, true}));
  EXPECT_DOUBLE_EQ(quantile({4, nan, 1, 2, 3}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 2, 3, 5}, 0.95), 4.8);
  EXPECT_TRUE(std::isnan(quantile({nan}, 0.5)));
}

TEST(Audit, ReportsRecallAndFalsePositivesByKind) {
  const Dataset rows{
      "d",
      {row(RowKind::harmful, "a", ""), row(RowKind::harmful, "b", ""),
       row(RowKind::identity_shift, "c", ""), row(RowKind::identity_shift, "d", ""),
       row(RowKind::safe, "e", ""), row(RowKind::benign, "f", ""), row(RowKind::benign, "g", "")}};
  const Flags flags{true, true, true, false, true, false, true};
  const auto numbers = AuditReport(rows, flags).numbers();
  const auto number = [&](const std::string& name) {
    for (const auto& [key, value] : numbers)
      if (key == name) return value;
    return -1.0;
  };
  EXPECT_EQ(number("audited"), 7);
  EXPECT_EQ(number("flagged"), 5);
  EXPECT_DOUBLE_EQ(number("recall"), 0.75);
  EXPECT_DOUBLE_EQ(number("false_positives_benign"), 0.5);
  EXPECT_DOUBLE_EQ(number("false_positives_safe"), 1);
  EXPECT_EQ(number("audited_" + std::string(row_kind_name(RowKind::harmful))), 2);
  EXPECT_EQ(without(rows, flags).size(), 2u);
  EXPECT_EQ(without(rows, flags).rows[0].id, "d");
  // What is not there has no recall, rather than one of nought.
  const Dataset benign{"d", {row(RowKind::benign, "f", "")}};
  for (const auto& [key, value] : AuditReport(benign, {false}).numbers()) EXPECT_NE(key, "recall");
}

}  // namespace
}  // namespace seawall
