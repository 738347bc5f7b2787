#pragma once
// A grid of arms and the cells read off them: data, not mechanism.
#include <cstdint>
#include <string>
#include <vector>

namespace seawall {

/// One run: the words one would type after `seawall run`, less --seed and --out.
struct GridArm {
  std::string name;  // also its file name, with '/' as '_'
  std::string words;
};

/// One row of results.csv.
struct GridCell {
  std::string table, cell, arm;
  std::int64_t epoch = 0;  // evaluation after this epoch; 0 = the last
  std::string condition = "plain";
};

struct Grid {
  std::vector<GridArm> arms;
  std::vector<GridCell> cells;

  void arm(std::string name, std::string words) {
    arms.push_back({std::move(name), std::move(words)});
  }
  void cell(std::string table, std::string cell, std::string arm, std::int64_t epoch = 0,
            std::string condition = "plain") {
    cells.push_back(
        {std::move(table), std::move(cell), std::move(arm), epoch, std::move(condition)});
  }
};

}  // namespace seawall
