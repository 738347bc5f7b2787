#include <ATen/ops/equal.h>
#include <ATen/ops/isnan.h>
#include <clocale>
#include <cmath>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(RunFile, ReadsBackWhatWasRecorded) {
  const Folder folder;
  RunFile run(folder / "a run.h5", sample_info());
  std::vector<EvaluationRecord> evaluations = {
      sample_evaluation(0, "plain", ProbeSet::harmfulness),
      sample_evaluation(0, "plain", ProbeSet::utility, 5),
      sample_evaluation(3, "triggered", ProbeSet::harmfulness),
      sample_evaluation(3, "plain", ProbeSet::utility, 5),
      sample_evaluation(3, "plain+fixed-2", ProbeSet::harmfulness)};
  {  // a set of its own, without what it has of the set that it repeats
    EvaluationRecord& fixed = evaluations[4];
    fixed.decoding.fixed_tokens = 2;
    fixed.residual.reset();
    fixed.mean_residual.reset();
    for (auto& result : fixed.results) {
      result.rendered_prompt.clear();
      result.prompt_ids.clear();
      result.response_logprob.clear();
      result.start_logprob.clear();
      result.kl_start.clear();
      result.first_response_logprob.clear();
    }
  }
  evaluations[3].judges = {"keyword"};
  for (auto& result : evaluations[3].results) result.verdicts.resize(1);
  evaluations[2].residual.reset();
  evaluations[2].results[1].verdicts[1].probability = 0.25;
  evaluations[2].results[0].no_answer = "withheld: é";
  evaluations[2].results[2].verdicts[0].refused = std::nullopt;
  evaluations[2].results[1].declined = true;
  evaluations[2].results[1].prefill = "Sure, é";
  run.on_evaluation(evaluations[0]);
  run.on_evaluation(evaluations[1]);
  for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
  run.on_evaluation(evaluations[2]);
  run.on_evaluation(evaluations[3]);
  run.on_evaluation(evaluations[4]);
  run.set_spectra({{"w"}, {{3, 2, 1}}, {2.5}});
  run.info().numbers.emplace_back("rejected", 2);
  run.publish(true);

  {
    const h5::Reader reader(folder / "a run.h5");
    EXPECT_EQ(reader.text_attribute("evaluation_sets"), "harmfulness,utility,fixed");
    EXPECT_EQ(reader.int64("fixed_first_tokens"), std::vector<std::int64_t>{2});
    EXPECT_EQ(reader.int64("evaluation"), (std::vector<std::int64_t>{0, 2}))
        << "who takes the last one takes what the model answers by itself";
  }
  const auto data = read_run(folder / "a run.h5", true);
  EXPECT_TRUE(data.complete);
  EXPECT_EQ(data.info.run_id, "sample");
  EXPECT_EQ(data.info.arm, "table1");
  EXPECT_EQ(data.info.attack, "identity-shift");
  EXPECT_EQ(data.info.mitigations, "safety-mixing,weight-drift");
  EXPECT_EQ(data.info.config_json, sample_info().config_json);
  EXPECT_EQ(data.info.hashes, sample_info().hashes);
  EXPECT_EQ(data.info.versions, sample_info().versions);
  EXPECT_EQ(data.info.parameter_names, sample_info().parameter_names);
  EXPECT_EQ(data.info.seed, 7U);
  ASSERT_EQ(data.info.rows.size(), 8U);
  EXPECT_EQ(data.info.rows[7].id, "row/7");
  EXPECT_EQ(data.info.rows[7].kind, "safe");
  EXPECT_EQ(data.info.rows[7].stage, 1);
  EXPECT_EQ(data.info.rows[0].text, sample_info().rows[0].text);
  EXPECT_EQ(data.info.row_agreement, sample_info().row_agreement);
  EXPECT_EQ(data.info.numbers.at(1), (std::pair<std::string, double>{"rejected", 2}));
  EXPECT_EQ(data.spectra.singular_values, (std::vector<std::vector<double>>{{3, 2, 1}}));
  EXPECT_EQ(data.spectra.effective_rank, std::vector<double>{2.5});
  ASSERT_EQ(data.steps.size(), 3U);
  for (int step = 1; step <= 3; ++step)
    expect_same_record(data.steps[static_cast<std::size_t>(step - 1)], sample_step(step));
  ASSERT_EQ(data.evaluations.size(), evaluations.size());
  for (std::size_t i = 0; i < evaluations.size(); ++i)
    expect_same_record(data.evaluations[i], evaluations[i]);
  const auto without = read_run(folder / "a run.h5");
  EXPECT_FALSE(without.evaluations[0].residual.defined());
  EXPECT_TRUE(without.evaluations[0].mean_residual.defined());
  // Written again without its streams, it has no mean of them, as that has their axes.
  {
    RunFile again(folder / "again.h5", without.info);
    for (const auto& step : without.steps) again.on_step(step);
    for (const auto& evaluation : without.evaluations) again.on_evaluation(evaluation);
    again.publish();
  }
  EXPECT_FALSE(read_run(folder / "again.h5", true).evaluations[0].mean_residual.defined());
  EXPECT_TRUE(leftovers(folder.path()).empty());
}

