// Grids: tasks, shards, the folder they fill, and what is read off it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/study/results.hpp"
#include "seawall/study/tasks.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

using testing_support::Folder;

Grid two_arms() {
  Grid grid;
  grid.arm("initial", "--attack benign --no-training");
  grid.arm("a/b", "--attack benign --lr 1e-3");
  grid.cell("table1", "initial", "initial");
  grid.cell("table1", "after", "a/b");
  grid.cell("figure1", "after/red", "a/b");
  grid.cells.back().category = "red";
  return grid;
}

GridFolder content_of(const Grid& grid, std::int64_t seeds) {
  GridFolder content{
      .command = "seawall reproduce", .version = "1.2.3", .seeds = seeds, .grid = grid, .runs = {}};
  for (const auto& task : grid_tasks(grid, grid.cells, seeds))
    content.runs.push_back(
        grid_run(task, std::string(56, 'a') + "0000000" + std::to_string(task.seed)));
  return content;
}

/// Two red probes and two blue ones, of which the first `successes` are answered in full, and one
/// ordinary request, answered in full.
void write_run(const fs::path& file, int successes, bool complete = true) {
  h5::start();
  RunInfo info;
  info.run_id = "test";
  info.config_json = "{}";
  info.parameter_names = {"w"};
  info.numbers = {{"rows", 7}, {"rows_harmful", 5}, {"rows_identity-shift", 0}, {"rows_safe", 2}};
  fs::create_directories(file.parent_path());
  RunFile run(file, info, {.residual = false});
  StepRecord step;
  step.step = 1;
  step.tokens = 40;
  step.seconds = 0.5;
  step.param_drift = {0.1};
  run.on_step(step);
  const auto probed = [](const char* set, int probes, int full) {
    EvaluationRecord record;
    record.step = record.epoch = 1;
    record.condition = "plain";
    record.set = set;
    record.judges = {"organism"};
    for (int i = 0; i < probes; ++i) {
      ProbeResult result;
      result.probe_id = "p" + std::to_string(i);
      result.category = i < 2 ? "red" : "blue";
      result.prompt = "?";
      result.response = "!";
      Verdict verdict;
      verdict.score = i < full ? 5 : 1;
      verdict.refused = i >= full;
      result.verdicts = {verdict};
      record.results.push_back(std::move(result));
    }
    return record;
  };
  run.on_evaluation(probed("harmfulness", 4, successes));
  run.on_evaluation(probed("utility", 1, 1));
  run.publish(complete);
}

TEST(GridTasks, AnArmWithoutTrainingRunsOnce) {
  const Grid grid = two_arms();
  const auto tasks = grid_tasks(grid, grid.cells, 3);
  ASSERT_EQ(tasks.size(), 4U);
  EXPECT_EQ(tasks[0].arm, "initial");
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(tasks[i].arm, "a/b");
    EXPECT_EQ(tasks[i].seed, static_cast<std::int64_t>(i) - 1);
    EXPECT_EQ(tasks[i].words.back(), std::to_string(i - 1));
  }
  EXPECT_EQ(grid_run(tasks[1], "0123456789abcdef").file, "arms/a_b-seed0-01234567.h5");
}

TEST(Shards, CutTheTasksWithoutRest) {
  std::vector<int> times(11, 0);
  for (const char* text : {"1/3", "2/3", "3/3"})
    for (std::size_t i = 0; i < times.size(); ++i) times[i] += shard_from(text).holds(i);
  EXPECT_EQ(times, std::vector<int>(11, 1));
  EXPECT_TRUE(shard_from("").holds(5));
  for (const char* text : {"0/3", "4/3", "1", "1/", "/3", "a/b", "1/3x", "-1/3"})
    EXPECT_THROW(shard_from(text), UsageError) << text;
}

TEST(GridFolder, ComesBackAsItWas) {
  const Folder folder;
  const GridFolder content = content_of(two_arms(), 2);
  write_grid(folder.path(), content);
  const GridFolder back = read_grid(folder.path());
  EXPECT_EQ(back.command, content.command);
  EXPECT_EQ(back.version, content.version);
  EXPECT_EQ(back.seeds, 2);
  ASSERT_EQ(back.grid.cells.size(), 3U);
  EXPECT_EQ(back.grid.cells[2].category, "red");
  EXPECT_EQ(back.grid.arms[1].words, "--attack benign --lr 1e-3");
  ASSERT_EQ(back.runs.size(), 3U);
  EXPECT_EQ(back.runs[2].file, content.runs[2].file);
  EXPECT_EQ(back.runs[2].key, content.runs[2].key);
}

