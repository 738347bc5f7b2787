#include "seawall/study/reading.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/eval/ties.hpp"
#include "study/choice.hpp"

namespace seawall {
namespace {

/// The evaluation that a cell reads: of its condition and epoch (0: the last), or nullptr.
const EvaluationRecord* find_evaluation(const RunData& run, const GridCell& cell, ProbeSet set) {
  const EvaluationRecord* found = nullptr;
  for (const auto& e : run.evaluations) {
    if (e.set != set || e.condition != cell.condition) continue;
    if (cell.epoch != 0 && e.epoch != cell.epoch) continue;
    if (found == nullptr || e.step >= found->step) found = &e;
  }
  return found;
}

/// The most frequent reason for which the first judge could not judge answers of a part of the
/// probes, with its count: "no connection (12 of 30)"; "" if all were judged.
std::string unjudged_reason(const std::vector<CellRun>& runs, const ProbePart& part) {
  std::vector<std::string> reasons;
  for (const CellRun& run : runs)
    for (const ProbeResult& r : run.harm->results)
      if (const Verdict& v = r.verdicts.at(0); !v.valid && part.has(r.probe_id, r.category))
        reasons.push_back(v.reason);
  if (reasons.empty()) return "";
  const CommonReason most = common_reason(reasons);
  return most.text + " (" + std::to_string(most.count) + " of " + std::to_string(most.all) + ")";
}

std::string where(const GridCell& cell) {
  return "no answers under `" + cell.condition + "`" +
         (cell.epoch != 0 ? " after epoch " + std::to_string(cell.epoch) : "") +
         (cell.category.empty() ? "" : " in category `" + cell.category + "`");
}

}  // namespace

CellReading read_cell(const LoadedGrid& grid, const GridCell& cell, Half half) {
  const ProbePart part{cell.category, half}, other_part{.half = half};
  CellReading out{.cell = cell};
  out.wanted = std::count_if(grid.folder.runs.begin(), grid.folder.runs.end(),
                             [&](const GridRun& r) { return r.arm == cell.arm; });
  Runs ordinary, task;
  const auto found = grid.runs.find(cell.arm);
  if (found != grid.runs.end()) {
    for (const auto& [file, run] : found->second) {
      CellRun one{.seed = static_cast<std::int64_t>(run.info.seed), .run = &run};
      one.harm = find_evaluation(run, cell, ProbeSet::harmfulness);
      one.ordinary = find_evaluation(run, cell, ProbeSet::utility);
      std::vector<Outcome> harm;
      if (one.harm != nullptr) harm = part.of(outcomes(*one.harm));
      if (harm.empty()) {
        out.why = file.filename().string() + " has " + where(cell);
        continue;
      }
      out.runs.push_back(one);
      out.outcomes.push_back(std::move(harm));
      out.seeds.push_back(one.seed);
      if (one.ordinary != nullptr) ordinary.push_back(other_part.of(outcomes(*one.ordinary)));
      if (const auto* asked = find_evaluation(run, cell, ProbeSet::task); asked != nullptr)
        task.push_back(other_part.of(outcomes(*asked)));
    }
  }
  const auto have = static_cast<std::int64_t>(out.runs.size());
  out.wanted = std::max(out.wanted, have);
  if (have < out.wanted && out.why.empty())
    out.why = std::to_string(out.wanted - have) + " of " + std::to_string(out.wanted) +
              (out.wanted == 1 ? " run is missing" : " runs are missing");
  if (const auto broken = grid.broken.find(cell.arm); broken != grid.broken.end())
    out.why += "; " + broken->second;
  if (have == 0) return out;
  for (Runs* other : {&ordinary, &task})
    if (other->size() != out.outcomes.size() || other->front().empty()) other->clear();
  out.estimate = estimate_cell(out.outcomes, ordinary, task);
  out.ordinary_outcomes = std::move(ordinary);
  out.unjudged = unjudged_reason(out.runs, part);
  std::vector<const RunData*> data;
  for (const CellRun& one : out.runs) {
    out.cut += std::ranges::count_if(one.harm->results, [&](const ProbeResult& r) {
      return !r.finished && r.no_answer.empty() && part.has(r.probe_id, r.category);
    });
    data.push_back(one.run);
  }
  out.cost = mean_budget(data, cell.epoch);
  return out;
}

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

namespace {

/// Which cells cannot be told apart: within each group, or of the pairs that were compared.
std::string tied_sentence(const TableReading& table) {
  if (!table.about.pairwise()) {
    std::string tied;
    for (const Comparison& c : table.comparisons)
      if (!c.different) tied += (tied.empty() ? "" : "; ") + c.a + " and " + c.b;
    return tied.empty() ? "All that were compared differ." : "Not told apart: " + tied + ".";
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const CellReading& cell : table.cells) {
    if (!cell.rated()) continue;
    if (auto found = std::ranges::find(groups, cell.cell.group, [](auto& g) { return g.first; });
        found != groups.end())
      found->second.push_back(cell.label);
    else
      groups.push_back({cell.cell.group, {cell.label}});
  }
  std::string out;
  for (const auto& [group, names] : groups) {
    const std::string sentence = tied_sets(names, table.comparisons).sentence();
    if (!sentence.empty()) out += (out.empty() ? "" : " ") + sentence;
  }
  return out;
}

}  // namespace

bool same_probes(const CellReading& a, const CellReading& b) {
  return std::ranges::equal(a.outcomes.front(), b.outcomes.front(), [](auto& o, auto& p) {
    return o.probe == p.probe && o.category == p.category;
  });
}

namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

/// The pairs of cells that are compared, of those that have a rate.
Pairs pairs_of(const TableReading& table) {
  Pairs out;
  const auto add = [&](std::size_t a, std::size_t b) {
    const std::pair<std::size_t, std::size_t> pair{std::min(a, b), std::max(a, b)};
    const CellReading &first = table.cells[pair.first], &second = table.cells[pair.second];
    if (first.rated() && second.rated() && same_probes(first, second) &&
        std::ranges::find(out, pair) == out.end())
      out.push_back(pair);
  };
  if (table.about.pairwise())
    for (std::size_t a = 0; a < table.cells.size(); ++a)
      for (std::size_t b = a + 1; b < table.cells.size(); ++b)
        if (table.cells[a].cell.group == table.cells[b].cell.group) add(a, b);
  for (const ClaimReading& c : table.claims) add(c.lower, c.upper);
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
  Pairs pairs = pairs_of(table);
  for (auto& [a, b] : pairs) a = place[a], b = place[b];
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
  table.ties = tied_sentence(table);
}

Finding finding(bool different, double difference) {
  if (!different) return Finding::tied;
  return difference > 0 ? Finding::holds : Finding::contradicted;
}

TwoProportions published_difference(const PublishedFigure& lower, const PublishedFigure& upper) {
  const auto count = [](const PublishedFigure& p) {
    return std::llround(p.rate / 100 * static_cast<double>(p.probes));
  };
  return two_proportions(count(lower), lower.probes, count(upper), upper.probes);
}

/// The published figures for the claims of a table, each model a family of its own.
void read_published(const std::vector<std::string>& models, TableReading& table) {
  for (const std::string& model : models) {
    std::vector<std::pair<ClaimReading*, TwoProportions>> tests;
    for (ClaimReading& claim : table.claims) {
      const auto* lower = table.published(table.cells[claim.lower].cell, model);
      const auto* upper = table.published(table.cells[claim.upper].cell, model);
      if (lower != nullptr && upper != nullptr && !std::isnan(lower->rate) &&
          !std::isnan(upper->rate))
        tests.emplace_back(&claim, published_difference(*lower, *upper));
    }
    std::vector<double> p;
    for (const auto& [claim, test] : tests) p.push_back(test.p);
    const auto adjusted = holm(p);
    for (std::size_t i = 0; i < tests.size(); ++i)
      tests[i].first->published.push_back(
          {model, tests[i].second, adjusted[i],
           finding(adjusted[i] < 0.05, tests[i].second.difference.value)});
  }
}

/// The claims of a table whose cells are there.
void find_claims(TableReading& table) {
  const auto place = [&](const CellName& name) {
    return static_cast<std::size_t>(table.find(name.cell, name.condition) - table.cells.data());
  };
  for (const Ordering& one : table.about.orderings)
    if (table.find(one.lower.cell, one.lower.condition) != nullptr &&
        table.find(one.upper.cell, one.upper.condition) != nullptr)
      table.claims.push_back({place(one.lower), place(one.upper), one.text, {}});
}

void judge_claims(TableReading& table) {
  for (ClaimReading& claim : table.claims) {
    const std::string &lower = table.cells[claim.lower].label,
                      &upper = table.cells[claim.upper].label;
    for (const Comparison& c : table.comparisons) {
      if (c.a == lower && c.b == upper) claim.ours = c;
      if (c.a == upper && c.b == lower) {
        claim.ours = c;
        std::swap(claim.ours->a, claim.ours->b);
        std::swap(claim.ours->counts.only_a, claim.ours->counts.only_b);
        claim.ours->difference = {-c.difference.value, -c.difference.hi, -c.difference.lo};
      }
    }
    if (claim.ours) claim.here = finding(claim.ours->different, claim.ours->difference.value);
  }
}

nlohmann::json config_of(const RunData& run) {
  return nlohmann::json::parse(run.info.config_json, nullptr, false);
}

}  // namespace

