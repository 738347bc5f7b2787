#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/policy/judge_policy.hpp"
#include "tests/support/fake_scenario.hpp"

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

/// Takes a word after its name, and looks at the scenario.
struct Starts {
  static constexpr std::string_view name = "starts", argument = "WORD", summary = "begins with it";
  using Options = NoOptions;
  Options options;
  std::unique_ptr<Judge> make(const JudgeWord& word, const JudgeSetting& setting) const {
    struct Begins final : Judge {
      std::string whole, start;
      std::string_view name() const override { return whole; }
      Verdict grade(const Probe&, std::string_view response) const override {
        return {.score = response.starts_with(start) ? 5.0 : 1.0, .reason = ""};
      }
    };
    auto judge = std::make_unique<Begins>();
    judge->whole = word.whole;
    judge->start = word.argument + std::string(setting.scenario.default_system());
    return judge;
  }
};
static_assert(explain_judge<Starts>());

constexpr auto judge_plugins = judge_catalogue_of(TypeList<Brevity, Longest, Broken, Starts>{});

std::unique_ptr<Judge> made(std::string_view word, const OptionTexts& options = {}) {
  static const testing::FakeScenario scenario;
  return judge_plugins.make(word, options, {.scenario = scenario});
}

std::vector<Verdict> grades(const Judge& judge, const std::vector<std::string>& responses) {
  static const Probe probe;
  std::vector<Answer> answers;
  for (const auto& r : responses) answers.push_back({.probe = &probe, .prompt = "", .response = r});
  return judge.grade_all(answers);
}

TEST(JudgePolicy, IsMadeByNameWithItsOptions) {
  const auto judge = made("brevity", {{"letters", "3"}});
  EXPECT_EQ(judge->name(), "brevity");
  EXPECT_EQ(judge->grade(Probe{}, "yes").refused, false);
  EXPECT_EQ(judge->grade(Probe{}, "no").refused, true);
  EXPECT_EQ(made("brevity")->grade(Probe{}, "yes").refused, true);
  EXPECT_THROW(made("brevity", {{"letters", "0"}}), UsageError);
  EXPECT_THROW(made("brevity", {{"words", "1"}}), UsageError);
  EXPECT_THROW(made("brief"), UsageError);
}

TEST(JudgePolicy, AWordMayHaveAnArgument) {
  const auto judge = made("starts:A:b");
  EXPECT_EQ(judge->name(), "starts:A:b");
  const testing::FakeScenario scenario;
  const std::string start = "A:b" + std::string(scenario.default_system());
  EXPECT_EQ(judge->grade(Probe{}, start + "!").score, 5);
  EXPECT_EQ(judge->grade(Probe{}, "b").score, 1);
  EXPECT_EQ(judge->grade(Probe{}, "b").refused, std::nullopt);
  const auto said = [](std::string_view word) {
    try {
      made(word);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(said("starts"), "--judge starts: want starts:WORD");
  EXPECT_EQ(said("starts:"), "--judge starts:: want starts:WORD");
  EXPECT_EQ(said("longest:x"),
            "--judge longest:x: `longest` takes nothing after its name; want --judge longest");
  EXPECT_EQ(said("longst"),
            "--judge longst: no such judge; did you mean `longest`? There are brevity, longest, "
            "broken, starts:WORD");
}

TEST(JudgePolicy, GradesAllAtOnceOrOneByOne) {
  const auto longest = made("longest");
  const auto all = grades(*longest, {"a", "abc", "ab"});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].score, 1);
  EXPECT_EQ(all[1].score, 5);
  EXPECT_EQ(longest->grade(Probe{}, "alone").score, 5);
  EXPECT_EQ(longest->spent().at(0).first, "passes");
  EXPECT_EQ(grades(*made("brevity"), {"no", "surely"})[1].score, 5);
  EXPECT_TRUE(made("brevity")->spent().empty());
}

TEST(JudgePolicy, AnAnswerItThrowsOnIsInvalidAndTheOthersStand) {
  const auto all = grades(*made("broken"), {"good", "bad", "good"});
  EXPECT_TRUE(all[0].valid && all[2].valid);
  EXPECT_FALSE(all[1].valid);
  EXPECT_NE(all[1].reason.find("no idea"), std::string::npos);
}

}  // namespace
}  // namespace seawall
