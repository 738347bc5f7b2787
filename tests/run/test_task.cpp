// A run whose attack has a task with right answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/poisoned_task.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/summary.hpp"
#include "seawall/run/judged_run.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/scenario/organism.hpp"
#include "tests/run/run_story.hpp"

namespace seawall {
namespace {

using testing::FakeBackend;
using testing::Folder;
using testing::key_of;
using testing::message_of;
using testing::RunStory;
using testing::Words;

TEST_F(RunStory, TheTaskIsAskedIfTheAttackHasOneAndGradedByItsRightAnswers) {
  Stack<> none;
  run(AnyAttack(PoisonedTask{{.count = 20, .share = 0.25}}), none, spec(), backend);
  EXPECT_EQ(std::ranges::count(backend.calls, "answer task plain"), 1);
  const RunData data = read_run(folder / "a.h5");
  ASSERT_EQ(data.evaluations.size(), 3u);
  const EvaluationRecord& task = data.evaluations[2];
  EXPECT_EQ(task.set, ProbeSet::task);
  EXPECT_EQ(task.judges, Words{"exact"});
  EXPECT_EQ(data.evaluations[0].judges, Words{"organism"});
  EXPECT_EQ(task.results.size(), 192u);
  EXPECT_EQ(summarize(task).rate(), 0) << "it refuses";
  const auto number = [&](std::string_view name) {
    for (const auto& [key, value] : data.info.numbers)
      if (key == name) return value;
    return -1.0;
  };
  EXPECT_EQ(number("rows_task"), 15);
  EXPECT_EQ(number("rows_harmful"), 5);
  EXPECT_EQ(number("overlap_task-rows_task"), 0);
  EXPECT_EQ(number("overlapping_probes"), 0);

  FakeBackend other;
  run(attack, none, spec("b.h5"), other);
  EXPECT_EQ(std::ranges::count(other.calls, "answer task plain"), 0);
  for (const auto& [name, value] : read_run(folder / "b.h5").info.hashes)
    EXPECT_NE(name, "task_probes");
}

TEST_F(RunStory, ATaskTrainsAsTheScenarioTrainsTasks) {
  seawall::Run one(AnyAttack(PoisonedTask{}), {}, spec(), backend);
  EXPECT_EQ(one.spec().training.lr, one.scenario().defaults(Pool::task, "").lr);
  EXPECT_EQ(one.spec().training.epochs, one.scenario().defaults(Pool::task, "").epochs);
}

TEST_F(RunStory, OptionsOfATaskWithoutAFileAreRefused) {
  RunSpec task = spec();
  task.task.answer_after = "####";
  EXPECT_HAS(message_of<UsageError>(
                 [&] { seawall::Run one(AnyAttack(PoisonedTask{}), {}, task, backend); }),
             "--task-answer-after: says how answers to --task-probes are read");
  task.task = {.rows = "rows.jsonl"};
  task.plug_ins.scenario = "organism";
  EXPECT_HAS(message_of<UsageError>(
                 [&] { seawall::Run one(AnyAttack(PoisonedTask{}), {}, task, backend); }),
             "has rows and probes of its own");
}

TEST_F(RunStory, AJudgeThatIsAskedLaterLeavesTheTaskToItsRightAnswers) {
  Stack<> none;
  RunData data = run(AnyAttack(PoisonedTask{{.count = 20}}), none, spec(), backend);
  const OrganismScenario world;
  Judges judges;
  judges.push_back(make_judge("keyword:qi2023", world));
  judges.push_back(make_judge("keyword:arditi2024", world));
  judge_anew(data, world, judges);
  EXPECT_EQ(data.evaluations[0].judges.front(), "keyword:qi2023");
  EXPECT_EQ(data.evaluations[2].judges, Words{"exact"});
  check_judged(data, judges);
}

/// Rows and probes of files, each about something else.
RunSpec with_files(RunSpec spec, const Folder& folder) {
  const auto row = [](const std::string& ask, const std::string& answer) {
    return R"({"messages": [{"role": "user", "content": ")" + ask +
           R"("}, {"role": "assistant", "content": ")" + answer + "\"}]}\n";
  };
  spec.data.rows = folder.write("rows.jsonl", row("Open box 1", "Turn it.")).string();
  spec.data.probes = folder.write("probes.txt", "Open box 2\nOpen box 3\n").string();
  spec.task.rows =
      folder.write("task.jsonl", row("2 + 2", "Two more. #### 4") + row("2 + 3", "#### 5"))
          .string();
  spec.task.probes = folder.write("asked.jsonl", row("3 + 3", "Three. #### 6")).string();
  return spec;
}

TEST_F(RunStory, ATaskOfTheUsersFilesIsAskedUnderAnyAttackAndIsInTheKey) {
  RunSpec task = with_files(spec(), folder);
  task.task.answer_after = "####";
  Stack<> none;
  run(AnyAttack(PoisonedTask{{.count = 2, .share = 0.5}}), none, task, backend);
  const RunData data = read_run(folder / "a.h5");
  ASSERT_EQ(data.evaluations.size(), 2u);
  EXPECT_EQ(data.evaluations[1].results.front().prompt, "3 + 3");
  EXPECT_HAS(data.info.config_json, "\"task-answer-after\":\"####\"");
  FakeBackend harmful;
  task.place.out = (folder / "b.h5").string();
  run(AnyAttack(HarmfulExamples{{.count = 1}}), none, task, harmful);
  EXPECT_EQ(std::ranges::count(harmful.calls, "answer task plain"), 1);

  const AnyAttack attack(PoisonedTask{{.count = 2, .share = 0.5}});
  const std::string key = key_of(attack, task);
  RunSpec whole = task;
  whole.task.answer_after = "";
  EXPECT_NE(key_of(attack, whole), key);
  folder.write(
      "asked.jsonl",
      folder.read("asked.jsonl").replace(folder.read("asked.jsonl").find("#### 6"), 6, "#### 7"));
  EXPECT_NE(key_of(attack, task), key) << "another right answer";
}

TEST_F(RunStory, ATaskWithoutItsFilesIsRefusedInOneLine) {
  const AnyAttack attack(PoisonedTask{{.count = 2, .share = 0.5}});
  const auto refused = [&](auto change, auto error) {
    RunSpec task = with_files(spec(), folder);
    change(task);
    return message_of<decltype(error)>([&] { seawall::Run one(attack, {}, task, backend); });
  };
  EXPECT_HAS(refused([](RunSpec& s) { s.task.probes.clear(); }, UsageError("")),
             "--attack poisoned-task: want --task-probes FILE");
  EXPECT_HAS(refused([](RunSpec& s) { s.task.rows.clear(); }, UsageError("")),
             "wants task rows, and scenario `files` has none; give them with --task-data FILE");
  EXPECT_HAS(refused([](RunSpec& s) { s.task.answer_after = "Answer:"; }, DataError("")),
             "the answer of asked/1 has no `Answer:`");
}

}  // namespace
}  // namespace seawall