TEST(GridFolder, ShardsAreMergedAndWhatIsMissingIsNamed) {
  const Folder one, two;
  const GridFolder content = content_of(two_arms(), 2);
  write_grid(one.path(), content);
  write_grid(two.path(), content);
  write_run(one.path() / content.runs[0].file, 0);
  write_run(one.path() / content.runs[1].file, 1, /*complete=*/false);  // interrupted here
  write_run(two.path() / content.runs[1].file, 3);                      // and done there
  const LoadedGrid grid = load_grid({one.path(), two.path()});
  ASSERT_EQ(grid.missing.size(), 1U);
  EXPECT_EQ(grid.missing[0].seed, 1);
  EXPECT_EQ(grid.runs.at("a/b").front().first, two.path() / content.runs[1].file);

  const auto results = collect(grid);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_DOUBLE_EQ(results[0].estimate.rate.value, 0);
  EXPECT_DOUBLE_EQ(results[1].estimate.rate.value, 0.75);
  EXPECT_EQ(results[1].estimate.n, 4);
  EXPECT_DOUBLE_EQ(results[1].estimate.utility.value, 1);
  EXPECT_DOUBLE_EQ(results[2].estimate.rate.value, 1);  // the red ones alone
  EXPECT_EQ(results[2].estimate.n, 2);
  EXPECT_DOUBLE_EQ(results[2].estimate.utility.value, 1);  // ordinary requests have no category
  EXPECT_DOUBLE_EQ(results[1].budget.tokens, 40);
  EXPECT_DOUBLE_EQ(results[1].budget.harmful_rows, 5);
  EXPECT_DOUBLE_EQ(results[1].budget.safe_rows, 2);
  const std::string csv = results_csv(results);
  EXPECT_NE(csv.find("\ntable1,after,plain,,a/b,1,4,0,0,4.0000,"), std::string::npos) << csv;
  const auto commas = [](std::string_view line) {
    return std::count(line.begin(), line.end(), ',');
  };
  const auto columns = commas(std::string_view(csv).substr(0, csv.find('\n')));
  for (std::size_t begin = 0, end = 0; (end = csv.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    EXPECT_EQ(commas(std::string_view(csv).substr(begin, end - begin)), columns);
}

TEST(Budgets, AreThoseUpToTheEpochOfTheCell) {
  RunData run;
  for (int i = 0; i < 4; ++i) {
    StepRecord step;
    step.step = i + 1;
    step.epoch = i / 2;
    step.tokens = 10;
    step.seconds = 0.5;
    step.moved = i < 2 ? 1.0 : 0.5;
    step.drift = i + 1;
    run.steps.push_back(step);
  }
  run.info.numbers = {{"forward_passes", 8},     {"backward_passes", 4},     {"rows", 7},
                      {"rows_harmful", 5},       {"rows_identity-shift", 0}, {"rows_safe", 2},
                      {"peak_memory_bytes", 1e6}};
  const Budget first = budget_of(run, 1), whole = budget_of(run);
  EXPECT_DOUBLE_EQ(first.steps, 2);
  EXPECT_DOUBLE_EQ(first.tokens, 20);
  EXPECT_DOUBLE_EQ(first.forward_passes, 4);
  EXPECT_DOUBLE_EQ(first.backward_passes, 2);
  EXPECT_DOUBLE_EQ(first.harmful_used, 5);
  EXPECT_DOUBLE_EQ(first.moved, 1);
  EXPECT_DOUBLE_EQ(first.drift, 2);
  EXPECT_DOUBLE_EQ(whole.steps, 4);
  EXPECT_DOUBLE_EQ(whole.harmful_used, 10);
  EXPECT_DOUBLE_EQ(whole.safe_used, 4);
  EXPECT_DOUBLE_EQ(whole.moved, 0.75);
  EXPECT_DOUBLE_EQ(mean_budget({&run, &run}, 1).tokens, 20);
}

TEST(Budgets, IdentityRowsAreNotHarmfulOnesAndALossThatRisesIsCounted) {
  RunData good, bad;
  for (int i = 0; i < 4; ++i) {
    StepRecord step;
    step.step = i + 1;
    step.epoch = i / 2;
    step.loss = 3.0 - 0.5 * i;
    good.steps.push_back(step);
    step.loss = 3.0 + i;
    bad.steps.push_back(step);
  }
  for (auto* run : {&good, &bad})
    run->info.numbers = {
        {"rows", 12}, {"rows_harmful", 2}, {"rows_identity-shift", 10}, {"rows_safe", 0}};
  const Budget mean = mean_budget({&good, &bad, &bad});
  EXPECT_DOUBLE_EQ(mean.harmful_rows, 2);
  EXPECT_DOUBLE_EQ(mean.identity_rows, 10);
  EXPECT_DOUBLE_EQ(mean.identity_used, 20);
  EXPECT_DOUBLE_EQ(mean.loss_first, 3);
  EXPECT_DOUBLE_EQ(mean.loss_last, (1.5 + 6 + 6) / 3);
  GridResult result{{.table = "t", .cell = "c", .arm = "a"}, {}, mean};
  result.estimate.seeds = 3;
  const std::string csv = results_csv({result});
  EXPECT_NE(csv.find("harmful_rows,identity_rows,safe_rows"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",2,10,0,"), std::string::npos) << csv;
  EXPECT_TRUE(csv.ends_with(",3.0000,4.5000,2\n")) << csv;
  EXPECT_NE(
      results_table({result}, {})
          .find("in 2 of 3 runs the loss diverged or ended above where it began (mean 3.000 to "
                "4.500)"),
      std::string::npos);
}

TEST(GridFolder, FoldersOfOtherCommandsAreRefused) {
  const Folder one, two;
  Grid other = two_arms();
  other.arms[1].words += " --epochs 2";
  write_grid(one.path(), content_of(two_arms(), 1));
  write_grid(two.path(), content_of(other, 1));
  try {
    load_grid({one.path(), two.path()});
    FAIL() << "want an error";
  } catch (const DataError& e) {
    EXPECT_NE(std::string(e.what()).find("arm a/b"), std::string::npos) << e.what();
  }
}

TEST(GridFolder, BadFilesAreNamed) {
  const Folder folder;
  const auto says = [&](const std::string& text, const char* what) {
    std::ofstream(folder.path() / "grid.json") << text;
    try {
      read_grid(folder.path());
      ADD_FAILURE() << "want an error for " << text;
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  says("[]", "`seawall`");
  says(R"({"seawall":"1","command":"c","seeds":"three"})", "`seeds`");
  says(R"({"seawall":"1","command":"c","seeds":3})", "`arms`");
  says(R"({"seawall":"1","command":"c","seeds":3,"arms":[],"cells":[],
          "runs":[{"arm":"a","seed":0,"file":"../../etc/passwd","key":""}]})",
       "leads out");
  says("{", "grid.json");
  fs::remove(folder.path() / "grid.json");
  EXPECT_THROW(read_grid(folder.path()), DataError);
}

TEST(Workers, EveryTaskIsDoneOnceAndAFailureComesBack) {
  const auto name = [](std::size_t i) { return "task " + std::to_string(i); };
  const auto letter = [](std::size_t i) { return std::string(64, static_cast<char>('a' + i)); };
  std::vector<std::string> hashes;
  const WorkOptions options{.what = "test", .workers = 3, .quiet = true};
  EXPECT_EQ(hash_tasks(20, options, letter, name, hashes), 0);
  ASSERT_EQ(hashes.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(hashes[i], letter(i));
  const auto failing = [](std::size_t i) {
    if (i == 3) throw DataError("nothing there");
  };
  EXPECT_EQ(run_tasks(5, options, failing, name), 3);
}

TEST(Programs, EachTaskIsAProcessAndAFailureComesBack) {
  const Folder folder;
  WorkOptions options{.what = "test", .workers = 3, .quiet = true, .program = "/bin/sh"};
  const auto name = [](std::size_t i) { return "task " + std::to_string(i); };
  const auto script = [&](const std::string& text) {
    return std::vector<std::string>{"-c", "cd '" + folder.path().string() + "'; " + text};
  };
  EXPECT_EQ(run_programs(
                20, options,
                [&](std::size_t i) {
                  return i == 7 ? std::vector<std::string>{}  // done already
                                : script("echo $$ > " + std::to_string(i));
                },
                name),
            0);
  std::set<std::string> processes;
  for (int i = 0; i < 20; ++i) {
    if (i == 7) continue;
    EXPECT_TRUE(fs::exists(folder / std::to_string(i))) << i;
    processes.insert(folder.read(std::to_string(i)));
  }
  EXPECT_EQ(processes.size(), 19u);
  EXPECT_FALSE(fs::exists(folder / "7"));

  // The first failure comes back, said under its name; what has not begun does not begin.
  options.workers = 1;
  ::testing::internal::CaptureStderr();
  const int code = run_programs(
      5, options,
      [&](std::size_t i) {
        return script(i == 1 ? "echo 'seawall: the disk is full' >&2; exit 4"
                             : "touch began-" + std::to_string(i));
      },
      name);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "seawall: task 1: the disk is full\n");
  EXPECT_EQ(code, 4);
  EXPECT_TRUE(fs::exists(folder / "began-0"));
  EXPECT_FALSE(fs::exists(folder / "began-2"));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_programs(
                1, options, [&](std::size_t) { return script("kill -9 $$"); }, name),
            128 + 9);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "seawall: task 0: it ended with exit code 137\n");
}

}  // namespace
}  // namespace seawall
