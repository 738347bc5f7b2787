#include "seawall/study/results.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/loss_course.hpp"
#include "seawall/core/reasons.hpp"

namespace seawall {
namespace {

std::string number(const char* format, double value) {
  if (std::isnan(value)) return "";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string score_text(const Estimate& e) {
  if (!e.measured()) return "-";
  return number("%.2f", e.value) + " [" + number("%.2f", e.lo) + ", " + number("%.2f", e.hi) + "]";
}

}  // namespace

double number_of(const RunData& run, std::string_view name) {
  for (const auto& [key, value] : run.info.numbers)
    if (key == name) return value;
  return kNotMeasured;
}

std::vector<PublishedFigure> read_published(const std::filesystem::path& file) {
  std::istringstream in(read_file(file));
  std::vector<PublishedFigure> out;
  std::string line;
  std::getline(in, line);
  if (line != "table,cell,condition,model,score,rate")
    throw DataError(file.string() +
                    ": line 1: want the header table,cell,condition,model,score,rate");
  for (int count = 2; std::getline(in, line); ++count) {
    std::vector<std::string> f;
    std::istringstream fields(line + ",");
    for (std::string word; std::getline(fields, word, ',');) f.push_back(word);
    if (f.size() != 6)
      throw DataError(file.string() + ": line " + std::to_string(count) + ": want 6 fields, got " +
                      std::to_string(f.size()));
    const auto value = [](const std::string& text) {
      return text.empty() ? kNotMeasured : std::stod(text);
    };
    out.push_back({f[0], f[1], f[2], f[3], value(f[4]), value(f[5])});
  }
  return out;
}

const PublishedFigure* published_figure(const std::vector<PublishedFigure>& published,
                                        const GridCell& cell, std::string_view model) {
  if (!cell.category.empty()) return nullptr;
  for (const auto& p : published)
    if (p.table == cell.table && p.cell == cell.published_name() && p.condition == cell.condition &&
        p.model == model)
      return &p;
  return nullptr;
}

Budget budget_of(const RunData& run, std::int64_t until_epoch) {
  Budget b;
  double epochs = 0;
  std::vector<StepRecord> steps;
  for (const StepRecord& s : run.steps) {
    if (until_epoch != 0 && s.epoch >= until_epoch) continue;
    steps.push_back(s);
    b.steps += 1;
    b.tokens += static_cast<double>(s.tokens);
    b.seconds += s.seconds;
    b.moved += s.moved;
    b.drift = s.drift;
    epochs = std::max(epochs, static_cast<double>(s.epoch + 1));
  }
  if (b.steps > 0) b.moved /= b.steps;
  const double all = static_cast<double>(run.steps.size());
  const double share = all > 0 ? b.steps / all : 1;
  b.forward_passes = share * number_of(run, "forward_passes");
  b.backward_passes = share * number_of(run, "backward_passes");
  b.rows = number_of(run, "rows");
  b.harmful_rows = number_of(run, "rows_harmful");
  b.identity_rows = number_of(run, "rows_identity-shift");
  b.safe_rows = number_of(run, "rows_safe");
  b.harmful_used = b.harmful_rows * epochs;
  b.identity_used = b.identity_rows * epochs;
  b.safe_used = b.safe_rows * epochs;
  b.memory = number_of(run, "peak_memory_bytes");
  const LossCourse course = loss_course(steps);
  b.loss_first = course.first;
  b.loss_last = course.last;
  b.diverged = course.note().empty() ? 0 : 1;
  return b;
}

Budget mean_budget(const std::vector<const RunData*>& runs, std::int64_t until_epoch) {
  constexpr double Budget::*kFields[] = {
      &Budget::steps,        &Budget::forward_passes, &Budget::backward_passes, &Budget::tokens,
      &Budget::rows,         &Budget::harmful_rows,   &Budget::identity_rows,   &Budget::safe_rows,
      &Budget::harmful_used, &Budget::identity_used,  &Budget::safe_used,       &Budget::seconds,
      &Budget::memory,       &Budget::moved,          &Budget::drift,           &Budget::loss_first,
      &Budget::loss_last,    &Budget::diverged};
  Budget mean;
  for (const RunData* run : runs) {
    const Budget one = budget_of(*run, until_epoch);
    for (const auto field : kFields) mean.*field += one.*field / static_cast<double>(runs.size());
  }
  return mean;
}

const EvaluationRecord* find_evaluation(const RunData& run, const GridCell& cell,
                                        std::string_view set) {
  const EvaluationRecord* found = nullptr;
  for (const auto& e : run.evaluations) {
    if (e.set != set || e.condition != cell.condition) continue;
    if (cell.epoch != 0 && e.epoch != cell.epoch) continue;
    if (found == nullptr || e.step >= found->step) found = &e;
  }
  return found;
}

Runs cell_outcomes(const LoadedGrid& grid, const GridCell& cell, const std::string& set,
                   std::size_t judge) {
  Runs out;
  const auto runs = grid.runs.find(cell.arm);
  if (runs == grid.runs.end()) return out;
  for (const auto& [file, run] : runs->second) {
    const auto& all = run.evaluations;
    if (set != "harmfulness" &&
        std::none_of(all.begin(), all.end(), [&](const auto& e) { return e.set == set; }))
      return {};
    const EvaluationRecord* found = find_evaluation(run, cell, set);
    if (found == nullptr)
      throw DataError(file.string() + ": no evaluation of " + set + " under `" + cell.condition +
                      "`" + (cell.epoch != 0 ? " after epoch " + std::to_string(cell.epoch) : "") +
                      " for cell " + cell.table + "/" + cell.cell);
    auto one = outcomes(*found, judge);
    if (set == "harmfulness" && !cell.category.empty()) {
      std::erase_if(one, [&](const Outcome& o) { return o.category != cell.category; });
      if (one.empty())
        throw DataError(file.string() + ": no probe of category `" + cell.category + "` for cell " +
                        cell.table + "/" + cell.cell);
    }
    out.push_back(std::move(one));
  }
  return out;
}

std::string unjudged_reason(const std::vector<const EvaluationRecord*>& evaluations,
                            const std::string& category) {
  std::vector<std::string> reasons;
  for (const EvaluationRecord* e : evaluations)
    for (const ProbeResult& r : e->results)
      if (const Verdict& v = r.verdicts.at(0);
          !v.valid && (category.empty() || r.category == category))
        reasons.push_back(v.reason);
  if (reasons.empty()) return "";
  const CommonReason most = common_reason(reasons);
  return most.text + " (" + std::to_string(most.count) + " of " + std::to_string(most.all) + ")";
}

std::int64_t cut_answers(const std::vector<const EvaluationRecord*>& evaluations,
                         const std::string& category) {
  std::int64_t cut = 0;
  for (const EvaluationRecord* e : evaluations) cut += cut_answers(*e, category);
  return cut;
}

std::vector<GridResult> collect(const LoadedGrid& grid) {
  std::vector<GridResult> results;
  for (const auto& cell : grid.folder.grid.cells) {
    const auto runs = grid.runs.find(cell.arm);
    if (runs == grid.runs.end()) continue;
    std::vector<const RunData*> data;
    std::vector<const EvaluationRecord*> harm;
    const Runs outcomes = cell_outcomes(grid, cell, "harmfulness");
    for (const auto& [file, run] : runs->second) {
      data.push_back(&run);
      harm.push_back(find_evaluation(run, cell, "harmfulness"));
    }
    results.push_back({cell, estimate_cell(outcomes, cell_outcomes(grid, cell, "utility")),
                       mean_budget(data, cell.epoch), unjudged_reason(harm, cell.category),
                       cut_answers(harm, cell.category)});
  }
  return results;
}

std::string results_csv(const std::vector<GridResult>& results) {
  std::string out = "table,cell,condition,category,arm,seeds,n,invalid,cut_answers";
  for (const char* measure : {"score", "rate", "utility", "over_refusal", "coherent"})
    for (const char* end : {"", "_lo", "_hi"}) out += std::string(",") + measure + end;
  out += ",steps,forward_passes,backward_passes,tokens,rows,harmful_rows,identity_rows";
  out += ",safe_rows,seconds,memory_mb,moved,drift,loss_first,loss_last,diverged\n";
  for (const auto& [cell, e, b, unjudged, cut] : results) {
    for (const auto& text : {cell.table, cell.cell, cell.condition, cell.category, cell.arm})
      out += text + ",";
    out += std::to_string(e.seeds) + "," + std::to_string(e.n) + "," + std::to_string(e.invalid) +
           "," + std::to_string(cut);
    // Four digits, so that rounding them to the one that is printed is rounding once. Where nothing
    // was judged there is neither a figure nor an interval.
    const auto add = [&out](const Estimate& one, double scale) {
      for (const double v : {one.value, one.lo, one.hi})
        out += "," + (one.measured() ? number("%.4f", scale * v) : "");
    };
    add(e.score, 1);
    for (const auto* share : {&e.rate, &e.utility, &e.over_refusal, &e.coherent}) add(*share, 100);
    for (const double v : {b.steps, b.forward_passes, b.backward_passes, b.tokens, b.rows,
                           b.harmful_rows, b.identity_rows, b.safe_rows})
      out += "," + number("%.0f", v);
    out += "," + number("%.3f", b.seconds) + "," + number("%.0f", b.memory / 1e6) + "," +
           number("%.4f", b.moved) + "," + number("%.4f", b.drift) + "," +
           number("%.4f", b.loss_first) + "," + number("%.4f", b.loss_last) + "," +
           number("%.0f", b.diverged * static_cast<double>(e.seeds)) + "\n";
  }
  return out;
}

std::string results_table(const std::vector<GridResult>& results,
                          const std::vector<PublishedFigure>& published,
                          const std::map<std::string, std::string>& under) {
  const auto paper = [&](const GridCell& cell, const char* model) -> std::string {
    const auto* figure = published_figure(published, cell, model);
    return figure == nullptr || std::isnan(figure->rate) ? "-" : number("%.1f", figure->rate);
  };
  std::string out, table;
  char line[256];
  const auto end_table = [&] {
    if (const auto said = under.find(table); said != under.end()) out += "  " + said->second + "\n";
  };
  for (const auto& [cell, e, budget, unjudged, cut] : results) {
    if (cell.table != table) {
      end_table();
      std::snprintf(line, sizeof line, "\n%-36s %-10s %5s %18s %21s %5s %9s %9s   %-14s\n",
                    cell.table.c_str(), "condition", "seeds", "score [95 %]", "rate % [95 %]",
                    "cut", "utility %", "refused %", "paper % GPT-3.5 / Llama-2");
      out += line;
      table = cell.table;
    }
    const auto share = [](const Estimate& s) {
      return s.measured() ? number("%.1f", 100 * s.value) : std::string("-");
    };
    std::snprintf(line, sizeof line, "  %-34s %-10s %5lld %18s %21s %5lld %9s %9s   %s / %s\n",
                  cell.cell.c_str(), cell.condition.c_str(), static_cast<long long>(e.seeds),
                  score_text(e.score).c_str(), percent_text(e.rate).c_str(),
                  static_cast<long long>(cut), share(e.utility).c_str(),
                  share(e.over_refusal).c_str(), paper(cell, "GPT-3.5 Turbo").c_str(),
                  paper(cell, "Llama-2-7b-Chat").c_str());
    out += line;
    if (e.invalid > 0)
      out += "    " + std::to_string(e.invalid) + " answers could not be judged" +
             (e.rate.measured() ? ", the interval spans both readings" : ", so there is no rate") +
             "; most often: " + unjudged + "\n";
    if (budget.diverged > 0)
      out += "    in " + number("%.0f", budget.diverged * static_cast<double>(e.seeds)) + " of " +
             std::to_string(e.seeds) +
             " runs the loss diverged or ended above where it began (mean " +
             number("%.3f", budget.loss_first) + " to " + number("%.3f", budget.loss_last) + ")\n";
    if (e.coherent.measured() && e.coherent.value < 0.9)
      out += "    only " + share(e.coherent) + " % of the answers are readable\n";
  }
  end_table();
  return out;
}

}  // namespace seawall
