#include "report/reading.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/eval/ties.hpp"

namespace seawall::report {
namespace {

/// Of one category where the cell names one.
std::vector<Outcome> outcomes_of(const EvaluationRecord& record, const std::string& category) {
  std::vector<Outcome> all = outcomes(record);
  if (!category.empty())
    std::erase_if(all, [&](const Outcome& o) { return o.category != category; });
  return all;
}

std::string where(const GridCell& cell) {
  return "no answers under `" + cell.condition + "`" +
         (cell.epoch != 0 ? " after epoch " + std::to_string(cell.epoch) : "") +
         (cell.category.empty() ? "" : " in category `" + cell.category + "`");
}

/// The runs of one cell, and what is missing of it.
CellReading read_cell(const LoadedGrid& grid, const GridCell& cell) {
  CellReading out{.cell = cell};
  out.wanted = std::count_if(grid.folder.runs.begin(), grid.folder.runs.end(),
                             [&](const GridRun& r) { return r.arm == cell.arm; });
  Runs ordinary;
  const auto found = grid.runs.find(cell.arm);
  if (found != grid.runs.end()) {
    for (const auto& [file, run] : found->second) {
      CellRun one{.seed = static_cast<std::int64_t>(run.info.seed), .run = &run};
      one.harm = find_evaluation(run, cell, "harmfulness");
      one.ordinary = find_evaluation(run, cell, "utility");
      std::vector<Outcome> harm;
      if (one.harm != nullptr) harm = outcomes_of(*one.harm, cell.category);
      if (harm.empty()) {
        out.why = file.filename().string() + " has " + where(cell);
        continue;
      }
      out.runs.push_back(one);
      out.outcomes.push_back(std::move(harm));
      out.seeds.push_back(one.seed);
      if (one.ordinary != nullptr) ordinary.push_back(outcomes(*one.ordinary));
    }
  }
  const auto have = static_cast<std::int64_t>(out.runs.size());
  out.wanted = std::max(out.wanted, have);
  if (have < out.wanted && out.why.empty())
    out.why = std::to_string(out.wanted - have) + " of " + std::to_string(out.wanted) +
              (out.wanted == 1 ? " run is missing" : " runs are missing");
  if (have == 0) return out;
  if (ordinary.size() != out.outcomes.size()) ordinary.clear();
  out.estimate = estimate_cell(out.outcomes, ordinary);
  std::vector<const EvaluationRecord*> harm;
  for (const CellRun& one : out.runs) harm.push_back(one.harm);
  out.unjudged = unjudged_reason(harm, cell.category);
  out.cut = cut_answers(harm, cell.category);
  std::vector<const RunData*> data;
  for (const CellRun& one : out.runs) data.push_back(one.run);
  out.cost = mean_budget(data, cell.epoch);
  return out;
}

/// Seeds that every repeated cell of the pairs has, so that pairs stand on the same seeds.
std::set<std::int64_t> common_seeds(const std::vector<const CellReading*>& cells) {
  std::set<std::int64_t> common;
  bool first = true;
  for (const CellReading* cell : cells) {
    if (cell->wanted <= 1) continue;
    const std::set<std::int64_t> mine(cell->seeds.begin(), cell->seeds.end());
    if (first) {
      common = mine;
    } else {
      std::erase_if(common, [&](std::int64_t s) { return !mine.contains(s); });
    }
    first = false;
  }
  return common;
}

/// Which cells cannot be told apart: within each attack, or among the neighbours of a sweep.
std::string tied_sentence(const TableReading& table, const std::vector<const CellReading*>& there) {
  if (swept(table)) {
    std::string tied;
    for (const Comparison& c : table.comparisons)
      if (!c.different) tied += (tied.empty() ? "" : "; ") + c.a + " and " + c.b;
    return tied.empty() ? "All that were compared differ." : "Not told apart: " + tied + ".";
  }
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> names;
  for (const CellReading* cell : there) {
    const std::string group = group_of(table, *cell);
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
    names[group].push_back(cell->label);
  }
  std::string out;
  for (const std::string& group : groups) {
    const std::string sentence = tied_sets(names[group], table.comparisons).sentence();
    if (!sentence.empty()) out += (out.empty() ? "" : " ") + sentence;
  }
  return out;
}

void compare_table(TableReading& table) {
  std::vector<std::size_t> place(table.cells.size(), 0);
  std::vector<const CellReading*> there;
  for (std::size_t i = 0; i < table.cells.size(); ++i) {
    place[i] = there.size();
    if (table.cells[i].rated()) there.push_back(&table.cells[i]);
  }
  const auto seeds = common_seeds(there);
  std::vector<ArmRuns> family;
  for (const CellReading* cell : there) {
    ArmRuns arm{.name = cell->label, .runs = {}};
    for (std::size_t k = 0; k < cell->outcomes.size(); ++k)
      if (cell->wanted <= 1 || seeds.contains(cell->seeds[k]))
        arm.runs.push_back(cell->outcomes[k]);
    family.push_back(std::move(arm));
  }
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const auto& [a, b] : pairs_of(table))
    if (table.cells[a].rated() && table.cells[b].rated()) pairs.emplace_back(place[a], place[b]);
  if (pairs.empty()) return;
  for (const ArmRuns& arm : family)
    if (arm.runs.empty()) {
      table.not_compared = "no seed is there in every cell";
      return;
    }
  try {
    table.comparisons = compare(family, pairs);
  } catch (const UsageError& e) {
    table.not_compared = e.what();
    return;
  }
  table.ties = tied_sentence(table, there);
}

Verdict3 verdict(bool different, double difference) {
  if (!different) return Verdict3::tied;
  return difference > 0 ? Verdict3::holds : Verdict3::contradicted;
}

/// The paper's own figures for the claims of a table, each model a family of its own.
void read_paper(const Reading& reading, const TableReading& table,
                std::vector<ClaimReading>& claims) {
  for (const std::string& model : reading.models) {
    std::vector<std::pair<ClaimReading*, TwoProportions>> tests;
    for (ClaimReading& claim : claims) {
      const auto* lower = reading.paper(table.cells[claim.claim.lower].cell, model);
      const auto* upper = reading.paper(table.cells[claim.claim.upper].cell, model);
      if (lower == nullptr || upper == nullptr || std::isnan(lower->rate) ||
          std::isnan(upper->rate))
        continue;
      tests.emplace_back(&claim, published_difference(lower->rate, upper->rate));
    }
    std::vector<double> p;
    for (const auto& [claim, test] : tests) p.push_back(test.p);
    const auto adjusted = holm(p);
    for (std::size_t i = 0; i < tests.size(); ++i)
      tests[i].first->paper.push_back(
          {model, tests[i].second, adjusted[i],
           verdict(adjusted[i] < 0.05, tests[i].second.difference.value)});
  }
}

void read_claims(const Reading& reading, TableReading& table) {
  for (const Claim& claim : claims_of(table)) {
    ClaimReading out{.claim = claim};
    const std::string &lower = table.cells[claim.lower].label,
                      &upper = table.cells[claim.upper].label;
    for (const Comparison& c : table.comparisons) {
      if (c.a == lower && c.b == upper) out.ours = c;
      if (c.a == upper && c.b == lower) {
        out.ours = c;
        std::swap(out.ours->a, out.ours->b);
        std::swap(out.ours->counts.only_a, out.ours->counts.only_b);
        out.ours->difference = {-c.difference.value, -c.difference.hi, -c.difference.lo};
      }
    }
    if (out.ours) out.here = verdict(out.ours->different, out.ours->difference.value);
    table.claims.push_back(std::move(out));
  }
  read_paper(reading, table, table.claims);
}

}  // namespace

