#include <gtest/gtest.h>

#include "seawall/study/results.hpp"
#include "seawall/study/table_ties.hpp"

namespace seawall {
namespace {

/// A run in which the first `successes` of 110 probes succeed.
RunData run_of(int successes, const std::string& probes = "probe") {
  EvaluationRecord record;
  record.condition = "plain";
  record.set = "harmfulness";
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

void add(LoadedGrid& grid, const std::string& table, const std::string& cell,
         const std::vector<int>& successes, const std::string& probes = "probe") {
  const std::string arm = table + cell;
  grid.folder.grid.cell(table, cell, arm);
  for (const int s : successes) grid.runs[arm].emplace_back("file", run_of(s, probes));
}

TEST(TableTies, WithinWhatStandsBeforeTheSlash) {
  LoadedGrid grid;
  add(grid, "table1", "initial", {0});
  add(grid, "table1", "10-shot", {55, 56, 55});
  add(grid, "table1", "50-shot", {109, 110, 110});
  add(grid, "table1", "100-shot", {110, 109, 110});
  add(grid, "table4", "shots/safe-0", {110, 110, 109});
  add(grid, "table4", "shots/safe-9", {40, 41, 40});
  add(grid, "table4", "shift/safe-0", {60, 61, 60});
  add(grid, "table4", "shift/safe-9", {60, 60, 61});
  add(grid, "drift", "benign", {50, 51, 50});
  add(grid, "drift", "benign/weight-drift", {0, 0, 0});
  add(grid, "figure2", "0-epochs", {0});
  add(grid, "figure2", "1-epochs", {50, 51, 50});
  add(grid, "table9", "alone", {0});
  const auto ties = ties_of_tables(grid);
  ASSERT_EQ(ties.size(), 3u);
  EXPECT_EQ(
      ties.at("table1"),
      "initial and 10-shot differ from every other cell; 50-shot and 100-shot are not told apart.");
  EXPECT_EQ(ties.at("table4"),
            "shots: shots/safe-0 and shots/safe-9 differ. shift: shift/safe-0 and shift/safe-9 are "
            "not told apart.");
  EXPECT_EQ(ties.at("drift"), "benign: benign and benign/weight-drift differ.");
  const std::string text = results_table(collect(grid), {}, ties);
  EXPECT_NE(text.find("50-shot and 100-shot are not told apart.\n"), std::string::npos) << text;
  EXPECT_LT(text.find("50-shot and 100-shot are not told apart."), text.find("shots/safe-0"));
}

TEST(TableTies, CellsOfOtherProbesAreNotPaired) {
  LoadedGrid grid;
  add(grid, "table3", "initial", {0});
  add(grid, "table3", "alpaca", {50, 51, 52});
  add(grid, "table3", "llava", {50, 51, 52}, "picture");
  const std::string text = ties_of_tables(grid).at("table3");
  EXPECT_NE(text.find("not compared"), std::string::npos) << text;
}

}  // namespace
}  // namespace seawall