bool TableReading::asks_task() const {
  return std::ranges::any_of(cells, [](const CellReading& c) { return c.estimate.task > 0; });
}

const CellReading* TableReading::find(std::string_view cell, std::string_view condition) const {
  for (const CellReading& c : cells)
    if (c.cell.cell == cell && c.cell.condition == condition) return &c;
  return nullptr;
}

std::vector<std::string> TableReading::models() const {
  std::vector<std::string> out;
  for (const PublishedFigure& p : about.published)
    if (std::ranges::find(out, p.model) == out.end()) out.push_back(p.model);
  return out;
}

const PublishedFigure* TableReading::published(const GridCell& cell, std::string_view model) const {
  if (!cell.category.empty()) return nullptr;
  for (const PublishedFigure& p : about.published)
    if (p.cell == cell.published_name() && p.condition == cell.condition && p.model == model)
      return &p;
  return nullptr;
}

Estimate published_rate(const PublishedFigure& figure) {
  if (std::isnan(figure.rate)) return no_estimate;
  const double n = static_cast<double>(figure.probes);
  return wilson(std::round(figure.rate / 100 * n), n);
}

std::vector<MeasuredNumber> measured_of(const RunData& run) {
  const auto config = config_of(run);
  std::vector<MeasuredNumber> out;
  std::vector<std::string> groups;
  if (!config.is_object() || !config.contains("mitigations")) return out;
  for (const auto& mitigation : config["mitigations"]) {
    const std::string name = mitigation.value("name", "");
    std::string group = name;  // as Joined::groups calls a second of the same kind
    for (int n = 2; std::ranges::find(groups, group) != groups.end(); ++n)
      group = name + "-" + std::to_string(n);
    groups.push_back(group);
    for (const auto& [key, value] : run.info.numbers)
      if (key.starts_with(group + "_")) out.push_back({group, key.substr(group.size() + 1), value});
  }
  return out;
}

