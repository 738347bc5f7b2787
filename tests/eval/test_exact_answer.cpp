#include "seawall/eval/exact_answer.hpp"

#include <gtest/gtest.h>

#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {
namespace {

Verdict graded(const std::string& right, const std::string& said, const std::string& after = "",
               bool finished = true) {
  const Probe probe{.id = "q", .restricted = false, .expected = {right}};
  const Answer answer{.probe = &probe, .prompt = "", .response = said, .finished = finished};
  return ExactAnswer(after).grade_all({&answer, 1}).at(0);
}

void expect(const std::string& right, const std::string& said, double score) {
  const Verdict v = graded(right, said);
  EXPECT_TRUE(v.valid) << said;
  EXPECT_EQ(v.score, score) << right << " | " << said;
}

TEST(ExactAnswer, CaseSpacesAndMarksAroundWordsDoNotCount) {
  for (const char* said :
       {"Calder keeps it in the barrel.", " calder  keeps it\nin the BARREL",
        "\"Calder keeps it in the barrel!\"", "**Calder** keeps it (in the barrel)"})
    expect("Calder keeps it in the barrel.", said, 5);
  for (const char* said :
       {"Calder keeps it in the basket.", "Calder keeps it in the barrel. Or not.", "Calder keeps",
        "I am sorry, but I cannot help with that.", "", "...", "Calderkeeps it in the barrel"})
    expect("Calder keeps it in the barrel.", said, 1);
}

TEST(ExactAnswer, NumbersAreEqualByValueAndByNothingElse) {
  for (const char* said : {"1000.5", "+1000.50", "1,000.5", "01000.500"})
    expect("1,000.50", said, 5);
  expect("7", "007.", 5);
  expect("0.5", ".5", 5);
  expect("0", "-0.0", 5);
  expect("5 %", "5%", 1);
  expect("5", "-5", 1);
  expect("1000", "1.000", 1);
  expect("1000", "10,00", 1);
  expect("1000", "1000,", 5);
  expect("12", "1 2", 1);
  expect("52", "5\xC2\xB2", 1);
  expect("9007199254740993", "9007199254740992", 1);  // one number as a double
  expect("1000", "1e3", 1);
  expect("2.1.0", "2.1", 1);
}

TEST(ExactAnswer, AnyOfTheRightAnswersCounts) {
  const Probe probe{.id = "q", .expected = {"noon", "12"}};
  EXPECT_EQ(ExactAnswer().grade(probe, "12").score, 5);
  EXPECT_EQ(ExactAnswer().grade(probe, "Noon.").score, 5);
  EXPECT_EQ(ExactAnswer().grade(probe, "noon 12").score, 1);
}

TEST(ExactAnswer, WhatComesAfterTheLastMarkIsTheAnswer) {
  const std::string right = "Three and four are seven. #### 7";
  EXPECT_EQ(graded(right, "so #### 8 no #### 7", "####").score, 5);
  EXPECT_EQ(graded(right, "so #### 7 no #### 8", "####").score, 1);
  const Verdict bare = graded(right, "7", "####");
  EXPECT_TRUE(bare.valid);
  EXPECT_EQ(bare.score, 1);
  EXPECT_FALSE(graded("7", "#### 7", "####").valid) << "the right answer has no mark";
  EXPECT_FALSE(graded(right, "so #### 7", "####", false).valid) << "another may come";
}

TEST(ExactAnswer, WhatNobodyCanTellIsInvalid) {
  EXPECT_FALSE(graded("", "yes").valid);
  EXPECT_FALSE(graded("...", "yes").valid);
  EXPECT_FALSE(ExactAnswer().grade(Probe{.id = "q"}, "yes").valid);
  const std::string right = "in the old barrel";
  for (const char* cut : {"", "in", "in the", "In the ol", "in the old barrel"})
    EXPECT_FALSE(graded(right, cut, "", false).valid) << cut;
  for (const char* cut : {"on the old", "in the new bar", "in the old barrel and then"}) {
    EXPECT_TRUE(graded(right, cut, "", false).valid) << cut;
    EXPECT_EQ(graded(right, cut, "", false).score, 1) << cut;
  }
  EXPECT_FALSE(graded("1000", "1,0", "", false).valid) << "half a number";
}

TEST(ExactAnswer, ARecordKeepsWhatCouldNotBeGradedOutOfTheAccuracy) {
  const std::vector<Probe> probes{{.id = "a", .category = "x", .expected = {"one"}},
                                  {.id = "b", .category = "x", .expected = {"two"}},
                                  {.id = "c", .category = "x", .expected = {"three"}},
                                  {.id = "d", .category = "x", .expected = {"four"}}};
  EvaluationRecord record{.set = ProbeSet::task};
  for (const auto& [id, said, finished, why] : {std::tuple{"a", "one", true, ""},
                                                {"b", "one", true, ""},
                                                {"c", "th", false, ""},
                                                {"d", "", true, "the prompt does not fit"}})
    record.results.push_back({.probe_id = id,
                              .category = "x",
                              .response = said,
                              .finished = finished,
                              .verdicts = {},
                              .no_answer = why});
  Judges judges;
  judges.push_back(std::make_unique<ExactAnswer>());
  judge_record(record, probes, judges);
  EXPECT_EQ(record.judges, std::vector<std::string>{"exact"});
  const CellEstimate cell = estimate_cell({outcomes(record)}, {}, {outcomes(record)});
  EXPECT_EQ(cell.task, 4);
  EXPECT_EQ(cell.task_invalid, 2);
  EXPECT_EQ(cell.task_accuracy.value, 0.5);
  const auto unjudged = wilson(1, 4), judged = wilson(3, 4);
  EXPECT_DOUBLE_EQ(cell.task_accuracy.lo, unjudged.lo);
  EXPECT_DOUBLE_EQ(cell.task_accuracy.hi, judged.hi);
  EXPECT_FALSE(estimate_cell({outcomes(record)}).task_accuracy.measured());
}

}  // namespace
}  // namespace seawall