const CellReading* TableReading::find(std::string_view cell, std::string_view condition) const {
  for (const CellReading& c : cells)
    if (c.cell.cell == cell && c.cell.condition == condition) return &c;
  return nullptr;
}

const TableReading* Reading::table(std::string_view name) const {
  for (const TableReading& t : tables)
    if (t.name == name) return &t;
  return nullptr;
}

const PublishedFigure* Reading::paper(const GridCell& cell, std::string_view model) const {
  return published_figure(published, cell, model);
}

std::string hash_of(const RunData& run, std::string_view name) {
  for (const auto& [key, value] : run.info.hashes)
    if (key == name) return value;
  return "";
}

std::string option_of(const RunData& run, const std::string& name) {
  const auto config = nlohmann::json::parse(run.info.config_json, nullptr, false);
  if (!config.is_object() || !config.contains("options")) return "";
  const auto& options = config["options"];
  const auto found = options.find(name);
  return found != options.end() && found->is_string() ? found->get<std::string>() : "";
}

Reading read_cells(LoadedGrid grid, std::vector<PublishedFigure> published) {
  Reading out{.grid = std::move(grid), .published = std::move(published)};
  for (const PublishedFigure& p : out.published)
    if (std::find(out.models.begin(), out.models.end(), p.model) == out.models.end())
      out.models.push_back(p.model);
  for (const GridCell& cell : out.grid.folder.grid.cells) {
    auto table = std::find_if(out.tables.begin(), out.tables.end(),
                              [&](const TableReading& t) { return t.name == cell.table; });
    if (table == out.tables.end()) {
      auto [title, lead] = table_words(cell.table);
      out.tables.push_back({.name = cell.table, .title = title, .lead = lead});
      table = std::prev(out.tables.end());
    }
    table->cells.push_back(read_cell(out.grid, cell));
  }
  for (TableReading& table : out.tables) {
    for (CellReading& c : table.cells) {
      const bool twice = std::count_if(table.cells.begin(), table.cells.end(), [&](const auto& o) {
                           return o.cell.cell == c.cell.cell;
                         }) > 1;
      c.label = c.cell.cell;
      if (twice || c.cell.condition != "plain") c.label += " (" + c.cell.condition + ")";
    }
    compare_table(table);
    read_claims(out, table);
  }
  return out;
}

}  // namespace seawall::report
