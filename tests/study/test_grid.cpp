// Grids: tasks, shards, the folder they fill, and what is read off it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/study/results.hpp"
#include "seawall/study/tasks.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

using testing::Folder;

Grid two_arms(const std::string& more = "") {
  Table table{.name = "table1", .title = "One", .claims = {rising("more")}};
  table.add("initial", {.name = "initial", .words = "--attack benign --no-training"});
  table.add({.cell = "after", .headline = "later", .at = {{"epochs", 1}}},
            {.name = "a/b", .words = "--attack benign --lr 1e-3" + more});
  Table figure{.name = "figure1", .role = Table::Role::categories};
  figure.add({.cell = "after/red", .category = "red"}, table.arms.back());
  Grid grid;
  grid.add(table);
  grid.add(figure);
  return grid;
}

GridFolder content_of(const Grid& grid, std::int64_t seeds) {
  GridFolder content{.version = "1.2.3", .seeds = seeds, .grid = grid};
  for (const auto& task : grid_tasks(grid, seeds))
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
  const auto probed = [](ProbeSet set, int probes, int full) {
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
  run.on_evaluation(probed(ProbeSet::harmfulness, 4, successes));
  run.on_evaluation(probed(ProbeSet::utility, 1, 1));
  run.publish(complete);
}

TEST(GridTasks, AnArmWithoutTrainingRunsOnce) {
  const Grid grid = two_arms();
  const auto tasks = grid_tasks(grid, 3);
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
  GridFolder content = content_of(two_arms(), 2);
  Table& table = content.grid.tables[0];
  table.lead = "a `b`";
  table.role = Table::Role::sweep;
  table.row_title = "1 one";
  table.published = {{"after", "plain", "Model A", not_measured, 50.5, 330}};
  table.drawings = {{.kind = Drawing::Kind::heat, .name = "f", .title = "F", .x = "x", .y = "y"}};
  table.measured = {{"filter_caught", "caught", true}};
  table.hidden = HiddenHarm{.cell = "after", .hidden = "triggered", .model = "it"};
  content.grid.arms[1].traced = true;
  write_grid(folder.path(), content);
  const GridFolder back = read_grid(folder.path());
  EXPECT_EQ(back.grid.command, "seawall reproduce");
  EXPECT_EQ(back.version, content.version);
  EXPECT_EQ(back.seeds, 2);
  EXPECT_EQ(back.grid.arms[1].words, "--attack benign --lr 1e-3");
  EXPECT_TRUE(back.grid.arms[1].traced);
  EXPECT_FALSE(back.grid.arms[0].traced);
  ASSERT_EQ(back.runs.size(), 3U);
  EXPECT_EQ(back.runs[2].file, content.runs[2].file);
  EXPECT_EQ(back.runs[2].key, content.runs[2].key);
  ASSERT_EQ(back.grid.tables.size(), 2U);
  EXPECT_EQ(back.grid.tables[1].cells[0].category, "red");
  EXPECT_EQ(back.grid.tables[1].role, Table::Role::categories);
  const Table& again = back.grid.tables[0];
  EXPECT_EQ(again.title, "One");
  EXPECT_EQ(again.lead, "a `b`");
  EXPECT_EQ(again.role, Table::Role::sweep);
  EXPECT_EQ(again.row_title, "1 one");
  EXPECT_EQ(again.cells[1].headline, "later");
  EXPECT_EQ(again.cells[1].on("epochs"), 1);
  EXPECT_TRUE(std::isnan(again.cells[0].on("epochs")));
  ASSERT_EQ(again.orderings.size(), 1U);
  EXPECT_EQ(again.orderings[0].upper.cell, "after");
  EXPECT_EQ(again.orderings[0].text, "more: after above initial");
  ASSERT_EQ(again.published.size(), 1U);
  EXPECT_TRUE(std::isnan(again.published[0].score));
  EXPECT_EQ(again.published[0].rate, 50.5);
  EXPECT_EQ(again.published[0].probes, 330);
  EXPECT_EQ(again.drawings.at(0).kind, Drawing::Kind::heat);
  EXPECT_EQ(again.drawings.at(0).y, "y");
  EXPECT_TRUE(again.measured.at(0).percent);
  ASSERT_TRUE(again.hidden);
  EXPECT_EQ(again.hidden->shown, "plain");
  EXPECT_EQ(again.hidden->hidden, "triggered");
  EXPECT_FALSE(back.grid.tables[1].hidden);
}

/// As version 0.1 wrote it: cells in place of tables.
TEST(GridFolder, AnEarlierFileIsReadAsPlainTables) {
  const Folder folder;
  std::ofstream(folder.path() / "grid.json") << R"({"seawall":"0.1.0","command":"c","seeds":1,
    "arms":[{"name":"a","words":"--attack benign"}],
    "runs":[{"arm":"a","seed":0,"file":"arms/a.h5","key":"k"}],
    "cells":[{"table":"t","cell":"x","arm":"a","epoch":2,"condition":"triggered","category":"",
              "published":"y"},
             {"table":"f","cell":"x/red","arm":"a","epoch":0,"condition":"plain",
              "category":"red","published":""}]})";
  const GridFolder back = read_grid(folder.path());
  ASSERT_EQ(back.grid.tables.size(), 2U);
  EXPECT_EQ(back.grid.tables[0].name, "t");
  EXPECT_EQ(back.grid.tables[0].title, "t");
  EXPECT_EQ(back.grid.tables[0].cells.at(0).epoch, 2);
  EXPECT_EQ(back.grid.tables[0].cells.at(0).condition, "triggered");
  EXPECT_EQ(back.grid.tables[0].cells.at(0).published_name(), "y");
  EXPECT_EQ(back.grid.tables[1].role, Table::Role::categories);
  EXPECT_EQ(back.grid.command, "c");
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

  const StudyReading study = read_study(grid);
  ASSERT_EQ(study.tables.size(), 2U);
  const CellReading &initial = study.tables[0].cells.at(0), &after = study.tables[0].cells.at(1),
                    &red = study.tables[1].cells.at(0);
  EXPECT_DOUBLE_EQ(initial.estimate.rate.value, 0);
  EXPECT_DOUBLE_EQ(after.estimate.rate.value, 0.75);
  EXPECT_EQ(after.estimate.n, 4);
  EXPECT_EQ(after.why, "1 of 2 runs are missing");
  EXPECT_DOUBLE_EQ(after.estimate.utility.value, 1);
  EXPECT_DOUBLE_EQ(red.estimate.rate.value, 1);  // the red ones alone
  EXPECT_EQ(red.estimate.n, 2);
  EXPECT_DOUBLE_EQ(red.estimate.utility.value, 1);  // ordinary requests have no category
  EXPECT_DOUBLE_EQ(after.cost.tokens, 40);
  EXPECT_DOUBLE_EQ(after.cost.harmful_rows, 5);
  EXPECT_DOUBLE_EQ(after.cost.safe_rows, 2);
  const std::string csv = results_csv(study);
  EXPECT_NE(csv.find("\ntable1,after,plain,,a/b,1,4,0,0,4.0000,"), std::string::npos) << csv;
  const auto commas = [](std::string_view line) {
    return std::count(line.begin(), line.end(), ',');
  };
  const auto columns = commas(std::string_view(csv).substr(0, csv.find('\n')));
  for (std::size_t begin = 0, end = 0; (end = csv.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    EXPECT_EQ(commas(std::string_view(csv).substr(begin, end - begin)), columns);
  // What is not there has no row of numbers in the terminal's table either.
  const LoadedGrid half = load_grid({two.path()});
  const std::string text = results_table(read_study(half));
  EXPECT_NE(text.find("  initial: no row: 1 of 1 run is missing\n"), std::string::npos) << text;
}

TEST(GridFolder, AFileThatCannotBeReadIsARunThatIsMissing) {
  const Folder folder;
  const GridFolder content = content_of(two_arms(), 2);
  write_grid(folder.path(), content);
  for (std::size_t i = 0; i < content.runs.size(); ++i)
    write_run(folder.path() / content.runs[i].file, 1);
  const auto cut = folder.path() / content.runs[0].file;
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 2);
  const LoadedGrid grid = load_grid({folder.path()});
  ASSERT_EQ(grid.missing.size(), 1U);
  EXPECT_EQ(grid.missing[0].file, content.runs[0].file);
  ASSERT_EQ(grid.broken.size(), 1U);
  EXPECT_EQ(grid.broken.begin()->first, content.runs[0].arm);
  std::size_t told = 0;
  for (const CellReading& cell : read_study(grid).tables[0].cells)
    if (cell.cell.arm == content.runs[0].arm) {
      EXPECT_NE(cell.why.find(cut.filename().string()), std::string::npos) << cell.why;
      ++told;
    }
  EXPECT_GT(told, 0U);
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
  StudyReading study;
  study.tables.push_back({.about = {.name = "t"}});
  study.tables[0].cells.push_back({.cell = {.cell = "c", .arm = "a"}, .cost = mean});
  study.tables[0].cells[0].runs.resize(3);
  study.tables[0].cells[0].estimate.seeds = 3;
  const std::string csv = results_csv(study);
  EXPECT_NE(csv.find("harmful_rows,identity_rows,safe_rows"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",2,10,0,"), std::string::npos) << csv;
  EXPECT_TRUE(csv.ends_with(",3.0000,4.5000,2\n")) << csv;
  EXPECT_NE(results_table(study).find(
                "in 2 of 3 runs the loss diverged or ended above where it began (mean 3.000 to "
                "4.500)"),
            std::string::npos);
}

