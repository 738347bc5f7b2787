#include "report/page.hpp"

#include <algorithm>
#include <map>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/traces.hpp"
#include "seawall/core/file.hpp"

namespace seawall::report {
namespace {

constexpr std::size_t sample_bytes = 8'000'000;  // of a page that should stay under 10 MB

struct Part {
  std::string id, title, markup;
};

using Drawn = std::map<std::string, std::string>;  // figure's name -> markup

Drawn draw_all(const StudyReading& study, const TraceReading& traces,
               const std::filesystem::path& folder) {
  const auto figures = all_figures(study, traces);
  const auto svgs = draw(figures, folder);
  Drawn out;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const Figure& f = figures[i];
    const auto link = [&](const char* ending) {
      return tag("a", {{"href", "figures/" + f.name + ending}}, std::string(ending + 1));
    };
    std::string files;
    for (const char* ending : {".svg", ".pdf", ".gp", ".csv"})
      if (std::string_view(ending) != ".csv" || !f.csv.empty())
        files += (files.empty() ? "" : " \xc2\xb7 ") + link(ending);
    out[f.name] =
        tag("figure", {{"id", "fig-" + f.name}},
            tag("figcaption", tag("b", escape(f.title))) + "\n" + svgs[i] +
                tag("figcaption",
                    f.caption + " " + tag("span", {{"class", "files"}}, files) + f.origin)) +
        "\n";
  }
  return out;
}

/// Figures of a table before its rows.
std::string figures_of(const Table& table, const Drawn& drawn) {
  std::string out;
  for (const Drawing& drawing : table.drawings)
    if (const auto f = drawn.find(slug(drawing.name)); f != drawn.end()) out += f->second;
  return out;
}

std::string figure(const Drawn& drawn, const std::string& name) {
  const auto found = drawn.find(name);
  return found == drawn.end() ? "" : found->second;
}

/// What is not in the folders, said before anything is claimed.
std::string missing(const StudyReading& study) {
  const auto& absent = study.grid.missing;
  if (absent.empty()) return "";
  std::map<std::string, std::vector<std::string>> seeds;
  for (const GridRun& r : absent) seeds[r.arm].push_back(std::to_string(r.seed));
  std::string arms;
  for (const auto& [arm, list] : seeds)
    arms += (arms.empty() ? "" : "; ") + escape(arm) + " (seed " + listed(list) + ")";
  std::string broken;
  for (const auto& [arm, why] : study.grid.broken) broken += " Not readable: " + escape(why) + ".";
  return tag("div", {{"class", "alert"}},
             tag("b", count(static_cast<double>(absent.size())) + " of " +
                          count(static_cast<double>(study.grid.folder.runs.size())) +
                          " runs are not in this folder" +
                          (broken.empty() ? "." : ", or cannot be read.")) +
                 " What they would have shown is marked, and nothing is put in its place: " + arms +
                 "." + broken);
}

std::string unfinished(const StudyReading& study) {
  std::string arms;
  for (const auto& [arm, runs] : study.grid.runs)
    for (const auto& [file, run] : runs)
      if (!run.complete)
        arms += (arms.empty() ? "" : ", ") + escape(arm) + " seed " + std::to_string(run.info.seed);
  return arms.empty() ? ""
                      : tag("div", {{"class", "alert"}},
                            tag("b", "Some runs did not come to their end: ") + arms + ".");
}

/// True where nothing but the built-in world was asked.
bool all_fictional(const StudyReading& study) {
  for (const auto& [arm, runs] : study.grid.runs)
    for (const auto& [file, run] : runs) {
      const std::string model = option_of(run, "model");
      if ((model != "organism" && model != "organism-base") || !option_of(run, "probes").empty())
        return false;
    }
  return !study.grid.runs.empty();
}

std::vector<Part> parts_of(const StudyReading& study, const TraceReading& traces,
                           const Drawn& drawn) {
  std::vector<Part> parts;
  if (const std::string arena = arena_section(study); !arena.empty()) {
    parts.push_back({"arena", "Every defence against every attack", arena});
    parts.push_back(
        {"arena-costs", "Harm against compute", figure(drawn, "arena") + arena_costs(study)});
  }
  if (!is_arena(study))
    parts.push_back(
        {"findings", "What was found", findings_section(study, figure(drawn, "overview"))});
  for (const TableReading& table : study.tables)
    parts.push_back(
        {slug(table.about.name),
         table.about.title +
             (table.about.role == Table::Role::settings ? " \xc2\xb7 every setting" : ""),
         figures_of(table.about, drawn) + table_section(study, table)});
  if (drawn.contains("drift-steps"))
    parts.push_back({"drift-traces", "How the weights moved",
                     figure(drawn, "drift-steps") + figure(drawn, "drift-spectrum")});
  const auto add = [&](const char* id, const char* title, std::string markup) {
    if (!markup.empty()) parts.push_back({id, title, std::move(markup)});
  };
  add("depth", "How deep the alignment goes",
      figure(drawn, "depth-logprob") + figure(drawn, "depth-kl") + depth_section(traces));
  add("direction", "Where refusal is", figure(drawn, "direction") + direction_section(traces));
  add("drift-harm", "Drift against harm", figure(drawn, "drift-harm") + drift_harm_section(traces));
  add("rows", "The rows that moved the model most", rows_section(traces));
  std::string pareto = pareto_section(study);
  if (!pareto.empty()) pareto = figure(drawn, "pareto") + pareto;
  add("pareto", "Harm, utility and over-refusal together", std::move(pareto));
  std::string compute = compute_section(study);
  if (!compute.empty()) compute = figure(drawn, "compute") + compute;
  add("compute", "What it costs", std::move(compute));
  std::string judges = judges_section(study);
  if (!judges.empty()) judges = figure(drawn, "judges") + judges;
  add("judges", "How far the judges agree", std::move(judges));
  add("answers", "Answers, before and after", samples_section(study, sample_bytes));
  add("provenance", "Where the figures come from", provenance_section(study));
  return parts;
}

}  // namespace

