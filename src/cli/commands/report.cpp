// `report`: a grid folder, or several shards of one, as one page with figures.
#include <cstdio>
#include <filesystem>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/report/report.hpp"
#include "seawall/run/place_spec.hpp"

namespace seawall::commands {
namespace {

struct ReportOptions : OutputSpec {
  static constexpr void visit(auto& self, auto&& field) {
    OutputSpec::visit(self, field,
                      "folder for report.html, figures/, results.csv and results.md; the first DIR "
                      "if it is not given");
  }
};

/// The words that are folders; the rest, with the values of its options, is for the command line.
std::vector<std::filesystem::path> take_folders(Words& words) {
  std::vector<std::filesystem::path> folders;
  Words rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("-")) {
      folders.emplace_back(words[i]);
      continue;
    }
    rest.push_back(words[i]);
    if ((words[i] == "--out" || words[i] == "--config") && i + 1 < words.size())
      rest.push_back(words[++i]);
  }
  words = std::move(rest);
  return folders;
}

}  // namespace

int report(const Program& program, const Words& words) {
  ReportOptions options;
  CommandLine line(program.name + " report DIR [DIR...] [--out FOLDER]",
                   "Reads what `seawall reproduce` left in DIR (several: shards of one grid) and "
                   "writes report.html, figures/*.svg and *.pdf, results.csv, and the tables "
                   "as results.md. A run file that cannot be read is named on the page, and the "
                   "exit code is 3. Needs gnuplot.");
  line.add(options, "Options");
  Words rest = words;
  const auto folders = take_folders(rest);
  if (line.parse(rest) == CommandLine::Outcome::done) return 0;
  if (folders.empty()) throw UsageError("report: want a folder that `seawall reproduce` made");
  for (const auto& folder : folders)
    if (!std::filesystem::is_directory(folder))
      throw IoError(folder.string() + ": no such folder; want one that `seawall reproduce` made");
  const std::filesystem::path out =
      options.out.empty() ? folders.front() : std::filesystem::path(options.out);
  const StudyReading study = read_study(load_grid(folders));
  const std::size_t missing = study.grid.missing.size();
  if (missing > 0 && !options.quiet)
    std::fprintf(stderr, "seawall: %zu of %zu runs are missing; the page says which\n", missing,
                 study.grid.folder.runs.size());
  for (const auto& [arm, why] : study.grid.broken)
    std::fprintf(stderr, "seawall: %s\n", why.c_str());
  const auto written = report::write_report(study, out);
  if (!options.quiet)
    std::printf("%s (%.1f MB), figures in %s\n", (out / "report.html").c_str(),
                static_cast<double>(written) / 1e6, (out / "figures").c_str());
  return study.grid.broken.empty() ? 0 : static_cast<int>(ExitCode::bad_input);
}

}  // namespace seawall::commands
