// Conditions of both sides, joined.
#include "seawall/policy/condition.hpp"

#include <gtest/gtest.h>

#include "tests/support/files.hpp"

namespace seawall::condition_test {
namespace {

using seawall::testing::message_of;
using Conditions = std::vector<Condition>;

std::vector<std::string> names(const Conditions& conditions) {
  std::vector<std::string> out;
  for (const auto& condition : conditions) out.push_back(condition.name);
  return out;
}
using Names = std::vector<std::string>;

TEST(Condition, IsItsNameAndEveryPartOfIt) {
  const Condition joined{"triggered+with-key"};
  EXPECT_TRUE(joined.is("triggered"));
  EXPECT_TRUE(joined.is("with-key"));
  EXPECT_TRUE(joined.is("triggered+with-key"));
  for (const char* other : {"", "trigger", "with", "key", "plain", "with-key+triggered"})
    EXPECT_FALSE(joined.is(other)) << other;
  EXPECT_TRUE(Condition{"plain"}.is("plain"));
}

TEST(Condition, BothSidesAreMultipliedAndOneSideKeepsItsNames) {
  const Conditions plain{{"plain"}}, trigger{{"plain"}, {"triggered"}},
      key{{"with-key"}, {"without-key"}};
  EXPECT_EQ(conditions_of_run(plain, {}), plain);
  EXPECT_EQ(conditions_of_run(trigger, {}), trigger);
  EXPECT_EQ(conditions_of_run(plain, key), key);
  EXPECT_EQ(names(conditions_of_run(trigger, key)),
            (Names{"plain+with-key", "plain+without-key", "triggered+with-key",
                   "triggered+without-key"}));
}

TEST(Condition, TheDefendersWordsBeginTheAnswerThenTheAttackersThenTheUsers) {
  const Conditions attack{{"plain"}, {.name = "prefilled", .decoding = {.prefill = "Sure."}}};
  const Conditions guard{{.name = "guarded", .decoding = {.prefill = "Careful. "}}};
  const auto all = conditions_of_run(attack, guard, {.prefill = " So"});
  ASSERT_EQ(names(all), (Names{"plain+guarded", "prefilled+guarded"}));
  EXPECT_EQ(all[0].decoding.prefill, "Careful.  So");
  EXPECT_EQ(all[1].decoding.prefill, "Careful. Sure. So");
}

TEST(Condition, DecodingIsSaidOnce) {
  const Conditions warm{{.name = "warm", .decoding = {.temperature = 0.7, .samples = 5}}};
  EXPECT_EQ(conditions_of_run(warm, {})[0].decoding.samples, 5);
  EXPECT_EQ(conditions_of_run(warm, {}, {.temperature = 0.7, .top_p = 0.9})[0].decoding.top_p, 0.9);
  EXPECT_EQ(conditions_of_run({{"plain"}}, {}, {.temperature = 1, .samples = 3})[0].decoding,
            (Decoding{.temperature = 1, .samples = 3}));
  EXPECT_HAS(message_of<UsageError>([&] { conditions_of_run(warm, {}, {.temperature = 1}); }),
             "condition warm, temperature: want one value, got 1 and 0.7");
}

TEST(Condition, WhatCannotBeIsRefused) {
  const auto message = [](const Conditions& attack, const Decoding& everywhere = {}) {
    return message_of<UsageError>([&] { conditions_of_run(attack, {}, everywhere); });
  };
  EXPECT_HAS(message({{"a"}, {"a"}}), "condition a: want a name of its own");
  EXPECT_HAS(message({{""}, {"a"}}), "want a name of its own");
  EXPECT_HAS(message({{"a"}}, {.samples = 2}), "at temperature 0 none is; give a temperature");
  EXPECT_HAS(message({{"a"}}, {.top_p = 0.5}), "at temperature 0 none is; give a temperature");
  EXPECT_HAS(message({{"a"}}, {.temperature = 1, .top_p = 0}), "top-p: want more than 0");
  EXPECT_HAS(message({{"a"}}, {.temperature = -1}), "temperature: want 0 to 100, got -1");
  EXPECT_HAS(message({{"a"}}, {.temperature = 1, .samples = 0}), "samples: want 1 or more, got 0");
}

}  // namespace
}  // namespace seawall::condition_test
