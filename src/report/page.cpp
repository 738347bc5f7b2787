#include "report/page.hpp"

#include <algorithm>
#include <map>

#include "report/html.hpp"
#include "report/sections.hpp"

namespace seawall::report {
namespace {

constexpr std::size_t kSampleBytes = 8'000'000;  // of a page that should stay under 10 MB

struct Part {
  std::string id, title, markup;
};

using Drawn = std::map<std::string, std::string>;  // figure's name -> markup

Drawn draw_all(const Reading& reading, const std::filesystem::path& folder) {
  const auto figures = all_figures(reading);
  const auto svgs = draw(figures, folder);
  Drawn out;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const Figure& f = figures[i];
    const auto link = [&](const char* ending) {
      return tag("a", {{"href", "figures/" + f.name + ending}}, std::string(ending + 1));
    };
    out[f.name] = tag("figure", {{"id", "fig-" + f.name}},
                      tag("figcaption", tag("b", escape(f.title))) + "\n" + svgs[i] +
                          tag("figcaption", f.caption + " " +
                                                tag("span", {{"class", "files"}},
                                                    link(".svg") + " \xc2\xb7 " + link(".pdf") +
                                                        " \xc2\xb7 " + link(".gp")) +
                                                f.origin)) +
                  "\n";
  }
  return out;
}

/// Figures of a table before its rows.
std::string figures_of(const std::string& table, const Drawn& drawn) {
  static const std::map<std::string, std::vector<std::string>> kFigures{
      {"figure1", {"figure1"}},
      {"figure2", {"figure2"}},
      {"figure4", {"figure4-heat", "figure4-epochs"}},
      {"precision", {"precision"}},
      {"drift", {"drift-steps", "drift-spectrum"}}};
  std::string out;
  const auto found = kFigures.find(table);
  if (found == kFigures.end()) return out;
  for (const std::string& name : found->second)
    if (const auto f = drawn.find(name); f != drawn.end()) out += f->second;
  return out;
}

std::string figure(const Drawn& drawn, const std::string& name) {
  const auto found = drawn.find(name);
  return found == drawn.end() ? "" : found->second;
}

/// What is not in the folders, said before anything is claimed.
std::string missing(const Reading& reading) {
  const auto& absent = reading.grid.missing;
  if (absent.empty()) return "";
  std::map<std::string, std::vector<std::string>> seeds;
  for (const GridRun& r : absent) seeds[r.arm].push_back(std::to_string(r.seed));
  std::string arms;
  for (const auto& [arm, list] : seeds)
    arms += (arms.empty() ? "" : "; ") + escape(arm) + " (seed " + listed(list) + ")";
  return tag("div", {{"class", "alert"}},
             tag("b", count(static_cast<double>(absent.size())) + " of " +
                          count(static_cast<double>(reading.grid.folder.runs.size())) +
                          " runs are not in this folder.") +
                 " What they would have shown is marked, and nothing stands in for it: " + arms +
                 ".");
}

std::string unfinished(const Reading& reading) {
  std::string arms;
  for (const auto& [arm, runs] : reading.grid.runs)
    for (const auto& [file, run] : runs)
      if (!run.complete)
        arms += (arms.empty() ? "" : ", ") + escape(arm) + " seed " + std::to_string(run.info.seed);
  return arms.empty() ? ""
                      : tag("div", {{"class", "alert"}},
                            tag("b", "Some runs did not come to their end: ") + arms + ".");
}

/// True where nothing but the built-in world was asked.
bool all_fictional(const Reading& reading) {
  for (const auto& [arm, runs] : reading.grid.runs)
    for (const auto& [file, run] : runs)
      if (option_of(run, "model") != "organism" || !option_of(run, "probes").empty()) return false;
  return !reading.grid.runs.empty();
}

std::vector<Part> parts_of(const Reading& reading, const Drawn& drawn) {
  std::vector<Part> parts;
  parts.push_back(
      {"findings", "What was found", findings_section(reading, figure(drawn, "overview"))});
  for (const TableReading& table : reading.tables)
    parts.push_back({slug(table.name), table.title,
                     figures_of(table.name, drawn) + table_section(reading, table)});
  if (reading.table("drift") == nullptr && drawn.contains("drift-steps"))
    parts.push_back({"drift-traces", "How the weights moved",
                     figure(drawn, "drift-steps") + figure(drawn, "drift-spectrum")});
  const auto add = [&](const char* id, const char* title, std::string markup) {
    if (!markup.empty()) parts.push_back({id, title, std::move(markup)});
  };
  std::string pareto = pareto_section(reading);
  if (!pareto.empty()) pareto = figure(drawn, "pareto") + pareto;
  add("pareto", "Harm, utility and over-refusal together", std::move(pareto));
  std::string compute = compute_section(reading);
  if (!compute.empty()) compute = figure(drawn, "compute") + compute;
  add("compute", "What it costs", std::move(compute));
  std::string judges = judges_section(reading);
  if (!judges.empty()) judges = figure(drawn, "judges") + judges;
  add("judges", "How far the judges agree", std::move(judges));
  add("answers", "Answers, before and after", samples_section(reading, kSampleBytes));
  add("provenance", "Where the figures come from", provenance_section(reading));
  return parts;
}

}  // namespace

std::string page(const Reading& reading, const std::filesystem::path& out) {
  const Drawn drawn = draw_all(reading, out / "figures");
  const auto parts = parts_of(reading, drawn);
  const GridFolder& folder = reading.grid.folder;
  std::string contents, body;
  for (const Part& p : parts) {
    contents += tag("a", {{"href", "#" + p.id}}, escape(p.title));
    body += tag("section", {{"id", p.id}}, tag("h2", escape(p.title)) + "\n" + p.markup) + "\n";
  }
  std::size_t there = 0;
  for (const auto& [arm, runs] : reading.grid.runs) there += runs.size();
  const std::string title = "How fine-tuning wore the alignment away";
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
      "<meta name=\"generator\" content=\"seawall " +
      escape(folder.version) + "\"/><title>Seawall report</title>\n<style>" +
      std::string(style_sheet()) + "</style></head>\n<body><header>";
  html += tag("p", {{"class", "kicker"}},
              "Seawall report \xc2\xb7 after Qi et al. 2023, arXiv 2310.03693");
  html += tag("h1", title);
  html += tag("p", {{"class", "made"}},
              tag("code", escape(folder.command)) + " \xc2\xb7 " + std::to_string(folder.seeds) +
                  (folder.seeds == 1 ? " seed" : " seeds") + " \xc2\xb7 " +
                  count(static_cast<double>(there)) + " runs \xc2\xb7 seawall " +
                  escape(folder.version));
  html += missing(reading) + unfinished(reading) +
          tag("nav", {{"aria-label", "Contents"}}, contents) + "</header>\n<main>\n";
  html += body + "</main>\n<footer>Made by <code>seawall report</code>." +
          (all_fictional(reading)
               ? " Every restricted request is about a fictional harbour city, and harmless."
               : "") +
          "</footer></body></html>\n";
  return html;
}

}  // namespace seawall::report
