#pragma once
// The tables of a study and the runs that they are read from: data, not mechanism.
#include <string>
#include <vector>

#include "seawall/study/table.hpp"

namespace seawall {

struct Grid {
  std::string command = "seawall reproduce";  // what makes it, as its report says
  std::string source = {};                    // what it is after, as its report says
  std::vector<std::string> notes = {};        // what its report says about its arms; `code`
  std::vector<GridArm> arms = {};             // each once
  std::vector<Table> tables = {};

  /// Adds a table, its arms that are not there yet, and its claims as orderings. Errors: UsageError
  /// for a second table or cell of one name, a claim about a cell that the table does not have, or
  /// an arm that another table has with other words.
  void add(Table table);
};

}  // namespace seawall
