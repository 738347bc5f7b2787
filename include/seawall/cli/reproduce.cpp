#include "seawall/cli/reproduce.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <new>
#include <set>
#include <sstream>
#include <thread>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/options.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {
namespace {

std::string number(const char* format, double value) {
  if (std::isnan(value)) return "";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// What the workers share: the next task, how many are done, and the first failure.
struct Board {
  std::atomic<std::size_t> next{0}, done{0};
  std::atomic<int> failed{0};
};

Board* make_board() {
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw IoError("reproduce: cannot map memory to share with the workers");
  return new (memory) Board;
}

[[noreturn]] void worker(const std::vector<GridTask>& tasks, Board& board,
                         const std::function<void(const GridTask&)>& work) {
  int code = 0;
  while (board.failed == 0) {
    const std::size_t i = board.next++;
    if (i >= tasks.size()) break;
    try {
      work(tasks[i]);
      ++board.done;
    } catch (const Error& e) {
      code = static_cast<int>(e.exit_code());
      std::cerr << "seawall: arm " << tasks[i].arm << ": " << e.what() << std::endl;
    } catch (const std::exception& e) {
      code = static_cast<int>(ExitCode::internal);
      std::cerr << "seawall: arm " << tasks[i].arm << ": "
                << std::string_view(e.what()).substr(0, std::string_view(e.what()).find('\n'))
                << std::endl;
    }
    if (code != 0) {
      int none = 0;
      board.failed.compare_exchange_strong(none, code);
    }
  }
  std::cout.flush();
  _exit(code);  // no destructors of the parent's objects in a fork
}

const EvaluationRecord& find_evaluation(const RunData& run, const GridCell& cell,
                                        const std::string& set, const std::filesystem::path& file) {
  const EvaluationRecord* found = nullptr;
  for (const auto& e : run.evaluations) {
    if (e.set != set || e.condition != cell.condition) continue;
    if (cell.epoch != 0 && e.epoch != cell.epoch) continue;
    if (found == nullptr || e.step >= found->step) found = &e;
  }
  if (found == nullptr)
    throw DataError(file.string() + ": no evaluation of " + set + " under `" + cell.condition +
                    "`" + (cell.epoch != 0 ? " after epoch " + std::to_string(cell.epoch) : "") +
                    " for cell " + cell.table + "/" + cell.cell);
  return *found;
}

bool has_utility(const RunData& run) {
  return std::any_of(run.evaluations.begin(), run.evaluations.end(),
                     [](const auto& e) { return e.set == "utility"; });
}

std::string interval(const char* format, const Estimate& e, double scale) {
  return number(format, e.value * scale) + " [" + number(format, e.lo * scale) + ", " +
         number(format, e.hi * scale) + "]";
}

}  // namespace

std::vector<PublishedFigure> read_published(const std::filesystem::path& file) {
  std::istringstream in(read_file(file));
  std::vector<PublishedFigure> out;
  std::string line;
  std::getline(in, line);
  if (line != "table,cell,condition,model,score,rate")
    throw DataError(file.string() +
                    ": line 1: want the header table,cell,condition,model,score,rate");
  for (int number = 2; std::getline(in, line); ++number) {
    std::vector<std::string> f;
    std::istringstream fields(line + ",");
    for (std::string word; std::getline(fields, word, ',');) f.push_back(word);
    if (f.size() != 6)
      throw DataError(file.string() + ": line " + std::to_string(number) + ": want 6 fields, got " +
                      std::to_string(f.size()));
    const auto value = [](const std::string& text) {
      return text.empty() ? std::numeric_limits<double>::quiet_NaN() : std::stod(text);
    };
    out.push_back({f[0], f[1], f[2], f[3], value(f[4]), value(f[5])});
  }
  return out;
}

std::vector<GridTask> grid_tasks(const Grid& grid, const std::vector<GridCell>& cells,
                                 std::int64_t seeds, const std::filesystem::path& folder) {
  std::set<std::string> needed;
  for (const auto& cell : cells) needed.insert(cell.arm);
  std::vector<GridTask> tasks;
  for (std::int64_t seed = 0; seed < seeds; ++seed) {
    for (const auto& arm : grid.arms) {
      if (!needed.contains(arm.name)) continue;
      std::istringstream in(arm.words);
      GridTask task{.arm = arm.name, .words = {}, .out = {}};
      for (std::string word; in >> word;) task.words.push_back(word);
      const bool trains =
          std::find(task.words.begin(), task.words.end(), "--no-training") == task.words.end();
      if (!trains && seed > 0) continue;
      std::string file = arm.name + "-seed" + std::to_string(seed) + ".h5";
      std::replace(file.begin(), file.end(), '/', '_');
      task.out = folder / "arms" / file;
      for (const std::string& word :
           {std::string("--seed"), std::to_string(seed), std::string("--out"), task.out.string()})
        task.words.push_back(word);
      tasks.push_back(std::move(task));
    }
  }
  return tasks;
}

int run_tasks(const std::vector<GridTask>& tasks, int workers, bool quiet,
              const std::function<void(const GridTask&)>& work) {
  Board* board = make_board();
  std::cout.flush();
  std::cerr.flush();
  std::vector<pid_t> children;
  for (int i = 0; i < workers; ++i) {
    const pid_t child = fork();
    if (child < 0) {
      board->failed = static_cast<int>(ExitCode::internal);
      break;
    }
    if (child == 0) worker(tasks, *board, work);
    children.push_back(child);
  }
  Progress progress("arms", static_cast<std::int64_t>(tasks.size()), quiet);
  int code = 0;
  while (!children.empty()) {
    for (auto child = children.begin(); child != children.end();) {
      int status = 0;
      if (waitpid(*child, &status, WNOHANG) <= 0) {
        ++child;
        continue;
      }
      if (WIFSIGNALED(status)) {
        int none = 0;
        board->failed.compare_exchange_strong(none, 128 + WTERMSIG(status));
      }
      child = children.erase(child);
    }
    progress.update(static_cast<std::int64_t>(board->done), 0,
                    std::numeric_limits<double>::quiet_NaN());
    if (!children.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  progress.finish();
  code = board->failed;
  munmap(board, sizeof(Board));
  return code;
}

std::vector<GridResult> collect(const std::vector<GridCell>& cells,
                                const std::vector<GridTask>& tasks) {
  std::map<std::string, std::vector<std::pair<std::filesystem::path, RunData>>> runs;
  for (const auto& task : tasks) runs[task.arm].emplace_back(task.out, read_run(task.out));
  std::vector<GridResult> results;
  for (const auto& cell : cells) {
    Runs harm, ordinary;
    for (const auto& [file, run] : runs.at(cell.arm)) {
      harm.push_back(outcomes(find_evaluation(run, cell, "harmfulness", file)));
      if (has_utility(run))
        ordinary.push_back(outcomes(find_evaluation(run, cell, "utility", file)));
    }
    if (ordinary.size() < harm.size()) ordinary.clear();
    GridResult result{cell, estimate_cell(harm, ordinary)};
    results.push_back(std::move(result));
  }
  return results;
}

std::string results_csv(const std::vector<GridResult>& results) {
  std::string out =
      "table,cell,condition,seeds,n,score,score_lo,score_hi,rate,rate_lo,rate_hi,utility\n";
  for (const auto& [cell, e] : results) {
    out += cell.table + "," + cell.cell + "," + cell.condition + "," + std::to_string(e.seeds) +
           "," + std::to_string(e.n);
    for (const double v : {e.score.value, e.score.lo, e.score.hi}) out += "," + number("%.4f", v);
    for (const double v : {e.rate.value, e.rate.lo, e.rate.hi, e.utility.value})
      out += "," + number("%.2f", 100 * v);
    out += "\n";
  }
  return out;
}

std::string results_table(const std::vector<GridResult>& results,
                          const std::vector<PublishedFigure>& published) {
  const auto paper = [&](const GridCell& cell, const char* model) -> std::string {
    for (const auto& p : published)
      if (p.table == cell.table && p.cell == cell.cell && p.condition == cell.condition &&
          p.model == model)
        return number("%.1f", p.rate);
    return "-";
  };
  std::string out, table;
  char line[256];
  for (const auto& [cell, e] : results) {
    if (cell.table != table) {
      std::snprintf(line, sizeof line, "\n%-32s %-10s %5s %20s %24s %9s   %-14s\n",
                    cell.table.c_str(), "condition", "seeds", "score [95 %]", "rate % [95 %]",
                    "utility %", "paper % GPT-3.5 / Llama-2");
      out += line;
      table = cell.table;
    }
    std::snprintf(line, sizeof line, "  %-30s %-10s %5lld %20s %24s %9s   %s / %s\n",
                  cell.cell.c_str(), cell.condition.c_str(), static_cast<long long>(e.seeds),
                  interval("%.2f", e.score, 1).c_str(), interval("%.1f", e.rate, 100).c_str(),
                  e.utility.measured() ? number("%.1f", 100 * e.utility.value).c_str() : "-",
                  paper(cell, "GPT-3.5 Turbo").c_str(), paper(cell, "Llama-2-7b-Chat").c_str());
    out += line;
    if (e.invalid > 0)
      out += "    " + std::to_string(e.invalid) +
             " answers could not be judged; the interval spans both readings\n";
  }
  return out;
}

}  // namespace seawall