TEST(GridFolder, FoldersOfOtherCommandsAreRefused) {
  const Folder one, two;
  write_grid(one.path(), content_of(two_arms(), 1));
  const auto says = [&](const Grid& other, const char* what) {
    write_grid(two.path(), content_of(other, 1));
    try {
      load_grid({one.path(), two.path()});
      FAIL() << "want an error";
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  says(two_arms(" --epochs 2"), "arm a/b");
  Grid other = two_arms();
  other.tables[0].title = "Another";
  says(other, "table table1");
  other = two_arms();
  other.tables[0].cells[1].epoch = 2;
  says(other, "cell table1/after");
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
  says("[]", "want an object");
  says("{}", "`seawall`");
  says(R"({"seawall":"1","command":"c","seeds":"three"})", "`seeds`");
  says(R"({"seawall":"1","command":"c","seeds":3})", "`arms`");
  says(R"({"seawall":"1","command":"c","seeds":3,"arms":[],"runs":[]})", "`tables`");
  says(R"({"seawall":"1","command":"c","seeds":3,"arms":[],"runs":[],"tables":[{"name":"t"}]})",
       "tables`[0]: want a field `cells`");
  says(R"({"seawall":"1","command":"c","seeds":3,"arms":[],"runs":[],
          "tables":[{"name":"t","cells":[],"role":"defense"}]})",
       "no such word: \"defense\"");
  says(R"({"seawall":"1","command":"c","seeds":3,"arms":[],"cells":[],
          "runs":[{"arm":"a","seed":0,"file":"../../etc/passwd","key":""}]})",
       "leads out");
  says("{", "grid.json");
  fs::remove(folder.path() / "grid.json");
  EXPECT_THROW(read_grid(folder.path()), DataError);
}

}  // namespace
}  // namespace seawall