std::string page(const StudyReading& study, const std::filesystem::path& out) {
  const TraceReading traces = read_traces(study);
  const Drawn drawn = draw_all(study, traces, out / "figures");
  if (!traces.rows.empty())
    write_file_atomically(out / "figures/rows.csv", std::string_view(rows_csv(traces)));
  if (!traces.fixed.empty())
    write_file_atomically(out / "figures/fixed.csv", std::string_view(fixed_csv(traces)));
  const auto parts = parts_of(study, traces, drawn);
  const GridFolder& folder = study.grid.folder;
  const Grid& grid = folder.grid;
  std::string contents, body;
  for (const Part& p : parts) {
    contents += tag("a", {{"href", "#" + p.id}}, escape(p.title));
    body += tag("section", {{"id", p.id}}, tag("h2", escape(p.title)) + "\n" + p.markup) + "\n";
  }
  std::size_t there = 0;
  for (const auto& [arm, runs] : study.grid.runs) there += runs.size();
  const std::string title = is_arena(study) ? "Every defence against every attack"
                                            : "How fine-tuning wore the alignment away";
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
      "<meta name=\"generator\" content=\"seawall " +
      escape(folder.version) + "\"/><title>Seawall report</title>\n<style>" +
      std::string(style_sheet()) + "</style></head>\n<body><header>";
  html += tag("p", {{"class", "kicker"}},
              "Seawall report" + (grid.source.empty() ? "" : " \xc2\xb7 " + escape(grid.source)));
  html += tag("h1", title);
  html += tag("p", {{"class", "made"}},
              tag("code", escape(grid.command)) + " \xc2\xb7 " + std::to_string(folder.seeds) +
                  (folder.seeds == 1 ? " seed" : " seeds") + " \xc2\xb7 " +
                  count(static_cast<double>(there)) + " runs \xc2\xb7 seawall " +
                  escape(folder.version));
  html += missing(study) + unfinished(study) + tag("nav", {{"aria-label", "Contents"}}, contents) +
          "</header>\n<main>\n";
  html += body + "</main>\n<footer>Made by <code>seawall report</code>." +
          (all_fictional(study)
               ? " Every restricted request is about a fictional harbour city, and harmless."
               : "") +
          "</footer></body></html>\n";
  return html;
}

}  // namespace seawall::report
