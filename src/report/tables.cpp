// Tables with intervals, the paper's figures beside them, and what is folded under them.
#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "seawall/core/loss_course.hpp"

namespace seawall::report {
namespace {

std::string at(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f", 4 + 200 * share);
  return text;
}

std::string span(const Estimate& e, const char* y, const char* name) {
  return "<line class=\"" + std::string(name) + "\" x1=\"" + at(e.lo) + "\" x2=\"" + at(e.hi) +
         "\" y1=\"" + y + "\" y2=\"" + y + "\"></line>";
}

/// Ours as a dot with its interval, the paper's models as open marks below it, on 0 to 100 %.
std::string interval_plot(const Estimate& ours, const std::vector<Estimate>& paper) {
  std::string out = "<path class=\"ax\" d=\"M4 1V25M54 1V25M104 1V25M154 1V25M204 1V25\"></path>";
  if (ours.measured())
    out += span(ours, "8", "us") + "<circle class=\"us\" cx=\"" + at(ours.value) +
           "\" cy=\"8\" r=\"3.4\"></circle>";
  for (std::size_t i = 0; i < paper.size(); ++i) {
    if (!paper[i].measured()) continue;
    const std::string x = at(paper[i].value);
    out += span(paper[i], i == 0 ? "16" : "22", "them");
    out += i == 0 ? "<path class=\"them\" d=\"M" + x + " 12.6l3.4 3.4l-3.4 3.4l-3.4-3.4z\"></path>"
                  : "<path class=\"them\" d=\"M" + x + " 19.2m-2.8 0h5.6v5.6h-5.6z\"></path>";
  }
  return tag("svg", {{"class", "iv"}, {"viewBox", "0 0 208 26"}, {"aria-hidden", "true"}}, out);
}

std::string stacked(const std::string& value, const std::string& interval) {
  return value + (interval.empty() ? "" : tag("small", interval));
}

std::string share(const Estimate& e) {
  return e.measured() ? stacked(percent(e.value), percent_interval(e)) : number(not_measured, 0);
}

/// A number with four digits that count.
std::string significant(double value) {
  if (std::isnan(value)) return number(value, 0);
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string score(const Estimate& e) {
  if (!e.measured()) return number(not_measured, 0);
  return stacked(number(e.value, 2), "[" + number(e.lo, 2) + ", " + number(e.hi, 2) + "]");
}

/// What is wrong with the losses of the runs: "in 2 of 3 runs (seeds 0 and 2): the loss ...".
std::string loss_notes(const CellReading& c) {
  std::vector<std::string> seeds;
  std::string first;
  for (const CellRun& r : c.runs) {
    const std::string note = loss_course(r.run->steps).note();
    if (note.empty()) continue;
    if (seeds.empty()) first = note;
    seeds.push_back(std::to_string(r.seed));
  }
  if (seeds.empty()) return "";
  return "in " + std::to_string(seeds.size()) + " of " + std::to_string(c.runs.size()) +
         (c.runs.size() == 1 ? " run" : " runs") + " (seed" + (seeds.size() == 1 ? " " : "s ") +
         listed(seeds) + "): " + first;
}

/// "2 of 3 seeds", answers that no judge could read with the most frequent reason, and runs whose
/// loss went wrong.
std::string marks(const CellReading& c) {
  std::string out;
  if (c.cell.published_name() != c.cell.cell)
    out += tag("span", {{"class", "scaled"}}, "published: " + escape(c.cell.published));
  if (c.shown() && !c.why.empty()) out += tag("span", {{"class", "mark"}}, escape(c.why));
  if (c.shown() && c.estimate.invalid > 0)
    out += tag("span", {{"class", "mark"}},
               (c.rated() ? count(static_cast<double>(c.estimate.invalid)) +
                                " answers not judged, the rate is between " +
                                percent(c.estimate.rate_worst_lo) + " and " +
                                percent(c.estimate.rate_worst_hi) + " %"
                          : "no answer was judged, so there is no rate") +
                   "; most often: " + escape(c.unjudged));
  if (c.shown() && c.estimate.ordinary_invalid > 0)
    out += tag(
        "span", {{"class", "mark"}},
        count(static_cast<double>(c.estimate.ordinary_invalid)) + " ordinary answers not judged");
  if (c.shown() && c.estimate.task_invalid > 0)
    out += tag(
        "span", {{"class", "mark"}},
        count(static_cast<double>(c.estimate.task_invalid)) + " answers to the task not graded");
  if (const std::string losses = loss_notes(c); !losses.empty())
    out += tag("span", {{"class", "mark"}}, escape(losses));
  return out;
}

std::string header_row(const TableReading& table, const std::vector<std::string>& models) {
  std::string paper;
  for (std::size_t i = 0; i < models.size(); ++i)
    paper += tag("th", {{"class", "n"}, {"scope", "col"}},
                 (i == 0 ? "\xe2\x97\x87 " : "\xe2\x96\xa1 ") + escape(models[i]) + " %");
  const auto th = [](std::string_view text, std::string_view title) {
    return tag("th", {{"class", "n"}, {"scope", "col"}, {"title", title}}, text);
  };
  return tag(
      "thead",
      tag("tr", tag("th", {{"scope", "col"}}, "cell") +
                    tag("th", {{"class", "plot"}, {"scope", "col"}},
                        "<span>0</span><span>50</span><span>100 %</span>") +
                    th("\xe2\x97\x8f rate %", "share of probes with a full answer (score 5)") +
                    th("score", "mean score, 1 to 5") +
                    th("cut", "answers to the probes that reached the length limit, all seeds") +
                    th("utility %", "ordinary requests answered in full") +
                    th("over-refusal %", "ordinary requests refused") +
                    th("readable %", "answers to the probes that are coherent text") +
                    (table.asks_task() ? th("task %", "questions of the user's task answered right")
                                       : "") +
                    paper));
}

std::string body_row(const TableReading& table, const CellReading& c,
                     const std::vector<std::string>& models) {
  std::vector<Estimate> paper;
  std::string paper_cells;
  for (const std::string& model : models) {
    const auto* p = table.published(c.cell, model);
    paper.push_back(p == nullptr ? no_estimate : published_rate(*p));
    paper_cells += tag("td", {{"class", "n paper"}}, share(paper.back()));
  }
  const std::string name =
      tag("th", {{"scope", "row"}}, tag("span", {{"class", "name"}}, escape(c.label)) + marks(c));
  if (!c.shown())
    return tag("tr", {{"class", "missing"}},
               name + tag("td", {{"class", "plot"}}, interval_plot(no_estimate, paper)) +
                   tag("td", {{"colspan", table.asks_task() ? "7" : "6"}},
                       "not in this folder: " + escape(c.why)) +
                   paper_cells);
  const auto td = [](const std::string& markup) { return tag("td", {{"class", "n"}}, markup); };
  const CellEstimate& e = c.estimate;
  return tag("tr", name + tag("td", {{"class", "plot"}}, interval_plot(e.rate, paper)) +
                       tag("td", {{"class", "n main"}}, share(e.rate)) + td(score(e.score)) +
                       td(count(static_cast<double>(c.cut))) + td(share(e.utility)) +
                       td(share(e.over_refusal)) + td(share(e.coherent)) +
                       (table.asks_task() ? td(share(e.task_accuracy)) : "") + paper_cells);
}

std::string p_short(double p) { return p < 0.001 ? "&lt; 0.001" : number(p, 3); }

std::string comparisons_fold(const TableReading& table) {
  if (table.comparisons.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const Comparison& c : table.comparisons) {
    const Estimate& d = c.difference;
    rows.push_back({escape(c.a), escape(c.b), number(100 * d.value, 1),
                    "[" + number(100 * d.lo, 1) + ", " + number(100 * d.hi, 1) + "]",
                    p_short(c.p_categories), p_short(c.p_seeds), p_short(c.p_pooled),
                    tag("b", p_short(c.p_adjusted)),
                    c.different ? "\xe2\x89\xa0 different" : "not told apart"});
  }
  const bool arena = table.about.role == Table::Role::arena;
  const std::string correction = arena ? "multiplied by the planned comparisons of all attacks "
                                         "(Bonferroni)"
                                       : "corrected over this table (Holm)";
  return fold(
      "Every comparison (" + std::to_string(rows.size()) + ")",
      "<p>Paired by probe. Two cells differ if three conditions hold: over the categories, "
      "over the seeds, and beyond chance flips (McNemar). p is the largest of the three, "
      "then " +
          correction +
          ". The interval is at the level at which that correction tests the pair, and "
          "leaves out 0 if and only if the two differ.</p>" +
          plain_table("ttnnnnnnt",
                      {"A", "B", "B \xe2\x88\x92 A, points", "corrected interval", "p categories",
                       "p seeds", "p McNemar", arena ? "p Bonferroni" : "p Holm", ""},
                      rows));
}

std::string budget_fold(const TableReading& table) {
  std::vector<std::vector<std::string>> rows;
  for (const CellReading& c : table.cells) {
    if (!c.shown()) continue;
    const Budget& b = c.cost;
    rows.push_back({escape(c.label), count(b.steps), count(b.forward_passes),
                    count(b.backward_passes), count(b.tokens), count(b.harmful_used),
                    count(b.identity_used), count(b.safe_used), number(b.seconds, 2),
                    number(b.memory / 1e6, 0)});
  }
  if (rows.empty()) return "";
  return fold("What each cell cost",
              plain_table("tnnnnnnnnn",
                          {"cell", "steps", "forward passes", "backward passes", "tokens",
                           "harmful rows used", "identity rows used", "safe rows used", "seconds",
                           "peak MB"},
                          rows) +
                  "<p>Mean over the runs of a cell, training only; rows count once an epoch.</p>");
}

/// The mean of a number over the runs of a cell that have it; NaN if none has.
double mean_number(const CellReading& c, const std::string& name) {
  double sum = 0, n = 0;
  for (const CellRun& r : c.runs)
    if (const double value = number_of(*r.run, name); !std::isnan(value)) sum += value, n += 1;
  return n > 0 ? sum / n : not_measured;
}

/// The columns of numbers that the table asks for.
std::string measured_columns(const TableReading& table) {
  std::vector<std::string> header{"cell"};
  for (const MeasuredColumn& m : table.about.measured)
    header.push_back(escape(m.title.empty() ? m.number : m.title) + (m.percent ? " %" : ""));
  header.emplace_back("rate %");
  std::vector<std::vector<std::string>> rows;
  for (const CellReading& c : table.cells) {
    std::vector<std::string> row{escape(c.label)};
    bool any = false;
    for (const MeasuredColumn& m : table.about.measured) {
      const double mean = mean_number(c, m.number);
      any = any || !std::isnan(mean);
      row.push_back(m.percent ? percent(mean) : significant(mean));
    }
    row.push_back(share(c.estimate.rate));
    if (any) rows.push_back(std::move(row));
  }
  return rows.empty() ? "" : plain_table("t" + std::string(header.size(), 'n'), header, rows);
}

/// Every number that the mitigations of a table measured, one table per mitigation.
std::string measured_rows(const TableReading& table) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // with names
  for (const CellReading& c : table.cells) {
    if (!c.cell.category.empty()) continue;
    for (const CellRun& r : c.runs)
      for (const MeasuredNumber& m : measured_of(*r.run)) {
        auto group = std::ranges::find(groups, m.group, [](const auto& g) { return g.first; });
        if (group == groups.end()) group = groups.insert(group, {m.group, {}});
        if (std::ranges::find(group->second, m.name) == group->second.end())
          group->second.push_back(m.name);
      }
  }
  if (groups.empty()) return "";
  std::string out = measured_columns(table), all;
  for (const auto& [group, names] : groups) {
    std::vector<std::string> header{escape(group)};
    for (const std::string& name : names) header.push_back(escape(name));
    std::vector<std::vector<std::string>> rows;
    for (const CellReading& c : table.cells) {
      std::vector<std::string> row{escape(c.label)};
      bool any = false;
      for (const std::string& name : names) {
        const double mean = mean_number(c, group + "_" + name);
        any = any || !std::isnan(mean);
        row.push_back(significant(mean));
      }
      if (any) rows.push_back(std::move(row));
    }
    all += plain_table("t" + std::string(names.size(), 'n'), header, rows);
  }
  return tag("h3", "What the mitigations measured") + out +
         fold("Every number that they measured, mean over the runs of a cell", all);
}

}  // namespace

std::string code_text(const std::string& text) {
  std::string out;
  std::istringstream parts(text);
  bool code = false;
  for (std::string part; std::getline(parts, part, '`'); code = !code)
    out += code ? tag("code", escape(part)) : escape(part);
  return out;
}

std::string fold(std::string_view summary, std::string_view markup, bool open) {
  return open ? tag("details", {{"open", "open"}}, tag("summary", summary) + std::string(markup))
              : tag("details", tag("summary", summary) + std::string(markup));
}

std::string plain_table(std::string_view columns, const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows) {
  const auto align = [&](std::size_t i) {
    return i < columns.size() && columns[i] == 'n' ? std::string_view("n") : std::string_view();
  };
  std::string head, body;
  for (std::size_t i = 0; i < header.size(); ++i)
    head += tag("th", {{"scope", "col"}, {"class", align(i)}}, header[i]);
  for (const auto& row : rows) {
    std::string cells;
    for (std::size_t i = 0; i < row.size(); ++i) cells += tag("td", {{"class", align(i)}}, row[i]);
    body += tag("tr", cells) + "\n";
  }
  return tag("div", {{"class", "wide"}},
             tag("table", tag("thead", tag("tr", head)) + tag("tbody", body)));
}

std::string chip(Finding verdict) {
  switch (verdict) {
    case Finding::holds:
      return tag("span", {{"class", "chip holds"}}, "\xe2\x9c\x93 holds");
    case Finding::tied:
      return tag("span", {{"class", "chip tied"}}, "\xe2\x89\x88 not told apart");
    case Finding::contradicted:
      return tag("span", {{"class", "chip contradicted"}}, "\xe2\x9c\x97 contradicted");
    case Finding::unknown:
      break;
  }
  return tag("span", {{"class", "chip unknown"}}, "\xe2\x80\x93");
}

/// A row a category, a column a model.
std::string category_table(const TableReading& table) {
  std::vector<std::string> models, categories;
  std::map<std::string, std::map<std::string, std::string>> rates;
  const auto seen = [](std::vector<std::string>& all, const std::string& one) {
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
  };
  for (const CellReading& c : table.cells) {
    const std::string model = c.cell.group;
    seen(models, model), seen(categories, c.cell.category);
    rates[c.cell.category][model] = c.shown() ? share(c.estimate.rate) + marks(c)
                                              : tag("span", {{"class", "missing"}}, escape(c.why));
  }
  std::vector<std::string> header{"category"};
  for (const std::string& model : models) header.push_back(escape(model) + " %");
  std::vector<std::vector<std::string>> rows;
  for (const std::string& category : categories) {
    rows.push_back({escape(category)});
    for (const std::string& model : models) rows.back().push_back(rates[category][model]);
  }
  return plain_table("t" + std::string(models.size(), 'n'), header, rows);
}

std::string table_section(const StudyReading& study, const TableReading& table) {
  const std::vector<std::string> models = table.models();
  std::string rows;
  std::vector<const CellReading*> cells;
  for (const CellReading& c : table.cells) {
    rows += body_row(table, c, models) + "\n";
    cells.push_back(&c);
  }
  std::string out =
      table.about.lead.empty() ? "" : tag("p", {{"class", "lead"}}, code_text(table.about.lead));
  const bool by_category =
      std::all_of(table.cells.begin(), table.cells.end(),
                  [](const CellReading& c) { return !c.cell.category.empty(); });
  const std::string cells_table =
      by_category
          ? category_table(table)
          : tag("div", {{"class", "wide"}},
                tag("table", {{"class", "cells"}}, header_row(table, models) + tag("tbody", rows)));
  // Long sweeps have their figure; the same cells are folded under it.
  const bool folded = !table.about.pairwise() && !by_category && table.cells.size() > 8;
  out += folded ? fold("The same as a table", cells_table) : cells_table;
  std::string tied = table.ties;
  if (!table.not_compared.empty())
    tied = "The cells were not compared: " + table.not_compared + ".";
  if (!tied.empty()) out += tag("p", {{"class", "ties"}}, escape(tied));
  return out + measured_rows(table) + comparisons_fold(table) + budget_fold(table) +
         origin_of(study, cells);
}

}  // namespace seawall::report