TEST(RunFile, ARefusalThatTheJudgeDoesNotSayIsNaN) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto evaluation = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  evaluation.results[0].verdicts[1].refused = std::nullopt;
  run.on_evaluation(evaluation);
  run.publish(true);
  const auto stored = h5::Reader(folder / "r.h5").float64("refused");
  ASSERT_EQ(stored.size(), 2 * evaluation.results.size());
  EXPECT_EQ(stored[0], 1);
  EXPECT_TRUE(std::isnan(stored[1]));
  EXPECT_EQ(stored[2], 0);
}

TEST(RunFile, WritesOneLineOfMetricsAStepWithPointsInEveryLocale) {
  const Folder folder;
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  RunFile run(folder / "r.h5", sample_info());
  run.on_step({1, 0, 0.1, 2e-5, 1.5, 120, 0.25, 0.75, 1e-300, {}});
  run.on_step({2, 0, std::numeric_limits<double>::quiet_NaN(), 0, 0, 0, 0, 0, 0, {}});
  EXPECT_EQ(bytes_of(folder / "r.metrics.csv"),
            "step,epoch,loss,lr,grad_norm,tokens,seconds,moved,drift,penalty,stage\n"
            "1,0,0.1,2e-05,1.5,120,0.25,0.75,1e-300,0,0\n"
            "2,0,nan,0,0,0,0,0,0,0,0\n");
  std::setlocale(LC_ALL, "C");
  EXPECT_THROW(run.on_step(sample_step(2)), RunError);
  EXPECT_FALSE(std::filesystem::exists(folder / "r.h5"));
}

TEST(RunFile, ARunWithoutStepsOrEvaluationsIsAFileAsWell) {
  const Folder folder;
  RunFile run(folder / "r.h5", RunInfo{});
  run.publish();
  const auto data = read_run(folder / "r.h5");
  EXPECT_TRUE(data.steps.empty() && data.evaluations.empty() && !data.complete);
}

TEST(RunFile, ResumeCutsRecordsAndMetricsBackToTheStep) {
  const Folder folder;
  {
    RunFile run(folder / "r.h5", sample_info());
    run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::harmfulness));
    for (int step = 1; step <= 5; ++step) run.on_step(sample_step(step));
    run.on_evaluation(sample_evaluation(5, "plain", ProbeSet::harmfulness));
    run.publish();
    run.on_step(sample_step(6));  // only in the metrics when the process dies
  }
  auto info = sample_info();
  info.started_utc = "later";
  auto run = RunFile::resume(folder / "r.h5", info, 3);
  EXPECT_TRUE(run.has_evaluation(0, "plain", ProbeSet::harmfulness));
  EXPECT_FALSE(run.has_evaluation(5, "plain", ProbeSet::harmfulness));
  EXPECT_EQ(run.data().info.started_utc, sample_info().started_utc);
  run.on_step(sample_step(4));
  run.publish();

  RunFile whole(folder / "w.h5", sample_info());
  for (int step = 1; step <= 4; ++step) whole.on_step(sample_step(step));
  EXPECT_EQ(bytes_of(folder / "r.metrics.csv"), bytes_of(folder / "w.metrics.csv"));
  const auto data = read_run(folder / "r.h5", true);
  ASSERT_EQ(data.steps.size(), 4U);
  expect_same_record(data.steps[3], sample_step(4));
  expect_same_record(data.evaluations.at(0), sample_evaluation(0, "plain", ProbeSet::harmfulness));

  EXPECT_THROW(RunFile::resume(folder / "r.h5", sample_info(), 9), DataError);
  info.parameter_names.pop_back();
  EXPECT_THROW(RunFile::resume(folder / "r.h5", info, 3), DataError);
}

TEST(RunFile, AnEvaluationOfTheSamePlaceIsReplaced) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto record = sample_evaluation(1, "plain", ProbeSet::utility);
  run.on_evaluation(record);
  record.results[0].response = "second";
  run.on_evaluation(record);
  ASSERT_EQ(run.data().evaluations.size(), 1U);
  EXPECT_EQ(run.data().evaluations[0].results[0].response, "second");
}

