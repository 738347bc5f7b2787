#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/study/grid.hpp"
#include "seawall/study/results.hpp"

namespace seawall {
namespace {

/// A run in which the first `successes` of 110 probes succeed.
RunData run_of(int successes, const std::string& probes = "probe") {
  EvaluationRecord record;
  record.condition = "plain";
  record.set = ProbeSet::harmfulness;
  record.judges = {"truth"};
  for (int i = 0; i < 110; ++i) {
    ProbeResult r{.probe_id = probes + std::to_string(i), .category = std::to_string(i % 11)};
    r.verdicts = {{.score = i < successes ? 5.0 : 1.0, .reason = ""}};
    record.results.push_back(std::move(r));
  }
  RunData run;
  run.evaluations.push_back(std::move(record));
  return run;
}

/// Cells of a table with the successes of each run, as groups say.
struct Filled {
  LoadedGrid grid;
  Filled& add(const std::string& table, GridCell cell, const std::vector<int>& successes,
              const std::string& probes = "probe") {
    auto& tables = grid.folder.grid.tables;
    if (tables.empty() || tables.back().name != table) tables.push_back({.name = table});
    cell.arm = table + cell.cell;
    for (const int s : successes) {
      RunData run = run_of(s, probes);
      run.info.seed = grid.runs[cell.arm].size();
      grid.runs[cell.arm].emplace_back("file", std::move(run));
    }
    tables.back().cells.push_back(std::move(cell));
    return *this;
  }
};

TEST(StudyReading, CellsAreComparedWithinTheirGroup) {
  Filled f;
  f.add("shots", {"initial"}, {0});
  f.add("shots", {"10-shot"}, {55, 56, 55});
  f.add("shots", {"50-shot"}, {109, 110, 110});
  f.add("shots", {"100-shot"}, {110, 109, 110});
  f.add("mixed", {.cell = "a0", .group = "a"}, {110, 110, 109});
  f.add("mixed", {.cell = "a9", .group = "a"}, {40, 41, 40});
  f.add("mixed", {.cell = "b0", .group = "b"}, {60, 61, 60});
  f.add("mixed", {.cell = "b9", .group = "b"}, {60, 60, 61});
  f.add("sweep", {"0-epochs"}, {0});
  f.add("sweep", {"1-epochs"}, {50, 51, 50});
  f.add("sweep", {"2-epochs"}, {50, 51, 50});
  f.add("alone", {"alone"}, {0});
  Table& sweep = f.grid.folder.grid.tables[2];
  sweep.role = Table::Role::sweep;
  sweep.orderings = {{{"0-epochs"}, {"1-epochs"}, "it rises"},
                     {{"1-epochs"}, {"2-epochs"}, "it rises on"}};
  const StudyReading study = read_study(f.grid);
  ASSERT_EQ(study.tables.size(), 4u);
  EXPECT_EQ(
      study.tables[0].ties,
      "initial and 10-shot differ from every other cell; 50-shot and 100-shot are not told apart.");
  EXPECT_EQ(study.tables[1].ties, "a0 and a9 differ. b0 and b9 are not told apart.");
  EXPECT_EQ(study.tables[1].comparisons.size(), 2u);
  // A sweep compares the pairs of its claims, and so the terminal and the report do.
  EXPECT_EQ(study.tables[2].ties, "Not told apart: 1-epochs and 2-epochs.");
  EXPECT_EQ(study.tables[2].comparisons.size(), 2u);
  ASSERT_EQ(study.tables[2].claims.size(), 2u);
  EXPECT_EQ(study.tables[2].claims[0].here, Finding::holds);
  EXPECT_EQ(study.tables[2].claims[1].here, Finding::tied);
  EXPECT_EQ(study.tables[3].ties, "");
  const std::string text = results_table(study);
  EXPECT_NE(text.find("50-shot and 100-shot are not told apart.\n"), std::string::npos) << text;
  EXPECT_LT(text.find("50-shot and 100-shot are not told apart."), text.find("a0 and a9"));
}

TEST(StudyReading, CellsOfOtherProbesAreNotPaired) {
  Filled f;
  f.add("benign", {"initial"}, {0});
  f.add("benign", {"alpaca"}, {50, 51, 52});
  f.add("benign", {"llava"}, {50, 51, 52}, "picture");
  const StudyReading study = read_study(f.grid);
  EXPECT_EQ(study.tables[0].comparisons.size(), 1u);
  EXPECT_NE(study.tables[0].ties.find("not compared"), std::string::npos) << study.tables[0].ties;
}

TEST(StudyReading, PublishedFiguresAreTheTables) {
  Filled f;
  f.add("t", {.cell = "low"}, {0});
  f.add("t", {.cell = "high", .published = "theirs"}, {110, 110});
  Table& table = f.grid.folder.grid.tables[0];
  table.orderings = {{{"low"}, {"high"}, "it rises"}, {{"low"}, {"gone"}, "of a cell not there"}};
  table.published = {{"low", "plain", "Model B", 1, 10, 100},
                     {"theirs", "plain", "Model B", 5, 50, 100},
                     {"low", "plain", "Model A", 1, 10, 20},
                     {"theirs", "plain", "Model A", 1, 15, 20}};
  const StudyReading study = read_study(f.grid);
  EXPECT_EQ(study.models, (std::vector<std::string>{"Model B", "Model A"}));
  const TableReading& read = study.tables[0];
  ASSERT_EQ(read.claims.size(), 1u);
  ASSERT_EQ(read.claims[0].published.size(), 2u);
  EXPECT_EQ(read.claims[0].published[0].finding, Finding::holds);
  EXPECT_EQ(read.claims[0].published[1].finding, Finding::tied) << "at 20 probes";
  EXPECT_NE(results_table(study).find("published %: Model B / Model A"), std::string::npos);
  EXPECT_NE(results_table(study).find("50.0 / 15.0"), std::string::npos);
}

TEST(StudyReading, WhatAnyMitigationMeasuredIsFound) {
  RunData run;
  run.info.config_json =
      R"({"mitigations": [{"name": "sieve"}, {"name": "sieve"}, {"name": "other"}]})";
  run.info.numbers = {{"rows", 3}, {"sieve_caught", 1}, {"sieve-2_caught", 2}, {"sieved", 9}};
  const auto measured = measured_of(run);
  ASSERT_EQ(measured.size(), 2u);
  EXPECT_EQ(measured[1].group, "sieve-2");
  EXPECT_EQ(measured[1].name, "caught");
  EXPECT_EQ(measured[1].value, 2);
}

std::vector<std::string> texts(const Table& table) {
  Grid grid;
  grid.add(table);
  std::vector<std::string> out;
  for (const Ordering& o : grid.tables[0].orderings)
    out.push_back(o.lower.cell + " < " + o.upper.cell + " | " + o.text);
  return out;
}

TEST(Claims, AreAboutTheCellsOfTheirTable) {
  const GridArm arm{.name = "a", .words = "--attack x"};
  Table t{.name = "t", .claims = {rising("up"), falling("down"), defended("helped")}};
  for (const char* cell : {"a1", "a2"}) t.add({.cell = cell, .group = "a"}, arm);
  t.add({.cell = "b1", .group = "b"}, arm);
  EXPECT_EQ(texts(t),
            (std::vector<std::string>{"a1 < a2 | up: a2 above a1", "a2 < a1 | down: a2 below a1",
                                      "a2 < a1 | helped: a2 below a1"}));
  Table above_one{.name = "t", .claims = {above("b", "worse"), ordered({"a"}, {"c"}, "a first")}};
  for (const char* cell : {"a", "b", "c"}) above_one.add(cell, arm);
  EXPECT_EQ(texts(above_one),
            (std::vector<std::string>{"b < a | worse: a above b", "b < c | worse: c above b",
                                      "a < c | a first"}));
  Table sweep{.name = "t", .claims = {rising_along("x", "x"), falling_along("y", "y")}};
  for (const double x : {2.0, 1.0})
    for (const double y : {1.0, 2.0})
      sweep.add(
          {.cell = std::to_string(int(x)) + std::to_string(int(y)), .at = {{"x", x}, {"y", y}}},
          arm);
  EXPECT_EQ(texts(sweep),
            (std::vector<std::string>{"11 < 21 | x: 21 above 11", "12 < 22 | x: 22 above 12",
                                      "12 < 11 | y: 11 above 12", "22 < 21 | y: 21 above 22"}));
}

TEST(Grids, RefuseWhatCannotBeMeant) {
  const GridArm arm{.name = "a", .words = "--attack x"};
  const auto says = [](Grid grid, const Table& table, const char* what) {
    try {
      grid.add(table);
      ADD_FAILURE() << "want an error with " << what;
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  Table t{.name = "t"};
  t.add("cell", arm);
  Grid grid;
  grid.add(t);
  says(grid, t, "another table of this name");
  Table other{.name = "other"};
  other.add("cell", {.name = "a", .words = "--attack y"});
  says(grid, other, "the arm a has other words elsewhere (--attack x), here --attack y");
  Grid drawn;
  t.drawings = {{.title = "of its table's name"}};
  drawn.add(t);
  EXPECT_EQ(drawn.tables[0].drawings[0].name, "t");
  other = t;
  other.name = "other";
  other.drawings = {{.name = "t"}};
  says(drawn, other, "the table t has a figure t, too");
  other = t;
  other.name = "other";
  other.add("cell", arm);
  says(grid, other, "two cells are called cell");
  other = t;
  other.name = "other";
  other.claims = {ordered({"cell"}, {"nothing"}, "it is there")};
  says(grid, other, "about a cell nothing (plain) that it does not have");
}

}  // namespace
}  // namespace seawall
