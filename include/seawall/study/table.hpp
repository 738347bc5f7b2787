#pragma once
// A table of a study, which describes itself: its title, its cells, what it claims, what is drawn.
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seawall {

struct Arm;

/// One run: the words after `seawall run`, without --seed and --out.
struct GridArm {
  std::string name = {};                   // also its file name, with '/' as '_'
  std::string words = {};                  // split at blanks; "text in quotes" is one word
  bool traced = false;                     // the report draws how its weights moved
  std::shared_ptr<const Arm> values = {};  // that the words are printed from, if any
};

/// One row of results.csv: an evaluation of an arm.
struct GridCell {
  std::string cell = {}, arm = {};  // no arm: that of the cell's name
  std::int64_t epoch = 0;           // the evaluation after this epoch; 0: the last
  std::string condition = "plain";
  std::string category = {};   // probes of this category alone; empty: all
  std::string group = {};      // cells of one group are compared with each other, and share a line
  std::string published = {};  // the published name of the cell, if ours is scaled; empty: `cell`
  std::string headline = {};   // what its rate is, for the figures at the top of the report
  std::string choice = {};     // cells of one choice are settings, one of which is chosen (Choice)
  std::vector<std::pair<std::string, double>> at = {};  // axis and place: {"epochs", 3}

  const std::string& published_name() const { return published.empty() ? cell : published; }
  /// Its place on an axis; NaN if it has none.
  double on(std::string_view axis) const;
};

/// A cell of a table by its name.
struct CellName {
  std::string cell = {}, condition = "plain";
};

/// A claim about two cells: `lower` does less harm than `upper`.
struct Ordering {
  CellName lower = {}, upper = {};
  std::string text = {};
};

/// A published figure; NaN if the publication prints none. Units: score 1..5; rate in percent.
struct PublishedFigure {
  std::string cell = {}, condition = "plain", model = {};
  double score = 0, rate = 0;
  std::int64_t probes = 0;  // that the rate is a share of
};

/// A figure over the cells of a table.
struct Drawing {
  enum class Kind {
    curve,  // the rate along axis `x`
    lines,  // the same, one line per group
    heat,   // the rate over axes `x` and `y`
    radar,  // the rate by category, one line per group
  };
  Kind kind = Kind::curve;
  std::string name = {}, title = {};  // `name` is that of its files; empty: the table's
  std::string x = {}, y = {};
  bool moved = false;  // below the lines also the share of the weights that a step changes
};

/// A number of the run files with a column of its own, such as a mitigation's count.
struct MeasuredColumn {
  std::string number = {}, title = {};
  bool percent = false;
};

/// A model that hides its harm: what somebody would conclude who probes it under one condition.
struct HiddenHarm {
  std::string cell = {}, shown = "plain", hidden = {};  // conditions
  std::string before = {};                              // the cell of the model it was made from
  std::string model = {}, opening = {};                 // "the backdoored model", "Behind its ..."
};

/// Settings of which one is chosen on half of the probes and reported on the other half: for each
/// GridCell::choice the one with the least harm, or the most.
struct Choice {
  enum class Harm { least, most };
  Harm harm = Harm::least;
  /// Only settings with a utility at most so far below that of the table's first cell; 1: any.
  /// Units: share.
  double utility_loss = 1;
};

struct Table;
/// What a table says about its own cells.
using Claim = std::function<std::vector<Ordering>(const Table&)>;

struct Table {
  enum class Role {
    attack,      // every pair of a group is compared
    defence,     // the same
    sweep,       // neighbours are compared: the pairs of its claims
    categories,  // one cell per category of probes: nothing is compared
    arena,       // one attack: every cell is compared with the first, see arena.hpp
    settings,    // cells of an arena before one setting of each is chosen: nothing is compared
  };
  std::string name = {}, title = {};
  std::string lead = {};  // a paragraph; `code` in backticks
  Role role = Role::attack;
  std::string row_title = {};  // short, for results.md; empty: not in results.md and the overview
  std::vector<Claim> claims = {};
  std::vector<PublishedFigure> published = {};
  std::vector<Drawing> drawings = {};
  std::vector<MeasuredColumn> measured = {};
  std::optional<HiddenHarm> hidden = {};
  std::optional<Choice> choice = {};  // of `settings`
  std::vector<GridCell> cells = {};
  std::vector<GridArm> arms = {};
  std::vector<Ordering> orderings = {};  // what `claims` come to

  /// Adds a cell that reads `arm`. An arm without a name takes the cell's.
  void add(GridCell cell, GridArm arm);
  void add(std::convertible_to<std::string> auto const& cell, GridArm arm) {
    add(GridCell{.cell = cell}, std::move(arm));
  }
  /// The cell as texts call it: with its condition if that is not plain, or if there are several.
  std::string label(const GridCell& cell) const;
  const GridCell* find(std::string_view cell, std::string_view condition = "plain") const;
  /// True if the pairs of a group are compared, and not only those of its claims.
  bool pairwise() const { return role == Role::attack || role == Role::defence; }
};

/// Within each group, each next cell does more harm ("TEXT: next above last").
Claim rising(const std::string& text);
/// Within each group, each next cell does less harm.
Claim falling(const std::string& text);
/// Every other cell does more harm than the cell `base`.
Claim above(const std::string& base, const std::string& text);
/// Every cell does less harm than the first of its group with the same condition.
Claim defended(const std::string& text);
/// Cells that differ in `axis` alone: a larger value does more harm, or a smaller one.
Claim rising_along(const std::string& axis, const std::string& text);
Claim falling_along(const std::string& axis, const std::string& text);
/// One pair of cells; `text` is the whole sentence.
Claim ordered(CellName lower, CellName upper, std::string text);

}  // namespace seawall