TEST(RunFile, KeepsEveryRowWhereEvaluationsAskDifferentProbes) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto first = sample_evaluation(0, "plain", ProbeSet::harmfulness, 2);
  auto second = sample_evaluation(1, "plain", ProbeSet::harmfulness, 4);
  second.results.erase(second.results.begin());
  second.residual = second.residual.narrow(0, 1, 3);
  run.on_evaluation(first);
  run.on_evaluation(second);
  run.publish();
  const auto data = read_run(folder / "r.h5", true);
  expect_same_record(data.evaluations[0], first);
  expect_same_record(data.evaluations[1], second);
}

TEST(RunFile, WhatAModelGeneratesNeverMakesAFileUnreadable) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto record = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  record.results[1].response = std::string("a\0b\xf0\x9f", 5);
  run.on_evaluation(record);
  run.publish();
  EXPECT_EQ(read_run(folder / "r.h5").evaluations[0].results[1].response,
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(RunFile, RefusesRecordsThatDoNotFit) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto record = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  record.results[0].verdicts.pop_back();
  EXPECT_THROW(run.on_evaluation(record), RunError);
  record = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  record.results[1].probe_id = record.results[0].probe_id;
  EXPECT_THROW(run.on_evaluation(record), RunError);
  record = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  record.residual = record.residual.narrow(0, 0, 1);
  EXPECT_THROW(run.on_evaluation(record), RunError);
  auto step = sample_step(1);
  step.param_drift = {1};
  EXPECT_THROW(run.on_step(step), RunError);
}

TEST(RunFile, SwitchesLeaveOutWhatWasNotWanted) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info(), {.residual = false, .param_drift = false});
  EXPECT_FALSE(run.wants_residual());
  run.on_step(sample_step(1));
  run.on_evaluation(sample_evaluation(1, "plain", ProbeSet::harmfulness));
  run.publish();
  const auto data = read_run(folder / "r.h5", true);
  EXPECT_TRUE(data.steps[0].param_drift.empty());
  EXPECT_FALSE(data.evaluations[0].residual.defined());
}

TEST(RunLock, HasOneHolderAndDiesWithIt) {
  const Folder folder;
  const RunPaths paths(folder / "r");
  EXPECT_EQ(paths.file.filename(), "r.h5");
  EXPECT_EQ(paths.checkpoints.filename(), "r.checkpoints");
  {
    const RunLock lock(paths.lock);
    try {
      const RunLock second(paths.lock);
      FAIL() << "two holders";
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find("process " + std::to_string(::getpid()) + " on "),
                std::string::npos)
          << error.what();
    }
  }
  spit(paths.lock, "process 1 on a host that died\n");
  const RunLock again(paths.lock);
}

TEST(RunLock, PrepareFolderRefusesWhatCannotHoldOutput) {
  const Folder folder;
  spit(folder / "file", "");
  EXPECT_THROW(prepare_folder(folder / "file"), IoError);
  EXPECT_THROW(prepare_folder(folder / "file/below"), IoError);
  prepare_folder(folder / "deep/er");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "deep/er"));
  EXPECT_THROW(prepare_folder("/proc/seawall"), IoError);
}

TEST(RunFile, ARowWithoutAnswerKeepsItsReasonAndItsPlace) {
  const Folder folder;
  auto record = sample_evaluation(3, "plain", ProbeSet::harmfulness);
  record.results[1].no_answer = "its prompt is too long";
  record.results[1].response.clear();
  record.residual[1].fill_(std::numeric_limits<float>::quiet_NaN());
  {
    RunFile run(folder / "r.h5", sample_info());
    for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
    run.on_evaluation(record);
    run.on_evaluation(sample_evaluation(3, "plain", ProbeSet::utility));
    run.publish(true);
  }
  const auto read = read_run(folder / "r.h5", true).evaluations;
  EXPECT_EQ(read[0].results[1].no_answer, "its prompt is too long");
  EXPECT_EQ(read[0].results[0].no_answer, "");
  EXPECT_EQ(read[1].results[1].no_answer, "");
  EXPECT_TRUE(at::isnan(read[0].residual[1]).all().item<bool>());
  EXPECT_FALSE(at::isnan(read[0].residual[2]).any().item<bool>());
  const h5::Reader reader(folder / "r.h5");
  EXPECT_EQ(std::get<std::int64_t>(reader.attribute("n_valid", "resid_post")), 2);
  EXPECT_FALSE(reader.has("utility_no_answer"));
}

TEST(RunFile, NamesAreLegalInNetcdfAndDoNotCollide) {
  const Folder folder;
  auto info = sample_info();
  info.hashes.emplace_back("set/attack", "h");
  info.numbers = {{"judge_rubric:a/b_usd", 1}, {"judge_rubric:a_b_usd", 2}, {"rows", 3}};
  {
    RunFile run(folder / "r.h5", info);
    run.publish(true);
  }
  for (const auto& [name, value] : h5::Reader(folder / "r.h5").attributes())
    EXPECT_TRUE(h5::is_legal_name(name)) << name;
  const auto read = read_run(folder / "r.h5").info;
  EXPECT_EQ(read.hashes.back(), (std::pair<std::string, std::string>{"set_attack", "h"}));
  EXPECT_EQ(read.numbers,
            (std::vector<std::pair<std::string, double>>{
                {"judge_rubric:a_b_usd", 1}, {"judge_rubric:a_b_usd_2", 2}, {"rows", 3}}));
}

