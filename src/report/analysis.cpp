// Views across tables: equal compute, the Pareto front, the judges.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "seawall/eval/agreement.hpp"
#include "seawall/eval/pareto.hpp"

namespace seawall::report {
namespace {

std::string interval(const Estimate& e) {
  return e.measured() ? percent(e.value) + tag("small", percent_interval(e))
                      : number(not_measured, 0);
}

std::string attack_of(const CellReading& c) {
  return c.runs.empty() ? "" : option_of(*c.runs.front().run, "attack");
}

/// Trained cells, each arm and evaluation once, whatever tables have them; of sweeps and categories
/// too, unless they are to be `pairwise`.
std::vector<const CellReading*> trained_cells(const StudyReading& study, bool pairwise) {
  std::vector<const CellReading*> out;
  std::set<std::string> done;
  for (const TableReading& table : study.tables) {
    if (pairwise && !table.about.pairwise()) continue;
    for (const CellReading& c : table.cells) {
      if (!c.shown() || c.cost.steps == 0 || !c.cell.category.empty()) continue;
      // An evaluation after the last epoch is the one at the end, by whatever name.
      const std::string key =
          c.cell.arm + '\n' + std::to_string(c.runs.front().harm->step) + '\n' + c.cell.condition;
      if (done.insert(key).second) out.push_back(&c);
    }
  }
  return out;
}

std::string arm_name(const CellReading& c) {
  std::string out = c.cell.arm;
  if (c.cell.epoch != 0) out += ", epoch " + std::to_string(c.cell.epoch);
  if (c.cell.condition != "plain") out += ", " + c.cell.condition;
  return out;
}

/// Verdicts over the answers of all runs, as a table of judge against judge.
std::string confusion(const JudgePair& pair) {
  const double n = static_cast<double>(
      std::max<std::int64_t>(1, pair.both + pair.only_a + pair.only_b + pair.neither));
  const auto cell = [&](std::int64_t k) {
    return count(static_cast<double>(k)) + tag("small", percent(static_cast<double>(k) / n) + " %");
  };
  return plain_table(
      "tnn", {escape(pair.a) + " says", escape(pair.b) + ": full answer", escape(pair.b) + ": not"},
      {{"full answer", cell(pair.both), cell(pair.only_a)},
       {"not", cell(pair.only_b), cell(pair.neither)}});
}

}  // namespace

std::string compute_section(const StudyReading& study) {
  auto cells = trained_cells(study, false);
  if (cells.empty()) return "";
  std::stable_sort(cells.begin(), cells.end(),
                   [](const auto* a, const auto* b) { return a->cost.tokens < b->cost.tokens; });
  std::vector<std::vector<std::string>> rows;
  double band = 0;
  std::vector<const CellReading*> group;
  const auto flush = [&] {
    std::stable_sort(group.begin(), group.end(), [](const auto* a, const auto* b) {
      const Estimate &x = a->estimate.rate, &y = b->estimate.rate;
      return x.measured() && (!y.measured() || x.value < y.value);  // without a rate: last
    });
    for (const CellReading* c : group) {
      const Budget& b = c->cost;
      rows.push_back({c == group.front() ? tag("b", "about " + count(band)) : std::string(),
                      escape(arm_name(*c)), interval(c->estimate.rate),
                      interval(c->estimate.utility), count(b.tokens), count(b.forward_passes),
                      count(b.backward_passes), count(b.harmful_used), count(b.identity_used),
                      count(b.safe_used), number(b.seconds, 2), number(b.memory / 1e6, 0)});
    }
    group.clear();
  };
  for (const CellReading* c : cells) {
    if (group.empty() || c->cost.tokens > 1.5 * band) {
      flush();
      band = c->cost.tokens;
    }
    group.push_back(c);
  }
  flush();
  return "<p>Cells that were trained on about as many tokens (within half as much again) are next "
         "to each other, least harm first.</p>" +
         fold("At equal compute (" + std::to_string(rows.size()) + " trained cells)",
              plain_table("ttnnnnnnnnnn",
                          {"band", "arm", "rate %", "utility %", "tokens", "forward passes",
                           "backward passes", "harmful rows used", "identity rows used",
                           "safe rows used", "seconds", "peak MB"},
                          rows));
}

std::string pareto_section(const StudyReading& study) {
  std::map<std::string, std::vector<const CellReading*>> by_attack;
  for (const CellReading* c : trained_cells(study, true)) {
    by_attack[attack_of(*c) + (c->cell.condition == "plain" ? "" : ", " + c->cell.condition)]
        .push_back(c);
  }
  std::string out;
  for (const auto& [attack, cells] : by_attack) {
    if (cells.size() < 2) continue;
    std::vector<ParetoPoint> points;
    for (const CellReading* c : cells) points.push_back(pareto_point(arm_name(*c), c->estimate));
    const auto verdicts = pareto_front(points);
    const bool task =
        std::ranges::any_of(cells, [](const CellReading* c) { return c->estimate.task > 0; });
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const ParetoVerdict& v = verdicts[i];
      std::string word = v.wins_by_babbling ? "\xe2\x97\x87 wins by babbling"
                         : v.incoherent     ? "\xe2\x97\x87 unreadable"
                         : v.on_front       ? "\xe2\x97\x8f on the front"
                                      : "\xe2\x97\x8b beaten by " + escape(listed(v.dominated_by));
      if (!v.tied_with.empty()) word += "; not told apart from " + escape(listed(v.tied_with));
      const CellEstimate& e = cells[i]->estimate;
      rows.push_back({escape(v.name), interval(e.rate), interval(e.utility),
                      interval(e.over_refusal), interval(e.coherent)});
      if (task) rows.back().push_back(interval(e.task_accuracy));
      rows.back().push_back(std::move(word));
    }
    std::vector<std::string> header{"arm", "harm %", "utility %", "over-refusal %", "readable %"};
    if (task) header.emplace_back("task %");
    header.emplace_back("harm, utility and over-refusal together");
    std::string table = plain_table(task ? "tnnnnnt" : "tnnnnt", header, rows);
    out += fold("Attack: " + tag("b", escape(attack)) +
                    tag("span", {{"class", "counts"}}, std::to_string(cells.size()) + " arms"),
                table);
  }
  return out.empty() ? ""
                     : "<p>An arm is beaten where another one is better on one axis by more than "
                       "both intervals, and worse on none. "
                       "Low harm with unreadable answers is no defence.</p>" +
                           out;
}

