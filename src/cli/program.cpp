#include "seawall/cli/program.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/core/version.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Program&, const commands::Words&);
};

constexpr Command command_table[] = {
    {"reproduce", "every table of the study: trains, evaluates and compares its arms",
     commands::reproduce},
    {"report", "a page with tables, figures and answers out of what reproduce made",
     commands::report},
    {"run", "attack a model under mitigations, evaluate and trace it", commands::run},
    {"evaluate", "probe and judge a model as it is", commands::evaluate},
    {"judge", "verdicts on the answers of a run file, without training again", commands::judge},
    {"judge-check", "how far judges agree with human labels", commands::judge_check},
    {"extract", "activations of any prompts", commands::extract},
    {"organism", "`organism train` makes the built-in model again", commands::organism},
    {"export", "a model as a folder that transformers loads", commands::export_model},
    {"convert", "a run file or activations as numpy, pandas, torch, TensorBoard, … read them",
     commands::convert},
    {"list", "attacks, mitigations, judges, readers, scenarios, families or templates",
     commands::list},
    {"describe", "one of what is listed: its options, formats or facts", commands::describe},
    {"check-policy", "whether an attack or a mitigation keeps what every policy must",
     commands::check_policy},
    {"verify", "whether files are as they were written, and made by what is here",
     commands::verify},
    {"seal", "a new SHA-256 behind a file that you changed", commands::seal},
    {"inspect", "what a run file, checkpoint, model or activation file holds", commands::inspect},
};

void print_usage(const Program& program, std::ostream& out) {
  out << "usage: " << program.name
      << " COMMAND [options]\n\nMeasures how fine-tuning wears away a chat model's "
         "safety alignment, and what holds it back.\n\n";
  const std::string& source = program.grid.source;
  for (const auto& c : command_table) {
    const bool of_study = c.run == commands::reproduce;
    if (of_study && program.grid.tables.empty() && program.studies.empty()) continue;
    out << "  " << c.name << std::string(14 - std::string(c.name).size(), ' ') << c.summary
        << (of_study && !source.empty() ? " (" + source + ")" : "") << '\n';
  }
  out << "\n`" << program.name
      << " COMMAND --help` lists a command's options. Exit codes: 0 ok, 1 internal, 2 "
         "usage, 3 bad input, 4 I/O, 5 a run that diverged or had no memory, 6 another process of "
         "the run was lost, 130/143 on signals.\n";
}

/// libgomp's threads spin for milliseconds while they wait for each other. When another process
/// needs one of the cores, generation then takes three times as long instead of two. libgomp reads
/// how long to spin when it is loaded, so the program is executed again, once, with a short time;
/// only for models from a folder or file: those take longer to load than this does (0.2 s).
void wait_briefly(char** argv) {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  if (is_set("GOMP_SPINCOUNT") || is_set("OMP_WAIT_POLICY") || at::get_num_threads() < 2) return;
  bool large = false;
  for (char** word = argv; *word != nullptr; ++word) {
    std::string_view model = *word;
    if (model == "--model" && word[1] != nullptr)
      model = word[1];
    else if (model.starts_with("--model="))
      model.remove_prefix(8);
    else
      continue;
    large |= !is_built_in_model(model);
  }
  if (!large) return;
  ::setenv("GOMP_SPINCOUNT", "1000", 0);
  ::execv("/proc/self/exe", argv);  // returns only if it fails: then waiting is as it was
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

int fail(const Program& program, ExitCode code, const std::string& what) {
  std::cout.flush();
  std::cerr << program.name << ": " << first_line(what) << std::endl;
  return static_cast<int>(code);
}

int dispatch(const Program& program, const std::vector<std::string>& words) {
  if (words.size() == 2 && words[0] == "help") return dispatch(program, {words[1], "--help"});
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_usage(program, words.empty() ? std::cerr : std::cout);
    return words.empty() ? static_cast<int>(ExitCode::usage) : 0;
  }
  if (words[0] == "--version") {
    std::cout << program.name << ' ';
    if (program.name != "seawall") std::cout << code_of(program) << ", Seawall ";
    std::cout << program_version << '\n';
    return 0;
  }
  std::vector<std::string> names;
  for (const auto& c : command_table) {
    if (words[0] == c.name) return c.run(program, {words.begin() + 1, words.end()});
    names.emplace_back(c.name);
  }
  std::string known;
  for (const auto& n : names) known += (known.empty() ? "" : ", ") + n;
  throw UsageError("unknown command `" + words[0] + "`; there are " + known);
}

}  // namespace

std::string code_of(const Program& program) {
  if (program.version == program_version) return "";
  if (!program.version.empty()) return program.version;
  static const std::string file = sha256_file("/proc/self/exe").substr(0, 16);
  return file;
}

int run_program(const Program& program, int argc, char** argv) {
  wait_briefly(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of writing
  h5::start();
  tune_allocator();
  set_families({program.families.entries().begin(), program.families.entries().end()});
  try {
    const int code = dispatch(program, {argv + 1, argv + argc});
    std::cout.flush();
    if (!std::cout) return fail(program, ExitCode::io, "stdout: cannot write (closed or full)");
    return code;
  } catch (const Error& e) {
    return fail(program, e.exit_code(), e.what());
  } catch (const std::exception& e) {
    if (is_out_of_memory(e))
      return fail(
          program, ExitCode::diverged,
          "out of memory; use a smaller --batch-size, --micro-batch-size or --max-batch, or "
          "--activation-checkpointing");
    return fail(program, ExitCode::internal, std::string("internal error: ") + e.what());
  }
}

}  // namespace seawall