std::string hash_of(const RunData& run, std::string_view name) {
  for (const auto& [key, value] : run.info.hashes)
    if (key == name) return value;
  return "";
}

std::string option_of(const RunData& run, const std::string& name) {
  const auto config = config_of(run);
  if (!config.is_object() || !config.contains("options")) return "";
  const auto& options = config["options"];
  const auto found = options.find(name);
  return found != options.end() && found->is_string() ? found->get<std::string>() : "";
}

StudyReading read_study(LoadedGrid grid) {
  StudyReading out{.grid = std::move(grid)};
  for (const Table& about : out.grid.folder.grid.tables) {
    TableReading table{.about = about};
    for (std::string& model : table.models())
      if (std::ranges::find(out.models, model) == out.models.end())
        out.models.push_back(std::move(model));
    for (const GridCell& cell : about.cells) {
      table.cells.push_back(read_cell(out.grid, cell));
      table.cells.back().label = about.label(cell);
    }
    find_claims(table);
    compare_table(table);
    judge_claims(table);
    out.tables.push_back(std::move(table));
    if (about.choice) out.tables.push_back(choose_settings(out.grid, about));
  }
  compare_arena(out.tables);
  for (TableReading& table : out.tables) read_published(out.models, table);
  return out;
}

}  // namespace seawall