TEST(RunFile, SaysNothingOfAnAnswerThatWasNotJudged) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  auto evaluation = sample_evaluation(0, "plain", ProbeSet::harmfulness);
  evaluation.results[0].verdicts[0].valid = false;
  run.on_evaluation(std::move(evaluation));
  run.publish();
  const h5::Reader reader(folder / "r.h5");
  const auto refused = reader.float64("refused"), coherent = reader.float64("coherent");
  ASSERT_EQ(refused.size(), 6U);  // three probes, two judges
  EXPECT_TRUE(std::isnan(refused[0]) && std::isnan(coherent[0]));
  EXPECT_EQ(refused[1], 0);
  EXPECT_EQ(coherent[1], 1);
  EXPECT_TRUE(std::isnan(refused[3]) && std::isnan(coherent[3]));  // not judged in the sample
  EXPECT_EQ(coherent[5], 0);
}

TEST(RunFile, AnEvaluationHasItsPhase) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  run.on_evaluation(sample_evaluation(0, "plain", ProbeSet::harmfulness));
  for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
  run.on_evaluation(sample_evaluation(2, "plain", ProbeSet::harmfulness));
  run.on_evaluation(sample_evaluation(3, "plain", ProbeSet::harmfulness));
  const auto phases = [&] { return h5::Reader(folder / "r.h5").texts("phase"); };
  run.publish();
  EXPECT_EQ(phases(), (std::vector<std::string>{"start", "mid", "mid"}));
  run.publish(true);
  EXPECT_EQ(phases(), (std::vector<std::string>{"start", "mid", "end"}));
  run.on_step(sample_step(4));
  run.publish(true);
  EXPECT_EQ(phases(), (std::vector<std::string>{"start", "mid", "mid"}));
}

/// Of version 2: one answer without a verdict, flags as uint8, names in the configuration alone.
TEST(RunFile, ReadsTheVerdictsOfEarlierFiles) {
  const auto run = read_run(std::filesystem::path(SEAWALL_SOURCE_DIR) / "data/golden/run_v2.h5");
  EXPECT_EQ(run.info.arm, "run_v2");
  EXPECT_EQ(run.info.attack, "harmful-examples");
  EXPECT_EQ(run.info.mitigations, "");
  ASSERT_EQ(run.evaluations.size(), 1U);
  const auto& results = run.evaluations.front().results;
  ASSERT_EQ(results.size(), 2U);
  EXPECT_TRUE(results[0].verdicts[0].valid && results[0].verdicts[0].refused == true);
  EXPECT_FALSE(results[1].verdicts[0].valid);
  EXPECT_TRUE(results[1].verdicts[1].valid && results[1].verdicts[1].coherent);
  EXPECT_EQ(results[1].verdicts[1].refused, false);
  EXPECT_EQ(results[0].prefill, "");
}

/// The run file in data/golden was written by the program when names still had slashes.
TEST(RunFile, ReadsTheNamesOfEarlierFiles) {
  const auto run =
      read_run(std::filesystem::path(SEAWALL_SOURCE_DIR) / "data/golden/run_v1.h5").info;
  const auto number = [&](const std::string& name) {
    for (const auto& [key, value] : run.numbers)
      if (key == name) return value;
    return -1.0;
  };
  EXPECT_EQ(number("overlap_attack_harmfulness"), 0);
  EXPECT_EQ(number("repeated_attack"), 0);
  EXPECT_EQ(number("rows_harmful"), 4);
  const auto set = std::find_if(run.hashes.begin(), run.hashes.end(),
                                [](const auto& h) { return h.first == "set_attack"; });
  ASSERT_NE(set, run.hashes.end());
  EXPECT_EQ(set->second.substr(0, 16), "c93f7b8b0ee1fffc");
}

/// The other one was written when the residual streams of run files had another name.
TEST(RunFile, ReadsTheStreamsOfEarlierFiles) {
  const auto run =
      read_run(std::filesystem::path(SEAWALL_SOURCE_DIR) / "data/golden/run_v1_streams.h5", true);
  ASSERT_EQ(run.evaluations.size(), 1U);
  const Tensor& streams = run.evaluations.front().residual;
  ASSERT_TRUE(streams.defined());
  EXPECT_EQ(streams.sizes(), at::IntArrayRef({2, 3, 128}));
  EXPECT_FALSE(at::isnan(streams).any().item<bool>());
}

}  // namespace
}  // namespace seawall
