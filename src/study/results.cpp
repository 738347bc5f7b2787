#include "seawall/study/results.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "seawall/core/text.hpp"
#include "seawall/study/arena.hpp"

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

/// A column that only tables with a task have.
std::string task_column(const TableReading& table, const std::string& text) {
  if (!table.asks_task()) return "";
  char column[64];
  std::snprintf(column, sizeof column, " %21s", text.c_str());
  return column;
}

/// `task`: with the columns of the task's accuracy.
std::string csv_row(const std::string& table, const CellReading& read, bool task) {
  const GridCell& cell = read.cell;
  const CellEstimate& e = read.estimate;
  const Budget& b = read.cost;
  std::string out;
  for (const auto& text : {table, cell.cell, cell.condition, cell.category, cell.arm})
    out += csv_field(text) + ",";
  out += std::to_string(e.seeds) + "," + std::to_string(e.n) + "," + std::to_string(e.invalid) +
         "," + std::to_string(read.cut);
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
         number("%.0f", b.diverged * static_cast<double>(e.seeds));
  if (task) {
    add(e.task_accuracy, 100);
    for (const auto count : {e.task, e.task_invalid})
      out += "," + (e.task > 0 ? std::to_string(count) : "");
  }
  return out;
}

bool of_arena(const TableReading& table) {
  return table.about.role == Table::Role::arena || table.about.role == Table::Role::settings;
}

constexpr const char* arena_columns =
    ",setting,policy_rows,stage_seconds,evaluation_seconds,difference,difference_lo,difference_hi,"
    "p_adjusted,verdict,lost";

/// The columns that only studies with an arena have.
std::string arena_fields(const TableReading& table, const CellReading& read) {
  const Budget& b = read.cost;
  std::string out = "," + csv_field(read.setting) + "," + number("%.0f", b.policy_rows) + "," +
                    number("%.3f", b.stage_seconds) + "," + number("%.3f", b.evaluation_seconds);
  const Comparison* compared = nullptr;
  for (const Comparison& c : table.comparisons)
    if (c.b == read.label) compared = &c;
  if (compared != nullptr) {
    const Estimate& d = compared->difference;
    for (const double v : {d.value, d.lo, d.hi}) out += "," + number("%.4f", 100 * v);
    out += "," + number("%.3g", compared->p_adjusted);
    out += compared->different ? d.value < 0 ? ",less" : ",more" : ",tied";
  } else {
    out += ",,,,,";
  }
  static constexpr const char* lost[] = {"", "unreadable", "refuses", "useless"};
  return out + "," + (read.rated() ? lost[static_cast<int>(lost_of(read.estimate))] : "");
}

/// What a reader of a row must know: one line each.
std::vector<std::string> notes_of(const CellReading& read) {
  const CellEstimate& e = read.estimate;
  std::vector<std::string> out;
  if (!read.why.empty()) out.push_back(read.why);
  if (e.invalid > 0)
    out.push_back(
        std::to_string(e.invalid) + " answers could not be judged" +
        (e.rate.measured() ? ", the interval spans both readings" : ", so there is no rate") +
        "; most often: " + read.unjudged);
  if (e.task_invalid > 0)
    out.push_back(std::to_string(e.task_invalid) + " answers to the task could not be graded" +
                  (e.task_accuracy.measured() ? ", its interval spans both readings"
                                              : ", so it has no accuracy"));
  if (const Budget& b = read.cost; b.diverged > 0)
    out.push_back("in " + number("%.0f", b.diverged * static_cast<double>(e.seeds)) + " of " +
                  std::to_string(e.seeds) +
                  " runs the loss diverged or ended above where it began (mean " +
                  number("%.3f", b.loss_first) + " to " + number("%.3f", b.loss_last) + ")");
  if (e.coherent.measured() && e.coherent.value < 0.9)
    out.push_back("only " + number("%.1f", 100 * e.coherent.value) +
                  " % of the answers are readable");
  return out;
}

/// "88.8 / 50.0": the rates of the published models in their order.
std::string published_text(const TableReading& table, const GridCell& cell) {
  std::string out;
  for (const std::string& model : table.models()) {
    const auto* figure = table.published(cell, model);
    out += (out.empty() ? "" : " / ") +
           (figure == nullptr || std::isnan(figure->rate) ? "-" : number("%.1f", figure->rate));
  }
  return out;
}

std::string table_row(const TableReading& table, const CellReading& read) {
  if (!read.shown()) return "  " + read.label + ": no row: " + read.why + "\n";
  const GridCell& cell = read.cell;
  const CellEstimate& e = read.estimate;
  const auto share = [](const Estimate& s) {
    return s.measured() ? number("%.1f", 100 * s.value) : std::string("-");
  };
  char line[512];
  std::snprintf(
      line, sizeof line, "  %-34s %-10s %5lld %18s %21s %5lld %9s %9s%s   %s\n", cell.cell.c_str(),
      cell.condition.c_str(), static_cast<long long>(e.seeds), score_text(e.score).c_str(),
      percent_text(e.rate).c_str(), static_cast<long long>(read.cut), share(e.utility).c_str(),
      share(e.over_refusal).c_str(), task_column(table, percent_text(e.task_accuracy)).c_str(),
      published_text(table, cell).c_str());
  std::string out = line;
  for (const std::string& note : notes_of(read)) out += "    " + note + "\n";
  return out;
}

}  // namespace

std::string results_csv(const StudyReading& study) {
  std::string out = "table,cell,condition,category,arm,seeds,n,invalid,cut_answers";
  for (const char* measure : {"score", "rate", "utility", "over_refusal", "coherent"})
    for (const char* end : {"", "_lo", "_hi"}) out += std::string(",") + measure + end;
  out += ",steps,forward_passes,backward_passes,tokens,rows,harmful_rows,identity_rows";
  out += ",safe_rows,seconds,memory_mb,moved,drift,loss_first,loss_last,diverged";
  const bool task = std::ranges::any_of(study.tables, &TableReading::asks_task);
  if (task) out += ",task_accuracy,task_accuracy_lo,task_accuracy_hi,task_n,task_invalid";
  const bool arena = std::ranges::any_of(study.tables, of_arena);
  out += arena ? std::string(arena_columns) + "\n" : "\n";
  for (const TableReading& table : study.tables)
    for (const CellReading& cell : table.cells)
      if (cell.shown())
        out +=
            csv_row(table.about.name, cell, task) + (arena ? arena_fields(table, cell) : "") + "\n";
  return out;
}

std::string results_table(const StudyReading& study) {
  std::string out;
  char line[512];
  for (const TableReading& table : study.tables) {
    if (of_arena(table)) continue;
    std::string models;
    for (const std::string& model : table.models())
      models += (models.empty() ? "published %: " : " / ") + model;
    std::snprintf(line, sizeof line, "\n%-36s %-10s %5s %18s %21s %5s %9s %9s%s   %s\n",
                  table.about.name.c_str(), "condition", "seeds", "score [95 %]", "rate % [95 %]",
                  "cut", "utility %", "refused %", task_column(table, "task % [95 %]").c_str(),
                  models.c_str());
    out += line;
    for (const CellReading& cell : table.cells) out += table_row(table, cell);
    if (!table.not_compared.empty())
      out += "  The cells were not compared: " + table.not_compared + ".\n";
    if (!table.ties.empty()) out += "  " + table.ties + "\n";
  }
  if (const ArenaReading arena = read_arena(study); !arena.empty()) out += "\n" + arena_text(arena);
  return out;
}

}  // namespace seawall