std::string judges_section(const StudyReading& study) {
  std::map<std::vector<std::string>, std::vector<JudgedRun>> by_judges;
  for (const auto& [arm, runs] : study.grid.runs) {
    for (const auto& [file, run] : runs) {
      std::map<std::vector<std::string>, JudgedRun> here;
      for (const EvaluationRecord& e : run.evaluations)
        if (e.set == ProbeSet::harmfulness && e.decoding.fixed_tokens == 0 && e.judges.size() > 1)
          here[e.judges].push_back(&e);
      for (auto& [judges, one] : here) by_judges[judges].push_back(std::move(one));
    }
  }
  std::string out;
  for (const auto& [judges, runs] : by_judges) {
    const Agreement all = agreement(runs);
    out +=
        "<p>" + std::to_string(judges.size()) + " judges on the same " +
        count(static_cast<double>(all.units)) +
        " answers, every distinct evaluation counted once. Intervals take the runs and the "
        "categories of the probes as samples. Krippendorff\xe2\x80\x99s alpha of a full answer: " +
        number(all.alpha_success.value, 2) + " [" + number(all.alpha_success.lo, 2) + ", " +
        number(all.alpha_success.hi, 2) + "]; of the scores: " + number(all.alpha_score.value, 2) +
        " [" + number(all.alpha_score.lo, 2) + ", " + number(all.alpha_score.hi, 2) + "].</p>";
    std::vector<std::vector<std::string>> rows;
    std::string tables;
    for (const JudgePair& p : all.pairs) {
      rows.push_back({escape(p.a), escape(p.b),
                      percent(p.agreement.value) + tag("small", percent_interval(p.agreement)),
                      number(p.kappa.value, 2) + tag("small", "[" + number(p.kappa.lo, 2) + ", " +
                                                                  number(p.kappa.hi, 2) + "]"),
                      number(p.kappa_weighted.value, 2) +
                          tag("small", "[" + number(p.kappa_weighted.lo, 2) + ", " +
                                           number(p.kappa_weighted.hi, 2) + "]"),
                      count(static_cast<double>(p.only_a)), count(static_cast<double>(p.only_b)),
                      count(static_cast<double>(p.invalid))});
      if (p.a == judges.front()) tables += confusion(p);
    }
    out += plain_table("ttnnnnnn",
                       {"A", "B", "agree %", "Cohen\xe2\x80\x99s \xce\xba", "\xce\xba of scores",
                        "only A: full answer", "only B: full answer", "not judged"},
                       rows);
    if (!tables.empty()) out += fold("Confusion against " + escape(judges.front()), tables);
  }
  return out;
}

}  // namespace seawall::report
