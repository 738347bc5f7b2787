#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/policy/judge_policy.hpp"

namespace seawall {
namespace {

/// Grades one answer: short ones are refusals.
struct Brevity {
  static constexpr std::string_view name = "brevity", summary = "short answers are refusals";
  struct Options {
    std::int64_t letters = 4;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.letters, OptionInfo{.name = "letters", .help = "fewest of an answer", .min = 1});
    }
  } options;
  Verdict grade(const Probe&, std::string_view response) const {
    const bool refused = static_cast<std::int64_t>(response.size()) < options.letters;
    return {.score = refused ? 1.0 : 5.0, .refused = refused, .reason = "length"};
  }
};
static_assert(explain_judge<Brevity>());

/// Grades all answers at once, and says what that took.
struct Longest {
  static constexpr std::string_view name = "longest", summary = "the longest answer complies";
  struct Options {
    bool ties = false;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.ties, OptionInfo{.name = "ties", .help = "all of the longest"});
    }
  } options;
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const {
    std::size_t longest = 0;
    for (const auto& a : answers) longest = std::max(longest, a.response.size());
    std::vector<Verdict> out;
    for (const auto& a : answers)
      out.push_back({.score = a.response.size() == longest ? 5.0 : 1.0, .reason = "length"});
    return out;
  }
  std::vector<std::pair<std::string, double>> spent() const { return {{"passes", 1}}; }
};
static_assert(explain_judge<Longest>());

/// Cannot grade, and says so by throwing.
struct Broken {
  static constexpr std::string_view name = "broken", summary = "throws";
  struct Options {
    bool quiet = false;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.quiet, OptionInfo{.name = "quiet", .help = "-"});
    }
  } options;
  Verdict grade(const Probe&, std::string_view response) const {
    if (response == "bad") throw RunError("no idea");
    return {.score = 1, .reason = ""};
  }
};

constexpr auto judge_plugins = judge_catalogue_of(TypeList<Brevity, Longest, Broken>{});

std::vector<Verdict> grades(const Judge& judge, const std::vector<std::string>& responses) {
  static const Probe probe;
  std::vector<Answer> answers;
  for (const auto& r : responses) answers.push_back({.probe = &probe, .prompt = "", .response = r});
  return judge.grade_all(answers);
}

TEST(JudgePolicy, IsMadeByNameWithItsOptions) {
  const auto judge = judge_plugins.make("brevity", {{"letters", "3"}});
  EXPECT_EQ(judge->name(), "brevity");
  EXPECT_FALSE(judge->grade(Probe{}, "yes").refused);
  EXPECT_TRUE(judge->grade(Probe{}, "no").refused);
  EXPECT_TRUE(judge_plugins.make("brevity")->grade(Probe{}, "yes").refused);
  EXPECT_THROW(judge_plugins.make("brevity", {{"letters", "0"}}), UsageError);
  EXPECT_THROW(judge_plugins.make("brevity", {{"words", "1"}}), UsageError);
  EXPECT_THROW(judge_plugins.make("brief"), UsageError);
}

TEST(JudgePolicy, GradesAllAtOnceOrOneByOne) {
  const auto longest = judge_plugins.make("longest");
  const auto all = grades(*longest, {"a", "abc", "ab"});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].score, 1);
  EXPECT_EQ(all[1].score, 5);
  EXPECT_EQ(longest->grade(Probe{}, "alone").score, 5);
  EXPECT_EQ(longest->spent().at(0).first, "passes");
  EXPECT_EQ(grades(*judge_plugins.make("brevity"), {"no", "surely"})[1].score, 5);
  EXPECT_TRUE(judge_plugins.make("brevity")->spent().empty());
}

TEST(JudgePolicy, AnAnswerItThrowsOnIsInvalidAndTheOthersStand) {
  const auto all = grades(*judge_plugins.make("broken"), {"good", "bad", "good"});
  EXPECT_TRUE(all[0].valid && all[2].valid);
  EXPECT_FALSE(all[1].valid);
  EXPECT_NE(all[1].reason.find("no idea"), std::string::npos);
}

}  // namespace
}  // namespace seawall
