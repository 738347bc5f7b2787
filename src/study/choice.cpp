#include "study/choice.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"

namespace seawall {
namespace {

/// Settings of one choice, in the order of the table.
struct Settings {
  std::string name;
  std::vector<const GridCell*> cells;
};

std::vector<Settings> settings_of(const Table& about) {
  std::vector<Settings> out;
  for (const GridCell& cell : about.cells) {
    auto found = std::ranges::find(out, cell.choice, &Settings::name);
    if (found == out.end()) found = out.insert(found, {.name = cell.choice, .cells = {}});
    found->cells.push_back(&cell);
  }
  return out;
}

/// The least that its utility can be, whatever the answers are that were not judged.
double least_utility(const CellReading& cell) {
  const CellEstimate& e = cell.estimate;
  if (!e.utility.measured()) return not_measured;
  const double asked = static_cast<double>(e.ordinary * e.seeds);
  return e.utility.value * (1 - static_cast<double>(e.ordinary_invalid) / asked);
}

/// What chooses among settings: the table's choice, and the utility of its first cell.
struct Rule {
  Choice choice;
  double utility = not_measured;
  bool limits_utility() const { return choice.utility_loss < 1; }
  /// NaN on either side is no.
  bool allows(const CellReading& cell) const {
    return !limits_utility() || least_utility(cell) >= utility - choice.utility_loss - 1e-9;
  }
  /// Harm as it speaks against the setting.
  double harm(const CellReading& cell) const {
    return choice.harm == Choice::Harm::least ? cell.estimate.rate_worst_hi
                                              : -cell.estimate.rate_worst_lo;
  }
};

/// The chosen setting, or why there is none.
struct Chosen {
  const GridCell* cell = nullptr;
  std::string why = {};
  bool none_qualifies = false;
};

Chosen chosen(const LoadedGrid& grid, const Settings& settings, const Rule& rule) {
  Chosen out;
  double least = 0;
  for (const GridCell* cell : settings.cells) {
    const CellReading half = read_cell(grid, *cell, Half::choosing);
    if (!half.why.empty() || !half.shown())
      return {.why = cell->cell + ": " + (half.why.empty() ? "no run" : half.why)};
    if (!rule.allows(half)) continue;
    const double harm = rule.harm(half);
    if (out.cell != nullptr && harm >= least) continue;
    out.cell = cell;
    least = harm;
  }
  if (out.cell == nullptr && std::isnan(rule.utility)) {
    out.why = "no setting: the utility that it is held against is not known";
  } else if (out.cell == nullptr) {
    char text[96];
    std::snprintf(text, sizeof text, "no setting: none of %zu keeps utility within %.1f points",
                  settings.cells.size(), 100 * rule.choice.utility_loss);
    out.why = text;
    out.none_qualifies = true;
  }
  return out;
}

}  // namespace

bool ProbePart::has(const std::string& probe, const std::string& its_category) const {
  if (!category.empty() && its_category != category) return false;
  if (half == Half::all) return true;
  const bool chooses = sha256_hex(probe).front() < '8';
  return chooses == (half == Half::choosing);
}

std::vector<Outcome> ProbePart::of(std::vector<Outcome> all) const {
  std::erase_if(all, [&](const Outcome& o) { return !has(o.probe, o.category); });
  return all;
}

TableReading choose_settings(const LoadedGrid& grid, const Table& about) {
  TableReading out{.about = about};
  out.about.role = Table::Role::arena;
  out.about.name += "-chosen";
  out.about.cells.clear();
  Rule rule{.choice = about.choice.value()};
  for (const Settings& settings : settings_of(about)) {
    const bool first = out.cells.empty();
    Rule own = rule;
    if (first) own.choice.utility_loss = 1;  // what the others are held against
    const Chosen one = chosen(grid, settings, own);
    CellReading cell;
    if (one.cell != nullptr) {
      cell = read_cell(grid, *one.cell, Half::reporting);
      cell.setting = one.cell->cell;
      if (first) rule.utility = read_cell(grid, *one.cell, Half::choosing).estimate.utility.value;
    } else {
      cell.cell = *settings.cells.front();
      cell.cell.arm.clear();
      cell.why = one.why;
      cell.none_qualifies = one.none_qualifies;
    }
    cell.cell.cell = cell.label = settings.name;
    out.about.cells.push_back(cell.cell);
    out.cells.push_back(std::move(cell));
  }
  return out;
}

namespace {

/// A cell of an arena and the first of its table.
struct ArenaPair {
  TableReading* table;
  const CellReading *base, *cell;
};

/// Both runs of the seeds that both have.
ArmRuns runs_of(const CellReading& cell, const std::set<std::int64_t>& seeds) {
  ArmRuns out{.name = cell.label, .runs = {}};
  for (std::size_t k = 0; k < cell.outcomes.size(); ++k)
    if (cell.wanted <= 1 || seeds.contains(cell.seeds[k])) out.runs.push_back(cell.outcomes[k]);
  return out;
}

void compare_family(const std::vector<ArenaPair>& family, std::int64_t tests) {
  std::vector<ArmRuns> arms;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  std::vector<TableReading*> tables;
  for (const ArenaPair& pair : family) {
    const auto seeds = common_seeds({pair.base, pair.cell});
    ArmRuns base = runs_of(*pair.base, seeds), cell = runs_of(*pair.cell, seeds);
    if (base.runs.empty() || cell.runs.empty()) continue;  // no verdict: "no seed in common"
    pairs.emplace_back(arms.size(), arms.size() + 1);
    arms.push_back(std::move(base));
    arms.push_back(std::move(cell));
    tables.push_back(pair.table);
  }
  const auto compared = compare(arms, pairs, {.tests = tests});
  for (std::size_t i = 0; i < compared.size(); ++i) tables[i]->comparisons.push_back(compared[i]);
}

std::string arena_ties(const TableReading& table) {
  std::string tied;
  for (const Comparison& c : table.comparisons)
    if (!c.different) tied += (tied.empty() ? "" : ", ") + c.b;
  if (table.comparisons.empty()) return "";
  const std::string& base = table.comparisons.front().a;
  return tied.empty() ? "Every cell differs from " + base + "."
                      : "Not told apart from " + base + ": " + tied + ".";
}

}  // namespace

void compare_arena(std::vector<TableReading>& tables) {
  std::vector<std::pair<std::string, std::vector<ArenaPair>>> families;  // by cell
  std::int64_t tests = 0;
  for (TableReading& table : tables) {
    if (table.about.role != Table::Role::arena || table.cells.empty()) continue;
    tests += std::ssize(table.cells) - 1;
    const CellReading& base = table.cells.front();
    for (const CellReading& cell : table.cells) {
      if (&cell == &base || !cell.rated() || !base.rated() || !same_probes(base, cell)) continue;
      auto family =
          std::ranges::find(families, cell.cell.cell, [](const auto& f) { return f.first; });
      if (family == families.end()) family = families.insert(family, {cell.cell.cell, {}});
      family->second.push_back({&table, &base, &cell});
    }
  }
  for (const auto& [name, family] : families) compare_family(family, tests);
  for (TableReading& table : tables)
    if (table.about.role == Table::Role::arena) table.ties = arena_ties(table);
}

}  // namespace seawall
