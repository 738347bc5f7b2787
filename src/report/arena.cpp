// Every defence against every attack on one page: sentences, the matrix, and what each row costs.
#include "seawall/study/arena.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/html.hpp"
#include "report/plots.hpp"
#include "report/sections.hpp"

namespace seawall::report {
namespace {

std::string whole(const Estimate& e) { return e.measured() ? number(100 * e.value, 0) : "?"; }

std::string_view lost_words(Lost lost) {
  switch (lost) {
    case Lost::unreadable:
      return "answers are not readable";
    case Lost::refuses:
      return "refuses most ordinary requests";
    case Lost::useless:
      return "answers less than half of the ordinary requests in full";
    case Lost::no:
      break;
  }
  return "";
}

/// How a cell looks: its class, its sign, and its words for those who point at it.
struct Look {
  std::string_view name, sign;
  std::string words;
};

Look look_of(const ArenaCell& cell) {
  std::string words = "harm " + percent(cell.read->estimate.rate.value) + " % " +
                      percent_interval(cell.read->estimate.rate) + ", over-refusal " +
                      percent(cell.read->estimate.over_refusal.value) + " %";
  if (cell.compared) {
    const Estimate& d = cell.compared->difference;
    words += "; less the first row " + number(100 * d.value, 1) + " points [" +
             number(100 * d.lo, 1) + ", " + number(100 * d.hi, 1) + "], " +
             p_value(cell.compared->p_adjusted);
  }
  if (!cell.read->setting.empty()) words += "; setting " + cell.read->setting;
  if (!cell.read->why.empty()) words += "; " + cell.read->why;
  if (cell.read->estimate.invalid > 0)
    words += "; " + std::to_string(cell.read->estimate.invalid) + " answers not judged";
  if (cell.lost != Lost::no)
    return {"lost", "\xe2\x8a\x98", words + "; " + std::string(lost_words(cell.lost))};
  switch (cell.less_harm) {
    case Finding::holds:
      if (cell.may_help()) return {"tied", "\xe2\x9c\x93?", words + "; of use? not told"};
      return {"helps", "\xe2\x9c\x93", words};
    case Finding::contradicted:
      return {"harms", "\xe2\x9c\x97", words};
    case Finding::tied:
      return {"tied", "\xe2\x89\x88", words};
    case Finding::unknown:
      break;
  }
  return {"", "", words};
}

std::string matrix_cell(const ArenaCell& cell) {
  if (cell.read == nullptr) return tag("td", {{"class", "m absent"}, {"title", "left out"}}, "");
  if (!cell.rated())
    return tag("td", {{"class", "m absent"}, {"title", cell.read->why}},
               cell.read->none_qualifies ? "no setting" : "?");
  const Look look = look_of(cell);
  const CellEstimate& e = cell.read->estimate;
  return tag("td", {{"class", "m " + std::string(look.name)}, {"title", look.words}},
             tag("b", whole(e.rate)) + tag("span", whole(e.over_refusal)) +
                 tag("i", look.sign.empty() ? "\xc2\xa0" : look.sign) +
                 (e.invalid > 0 ? tag("sup", "?") : ""));
}

std::string cell(const std::string& markup) { return tag("td", {{"class", "n"}}, markup); }
std::string with_interval(const Estimate& e) {
  return e.measured() ? percent(e.value) + tag("small", percent_interval(e))
                      : number(not_measured, 0);
}

std::string matrix_row(const ArenaRow& row) {
  const bool on_front = row.front.on_front;
  std::string out = tag("th", {{"scope", "row"}},
                        escape(row.name) + (on_front ? " <i title=\"not beaten at its compute\">"
                                                       "\xe2\x97\x8f</i>"
                                                     : ""));
  for (const ArenaCell& one : row.cells) out += matrix_cell(one);
  out +=
      cell(with_interval(row.all.rate)) + cell(with_interval(row.all.utility)) +
      tag("td", {{"class", row.loses_task() ? "n lost" : "n"}}, with_interval(row.task_accuracy)) +
      cell(number(row.cost.passes_per_step, 2)) + cell(number(row.cost.passes, 2)) +
      cell(count(row.cost.rows)) + cell(number(row.cost.train_seconds + row.cost.stage_seconds, 2));
  return tag("tr", out) + "\n";
}

std::string matrix_head(const ArenaReading& arena) {
  std::string out = tag("th", {{"scope", "col"}}, "defence");
  for (const TableReading* attack : arena.attacks)
    out += tag("th", {{"scope", "col"}, {"class", "m"}},
               tag("a", {{"href", "#" + slug(attack->about.name)}}, escape(attack->about.title)));
  const std::pair<const char*, const char*> columns[] = {
      {"harm, all", "the probes of all attacks as one, %"},
      {"utility", "ordinary requests answered in full, all attacks, %"},
      {"task", "questions of the user's task answered right, under the attack that asks them, %"},
      {"passes per step", "forward and backward passes of a step, next to no defence"},
      {"passes", "all forward and backward passes, alignment stages too, next to no defence"},
      {"rows", "safe rows and those that the defence drew, mean of a run"},
      {"seconds", "of training on one core, alignment stages too, mean of a run"}};
  for (const auto& [title, words] : columns)
    out += tag("th", {{"scope", "col"}, {"class", "n"}, {"title", words}}, title);
  return tag("thead", tag("tr", out));
}

/// "up to 2.2 times the compute of the first row".
std::string band_words(int band) {
  const auto ends = std::ssize(arena_bands);
  if (band >= ends)
    return "more than " + number(arena_bands[ends - 1], 1) + " times the passes of the first row";
  return "up to " + number(arena_bands[band], 1) + " times the passes of the first row";
}

std::vector<const ArenaRow*> by_band(const ArenaReading& arena) {
  std::vector<const ArenaRow*> out;
  for (std::size_t i = 1; i < arena.rows.size(); ++i) out.push_back(&arena.rows[i]);
  std::stable_sort(out.begin(), out.end(), [](const ArenaRow* a, const ArenaRow* b) {
    if (a->band != b->band) return a->band < b->band;
    const Estimate &x = a->all.rate, &y = b->all.rate;
    return x.measured() && (!y.measured() || x.value < y.value);
  });
  return out;
}

std::string matrix(const ArenaReading& arena) {
  std::string body = matrix_row(arena.rows.front());
  const std::string width = std::to_string(arena.attacks.size() + 8);
  int band = -1;
  for (const ArenaRow* row : by_band(arena)) {
    if (row->band != band)
      body += tag("tr", tag("th", {{"colspan", width}, {"scope", "rowgroup"}, {"class", "band"}},
                            band_words(row->band))) +
              "\n";
    band = row->band;
    body += matrix_row(*row);
  }
  return tag("div", {{"class", "wide arena"}},
             tag("table", {{"class", "matrix"}}, matrix_head(arena) + tag("tbody", body)));
}

std::string legend() {
  const auto item = [](const char* name, const char* sign, const char* words) {
    return tag("span", {{"class", "key " + std::string(name)}}, sign) + " " + words + " ";
  };
  return tag(
      "p", {{"class", "note"}},
      "Each cell: harm, then over-refusal, in percent. " +
          item("helps", "\xe2\x9c\x93",
               "less harm than the first row (with ? where it is not told whether half of the "
               "ordinary requests are still answered);") +
          item("tied", "\xe2\x89\x88", "not told apart from it;") +
          item("harms", "\xe2\x9c\x97", "more harm;") +
          item("lost", "\xe2\x8a\x98",
               "whatever the harm, the model refuses most ordinary requests, answers less "
               "than half of them or is unreadable;") +
          "? not there or not judged. \xe2\x97\x8f not beaten in harm, utility, over-refusal "
          "and task by a row of the same band or a cheaper one. A hatched task: less than "
          "half is right, though it was trained.");
}

/// A label next to each point: first that of the first row, then from low harm to high. A label
/// that would overlap an earlier one is left out.
std::string labels_of(std::vector<const ArenaRow*> rows) {
  if (rows.empty()) return "";
  std::sort(rows.begin() + 1, rows.end(), [](const ArenaRow* a, const ArenaRow* b) {
    return a->all.rate.value < b->all.rate.value;
  });
  std::string out;
  std::vector<const ArenaRow*> placed;
  for (const ArenaRow* row : rows) {
    const auto covers = [&](const ArenaRow* other) {
      return std::abs(row->all.rate.value - other->all.rate.value) < 0.035 &&
             std::abs(std::log(row->cost.passes / other->cost.passes)) < 1;
    };
    if (std::ranges::any_of(placed, covers)) continue;
    placed.push_back(row);
    out += "set label " + literal(row->name) + " at " + value(row->cost.passes) + "," +
           value(100 * row->all.rate.value) + " offset 0.7,0.4 font ',9'\n";
  }
  return out;
}

std::string list_of(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += tag("li", code_text(item));
  return tag("ul", out);
}

}  // namespace

bool is_arena(const StudyReading& study) {
  return std::ranges::all_of(study.tables, [](const TableReading& table) {
    return table.about.role == Table::Role::arena || table.about.role == Table::Role::settings;
  });
}

std::string arena_section(const StudyReading& study) {
  const ArenaReading arena = read_arena(study);
  if (arena.empty()) return "";
  std::string out = list_of(arena_sentences(arena));
  out += legend() + matrix(arena);
  if (const auto& notes = study.grid.folder.grid.notes; !notes.empty())
    out += tag("h3", "What is not as published, and what is left out") + list_of(notes);
  return out;
}

std::string arena_costs(const StudyReading& study) {
  const ArenaReading arena = read_arena(study);
  if (arena.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  double train = 0, stages = 0, evaluation = 0;
  for (const ArenaRow& row : arena.rows) {
    const ArenaCost& c = row.cost;
    rows.push_back({escape(row.name), number(c.train_seconds, 2), number(c.stage_seconds, 2),
                    number(c.evaluation_seconds, 2)});
    std::int64_t seeds = 0;
    double stage = 0;
    for (const ArenaCell& one : row.cells) {
      if (!one.rated()) continue;
      const Budget& cost = one.read->cost;
      const auto n = static_cast<double>(one.read->runs.size());
      train += n * (cost.seconds - cost.stage_seconds);
      evaluation += n * cost.evaluation_seconds;
      stage = std::max(stage, cost.stage_seconds);
      seeds = std::max(seeds, std::ssize(one.read->runs));
    }
    stages += stage * static_cast<double>(seeds);
  }
  return "<p>All runs that are shown: " + count(train) + " core-seconds of training, " +
         count(stages) + " of alignment stages if each is made once per seed, " +
         count(evaluation) + " of evaluation. Starting a run and reading it are not in them.</p>" +
         fold("Core-seconds of a run by part, mean over attacks and seeds",
              plain_table("tnnn", {"defence", "training", "alignment stage", "evaluation"}, rows));
}

void arena_figure(const StudyReading& study, std::vector<Figure>& out) {
  const ArenaReading arena = read_arena(study);
  std::array<std::string, 3> data;  // on the front, others, lost
  std::vector<const ArenaRow*> named;
  std::vector<std::string> spoken;
  double least = 1, most = 1;
  for (const ArenaRow& row : arena.rows) {
    const Estimate& harm = row.all.rate;
    if (!harm.measured() || std::isnan(row.cost.passes)) continue;
    if (row.cost.passes > 0) least = std::min(least, row.cost.passes);
    most = std::max(most, row.cost.passes);
    const bool lost = row.is_lost();
    const std::size_t kind = lost ? 2 : row.front.on_front ? 0 : 1;
    data[kind] += value(row.cost.passes) + " " + value(100 * harm.value) + " " +
                  value(100 * harm.lo) + " " + value(100 * harm.hi) + "\n";
    if (kind == 0 || &row == &arena.rows.front()) named.push_back(&row);
    spoken.push_back(row.name + ": " + percent(harm.value) + " % at " + number(row.cost.passes, 1) +
                     " times the passes");
  }
  if (spoken.size() < 2) return;
  Figure f{.name = "arena", .title = "Harm over all attacks against compute"};
  f.width = 760;
  f.height = 460;
  f.description = listed(spoken) + ".";
  std::string plots;
  const std::array<std::string, 3> styles{
      "lc rgb '" + std::string(ink::blue) + "' pt 7 ps 0.9",
      "lc rgb '" + std::string(ink::muted) + "' pt 7 ps 0.6",
      "lc rgb '" + std::string(ink::vermillion) + "' pt 6 ps 0.9"};
  static constexpr std::array<const char*, 3> titles{
      "not beaten at its compute", "beaten", "refuses, of no use or unreadable under half or more"};
  for (std::size_t k = 0; k < data.size(); ++k) {
    if (data[k].empty()) continue;
    f.commands += data_block("A" + std::to_string(k), data[k]);
    plots += (plots.empty() ? "plot $A" : ", $A") + std::to_string(k) +
             " using 1:2:3:4 with yerrorbars " + styles[k] + " lw 1 title " + literal(titles[k]);
  }
  f.commands = calm_axes() + "set key below Left reverse samplen 1\nset logscale x\nset xrange [" +
               value(0.8 * least) + ":" + value(3 * most) +
               "]\nset "
               "yrange [-2:102]\nset xlabel 'forward and backward passes, times those of the first "
               "row'.\"\\n \"\nset ylabel 'full answers, % of the probes of all attacks'\n" +
               labels_of(named) + f.commands + plots + "\n";
  f.caption =
      "Least harm at least compute is lower left. The 95 % intervals are over seeds, attacks' "
      "categories and probes; the attacks themselves are not a sample.";
  std::vector<const CellReading*> cells;
  for (const TableReading* attack : arena.attacks)
    for (const CellReading& c : attack->cells) cells.push_back(&c);
  f.origin = origin_of(study, cells);
  out.push_back(std::move(f));
}

}  // namespace seawall::report
