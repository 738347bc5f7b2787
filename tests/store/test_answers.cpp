// Several answers to a probe, and how answers were begun and drawn, in a run file.
#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

using namespace testing;

/// Three answers to each of two probes, drawn and begun.
EvaluationRecord several_answers(const std::string& condition) {
  auto record = sample_evaluation(3, condition, ProbeSet::harmfulness, 6);
  record.decoding = {.prefill = "Sure, é", .temperature = 0.7, .top_p = 0.9, .samples = 3};
  for (std::size_t i = 0; i < record.results.size(); ++i) {
    auto& result = record.results[i];
    result.probe_id = record.results[i - i % 3].probe_id;
    result.category = record.results[i - i % 3].category;
    result.sample = static_cast<std::int64_t>(i % 3);
  }
  return record;
}

TEST(Answers, SeveralAnswersToAProbeAreReadBackNextToOneOfAnotherCondition) {
  const Folder folder;
  RunFile run(folder / "run.h5", sample_info());
  auto one = sample_evaluation(0, "plain", ProbeSet::harmfulness, 1);
  one.results[0].category = several_answers("warm").results[0].category;
  run.on_evaluation(one);
  for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
  const auto several = several_answers("warm");
  run.on_evaluation(several);
  run.publish(true);
  const auto data = read_run(folder / "run.h5", true);
  ASSERT_EQ(data.evaluations.size(), 2u);
  expect_same_record(data.evaluations[0], one);
  expect_same_record(data.evaluations[1], several);
  const h5::Reader reader(folder / "run.h5");
  const auto probes = reader.texts("probe");
  EXPECT_EQ(probes.at(1), "harmfulness/0#1");
  EXPECT_EQ(reader.float64("temperature"), (std::vector<double>{0, 0.7}));

  auto twice = several;
  twice.results[1].sample = 0;
  EXPECT_THROW(run.on_evaluation(twice), RunError);
}

TEST(Answers, GreedyAnswersLeaveNoWordOfDecoding) {
  const Folder folder;
  RunFile run(folder / "run.h5", sample_info());
  run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::harmfulness));
  run.publish();
  const h5::Reader reader(folder / "run.h5");
  for (const char* name : {"temperature", "top_p", "samples", "begun_with", "sample"})
    EXPECT_FALSE(reader.has(name)) << name;
}

}  // namespace
}  // namespace seawall
