// Where every figure comes from: commands, keys, hashes of sets, overlaps.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>

#include "report/html.hpp"
#include "report/sections.hpp"
#include "seawall/core/text.hpp"

namespace seawall::report {
namespace {

std::string hash(const std::string& hex, std::size_t digits) {
  if (hex.empty()) return "\xe2\x80\x93";
  return tag("code", {{"class", "h"}, {"title", hex.size() > digits ? hex : ""}},
             escape(hex.substr(0, digits)));
}

std::string key_of(const StudyReading& study, const std::string& arm, std::int64_t seed) {
  for (const GridRun& r : study.grid.folder.runs)
    if (r.arm == arm && r.seed == seed) return r.key;
  return "";
}

/// As a shell takes them.
std::string words_of(const StudyReading& study, const std::string& arm) {
  std::string out;
  for (const GridArm& a : study.grid.folder.grid.arms) {
    if (a.name != arm) continue;
    std::istringstream in(a.words);
    for (std::string word; in >> std::quoted(word);)
      out += (out.empty() ? "" : " ") + shell_word(word);
  }
  return out;
}

/// Hash by its name and value, with the arms that have it.
std::string sets_table(const StudyReading& study) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> sets;
  for (const auto& [arm, runs] : study.grid.runs)
    for (const auto& [file, run] : runs)
      for (const auto& [name, value] : run.info.hashes)
        if (name != "options") sets[name][value].insert(arm);
  std::vector<std::vector<std::string>> rows, trained;  // sets of one arm alone are folded
  for (const auto& [name, values] : sets) {
    for (const auto& [value, arms] : values) {
      const bool everywhere = arms.size() == study.grid.runs.size();
      const std::string who = everywhere ? "every arm" : listed({arms.begin(), arms.end()});
      (values.size() > 3 ? trained : rows).push_back({escape(name), hash(value, 64), escape(who)});
    }
  }
  std::string out = plain_table("ttt", {"set", "SHA-256", "used by"}, rows);
  if (!trained.empty())
    out += fold("Rows of every arm and seed (" + std::to_string(trained.size()) + ")",
                plain_table("ttt", {"set", "SHA-256", "used by"}, trained));
  return out;
}

/// The most prompts that two sets share in any run, from `overlap_A_B`.
std::string overlaps(const StudyReading& study) {
  std::map<std::string, std::map<std::string, double>> shared;
  std::vector<std::string> sets;
  std::set<std::string> dirty;  // arms
  double probes = not_measured;
  const auto seen = [&](const std::string& set) {
    if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
  };
  for (const auto& [arm, runs] : study.grid.runs) {
    for (const auto& [file, run] : runs) {
      for (const auto& [name, value] : run.info.numbers) {
        if (name == "overlapping_probes") {
          probes = std::isnan(probes) ? value : std::max(probes, value);
          if (value > 0) dirty.insert(arm);
        }
        if (!name.starts_with("overlap_")) continue;
        const std::size_t between = name.find('_', 8);
        if (between == std::string::npos) continue;
        const std::string a = name.substr(8, between - 8), b = name.substr(between + 1);
        seen(a), seen(b);
        shared[a][b] = shared[b][a] = std::max(shared[a][b], value);
        if (value > 0) dirty.insert(arm);
      }
    }
  }
  if (std::isnan(probes) && sets.empty())
    return "<p>The run files say nothing about overlap between sets.</p>";
  std::string out =
      dirty.empty()
          ? "<p>In no run does a prompt occur in two of its sets; probes are never trained on.</p>"
          : "<p>Prompts that occur in two sets were found, and allowed, in: " +
                escape(listed({dirty.begin(), dirty.end()})) + ".</p>";
  if (sets.size() < 2) return out;
  std::vector<std::string> header{"shared prompts"};
  std::vector<std::vector<std::string>> rows;
  for (const std::string& a : sets) {
    header.push_back(escape(a));
    rows.push_back({tag("b", escape(a))});
    for (const std::string& b : sets) {
      const bool known = shared[a].contains(b);
      rows.back().push_back(a == b ? "\xc2\xb7" : known ? count(shared[a][b]) : "\xe2\x80\x93");
    }
  }
  return out + plain_table("t" + std::string(sets.size(), 'n'), header, rows);
}

/// The program that made the runs, as its command is typed.
std::string program_of(const StudyReading& study) {
  const std::string& command = study.grid.folder.grid.command;
  const auto end = command.find(" reproduce");
  return end == std::string::npos ? "seawall" : command.substr(0, end);
}

std::string runs_table(const StudyReading& study) {
  std::vector<std::vector<std::string>> rows;
  for (const GridRun& r : study.grid.folder.runs) {
    const RunData* run = nullptr;
    const auto found = study.grid.runs.find(r.arm);
    if (found != study.grid.runs.end())
      for (const auto& [file, data] : found->second)
        if (static_cast<std::int64_t>(data.info.seed) == r.seed) run = &data;
    rows.push_back({escape(r.arm), std::to_string(r.seed), hash(r.key, 16),
                    run == nullptr ? std::string("<b class=\"bad\">missing</b>")
                                   : hash(hash_of(*run, "rows"), 12),
                    tag("code", escape(program_of(study) + " run " + words_of(study, r.arm) +
                                       " --seed " + std::to_string(r.seed)))});
  }
  return plain_table("tnttt", {"arm", "seed", "key", "rows", "command"}, rows);
}

}  // namespace

std::string origin_of(const StudyReading& study, const std::vector<const CellReading*>& cells) {
  std::vector<std::vector<std::string>> rows;
  std::set<std::string> models, probes, done;
  for (const CellReading* c : cells) {
    for (const CellRun& r : c->runs) {
      if (!done.insert(c->cell.arm + '\n' + std::to_string(r.seed)).second) continue;
      models.insert(hash_of(*r.run, "model"));
      probes.insert(hash_of(*r.run, "probes"));
      rows.push_back({escape(c->cell.arm), std::to_string(r.seed),
                      hash(key_of(study, c->cell.arm, r.seed), 16),
                      hash(hash_of(*r.run, "rows"), 16)});
    }
  }
  if (rows.empty()) return "";
  std::string out = tag("p", tag("code", escape(study.grid.folder.grid.command + " --out DIR")) +
                                 " and " + tag("code", escape(program_of(study) + " report DIR")));
  const auto say = [&](const char* name, const std::set<std::string>& hashes) {
    out += tag("dt", name);
    for (const std::string& h : hashes) out += tag("dd", hash(h, 64));
  };
  out += "<dl class=\"hashes\">";
  say("model", models);
  say("probes", probes);
  out += "</dl>";
  return fold("Command and hashes",
              out + plain_table("tntt", {"arm", "seed", "run key", "rows"}, rows));
}

std::string provenance_section(const StudyReading& study) {
  std::string out =
      tag("h3", "Sets") + sets_table(study) + tag("h3", "Overlap between sets") + overlaps(study);
  std::set<std::string> versions;
  for (const auto& [arm, runs] : study.grid.runs)
    for (const auto& [file, run] : runs)
      for (const auto& [name, value] : run.info.versions) versions.insert(name + " " + value);
  if (!versions.empty())
    out += tag("p", "Made with " + escape(listed({versions.begin(), versions.end()})) + ".");
  return out + fold("Every run with its command and key (" +
                        std::to_string(study.grid.folder.runs.size()) + ")",
                    runs_table(study));
}

}  // namespace seawall::report
