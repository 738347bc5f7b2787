// gnuplot as a child process: one call a figure, no shell, no start-up file of the user's.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "report/figure.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/atomic_file.hpp"

extern char** environ;

namespace seawall::report {
namespace {

namespace fs = std::filesystem;

constexpr const char* install =
    "gnuplot: not found; the figures need it: `apt-get install gnuplot-nox` (5.4 or later), then "
    "run the report again";

std::string script(const Figure& figure, bool pdf) {
  char terminal[160];
  if (pdf)
    std::snprintf(terminal, sizeof terminal,
                  "set terminal pdfcairo size %.3fin,%.3fin noenhanced font 'sans,9' rounded\n",
                  figure.width / 96.0, figure.height / 96.0);
  else
    std::snprintf(terminal, sizeof terminal,
                  "set terminal svg size %d,%d dynamic noenhanced font 'sans,12' rounded\n",
                  figure.width, figure.height);
  return "reset\nset encoding utf8\n" + std::string(terminal) + "set output " +
         literal(figure.name + (pdf ? ".pdf" : ".svg")) + "\n" + figure.commands + "unset output\n";
}

/// Environment without what changes numbers, fonts or dates.
std::vector<char*> clean_environment(std::vector<std::string>& storage) {
  std::vector<char*> out;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view entry = *e;
    if (entry.starts_with("LC_") || entry.starts_with("LANG") || entry.starts_with("GNUPLOT"))
      continue;
    out.push_back(*e);
  }
  storage = {"LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH=0"};
  for (auto& entry : storage) out.push_back(entry.data());
  out.push_back(nullptr);
  return out;
}

/// Runs `gnuplot -d FILE` in `folder`, its words into `log`.
void run_gnuplot(const fs::path& folder, const std::string& file) {
  const fs::path log = folder / (file + ".log");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (file + ".log").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::string program = "gnuplot", defaults = "-d", name = file;
  std::array<char*, 4> arguments{program.data(), defaults.data(), name.data(), nullptr};
  std::vector<std::string> storage;
  auto environment = clean_environment(storage);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, "gnuplot", &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) throw IoError(install);
  if (failed != 0) throw IoError("gnuplot: cannot start: " + std::string(std::strerror(failed)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::error_code ignored;
  const std::string said = fs::exists(log, ignored) ? read_file(log) : "";
  fs::remove(log, ignored);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) throw IoError(install);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::size_t at = said.rfind(" line ");  // `"file.gp" line 7: what is wrong`
    const std::string line =
        at == std::string::npos ? "no word why" : said.substr(at + 1, said.find('\n', at) - at - 1);
    throw IoError((folder / file).string() + ": gnuplot failed: " + line);
  }
}

/// cairo writes the time of day into a PDF; the same figure should give the same bytes.
void fix_date(const fs::path& pdf) {
  std::string bytes = read_file(pdf);
  constexpr std::string_view key = "/CreationDate (D:";
  const std::size_t at = bytes.find(key);
  if (at == std::string::npos) return;
  const std::size_t end = bytes.find(')', at);
  constexpr std::string_view fixed = "20000101000000Z";
  for (std::size_t i = at + key.size(), k = 0; i < end; ++i, ++k)
    bytes[i] = k < fixed.size() ? fixed[k] : ' ';
  write_file_atomically(pdf, std::string_view(bytes));
}

}  // namespace

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "''";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "'";
}

std::string value(double x) {
  if (!std::isfinite(x)) return "NaN";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return text;
}

std::string calm_axes() {
  return "set border 3 lw 0.8 lc rgb '" + std::string(ink::muted) +
         "'\nset tics nomirror out scale 0.5\nset grid ytics lt -1 lc rgb '" +
         std::string(ink::rule) + "' lw 0.8\nset key off\n";
}

std::vector<std::string> draw(const std::vector<Figure>& figures, const fs::path& folder) {
  prepare_folder(folder);
  std::vector<std::string> pages;
  for (const Figure& figure : figures) {
    const std::string file = figure.name + ".gp";
    const std::string text = "# " + figure.name + ": `gnuplot -d " + file + "` draws " +
                             figure.name + ".svg and .pdf\n" + script(figure, false) +
                             script(figure, true);
    write_file_atomically(folder / file, std::string_view(text));
    run_gnuplot(folder, file);
    const fs::path svg = folder / (figure.name + ".svg");
    const std::string raw = read_file(svg);
    write_file_atomically(svg, std::string_view(polish_svg(raw, figure, false)));
    fix_date(folder / (figure.name + ".pdf"));
    if (!figure.csv.empty())
      write_file_atomically(folder / (figure.name + ".csv"), std::string_view(figure.csv));
    pages.push_back(polish_svg(raw, figure, true));
  }
  return pages;
}

}  // namespace seawall::report
