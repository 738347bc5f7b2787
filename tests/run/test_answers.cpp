// Answers that a policy asks for are those that the run records of the same weights.
#include <gtest/gtest.h>

#include <algorithm>

#include "seawall/run/local_backend.hpp"
#include "seawall/run/set_up.hpp"
#include "tests/run/run_story.hpp"

namespace seawall {
namespace {

using testing::RunStory;
using testing::Words;

/// Asks the first probes before and after the steps, and between two of them.
struct Asks {
  static constexpr std::string_view name = "asks", summary = "Asks the model.";
  static constexpr Hook hooks = Hook::on_start | Hook::before_step | Hook::on_finish;
  static constexpr Need needs = Need::none;
  struct Options : NoOptions {
  } options;
  void on_start(Trainer& t) {
    if (probes.empty()) {
      probes = t.scenario().probes(ProbeSet::harmfulness);
      probes.resize(8);
    }
    *start = t.answers(probes);
  }
  void before_step(Trainer& t, const Step& step) {
    if (step.index == 1) *between = t.answers(probes);
  }
  void on_finish(Trainer& t) { *end = t.answers(probes); }
  std::vector<Probe> probes = {};
  Words* start = nullptr;
  Words* between = nullptr;
  Words* end = nullptr;
};

Words first_responses(const EvaluationRecord& record, std::size_t count) {
  Words out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(record.results.at(i).response);
  return out;
}

class Answers : public RunStory, public ::testing::WithParamInterface<std::int64_t> {};

TEST_P(Answers, AreThoseOfTheRecordAndChangeNothing) {
  RunSpec asked = spec("asked.h5");
  asked.training.lora.rank = GetParam();
  if (GetParam() > 0) asked.training.lr = 1e-2;  // at the usual one ten rows change no answer
  asked.evaluation.at = "both";
  RunSpec silent = asked;
  silent.place.out = (folder / "silent.h5").string();
  Stack<> none;
  const RunData without = run(attack, none, silent);

  Words start, between, end;
  Stack stack{Asks{.options = {}, .start = &start, .between = &between, .end = &end}};
  const RunData data = run(attack, stack, asked);

  EXPECT_EQ(start, first_responses(data.evaluations.front(), 8));
  const auto last = std::ranges::find_if(data.evaluations, [&](const EvaluationRecord& record) {
    return record.set == ProbeSet::harmfulness && record.step > 0;
  });
  ASSERT_NE(last, data.evaluations.end());
  EXPECT_EQ(end, first_responses(*last, 8));
  EXPECT_NE(start, end) << "the attack changes answers";
  EXPECT_EQ(between.size(), 8u);
  ASSERT_EQ(data.steps.size(), without.steps.size());
  for (std::size_t i = 0; i < data.steps.size(); ++i)
    EXPECT_EQ(data.steps[i].loss, without.steps[i].loss) << i;
}
INSTANTIATE_TEST_SUITE_P(Weights, Answers, ::testing::Values(0, 8));

TEST_F(RunStory, AProbeWithoutAnAnswerIsNamed) {
  Words start;
  Probe probe{.id = "probe/long", .category = "", .dialogue = {}, .expected = {}};
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "word ";
  probe.dialogue.messages = {{Role::user, text}};
  Stack stack{
      Asks{.options = {}, .probes = {probe}, .start = &start, .between = &start, .end = &start}};
  try {
    run(attack, stack, spec());
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("probe/long"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace seawall
