#pragma once
// A grid of arms and the cells read off them: data, not mechanism.
#include <cstdint>
#include <string>
#include <vector>

namespace seawall {

/// One run: the words one would type after `seawall run`, less --seed and --out.
struct GridArm {
  std::string name;   // also its file name, with '/' as '_'
  std::string words;  // split at spaces; "what stands in quotes" is one word
};

/// One row of results.csv.
struct GridCell {
  std::string table, cell, arm;
  std::int64_t epoch = 0;  // evaluation after this epoch; 0 = the last
  std::string condition = "plain";
  std::string category = "";   // probes of this category alone; empty: all
  std::string published = "";  // the paper's own name of the cell where it is scaled; empty: `cell`

  const std::string& published_name() const { return published.empty() ? cell : published; }
};

struct Grid {
  std::vector<GridArm> arms;
  std::vector<GridCell> cells;

  void arm(std::string name, std::string words) {
    arms.push_back({std::move(name), std::move(words)});
  }
  void cell(std::string table, std::string cell, std::string arm, std::int64_t epoch = 0,
            std::string condition = "plain") {
    cells.push_back({.table = std::move(table),
                     .cell = std::move(cell),
                     .arm = std::move(arm),
                     .epoch = epoch,
                     .condition = std::move(condition)});
  }
};

}  // namespace seawall
