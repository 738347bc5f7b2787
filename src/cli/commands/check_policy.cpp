// `check-policy`: what holds for every policy, tried on the organism.
#include <cstdio>
#include <filesystem>

#include "cli/policy_words.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"
#include "seawall/run/policy_check.hpp"
#include "seawall/run/run.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

void tell_trial(const PolicyTrial& trial) {
  std::printf("%-6s %-40s %s\n", trial.good ? "ok" : "FAILED", trial.what.c_str(),
              trial.found.c_str());
  std::fflush(stdout);
}

/// A folder that is removed in the end.
struct Scratch {
  std::filesystem::path path;
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "seawall-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw IoError(name + ": cannot make a temporary folder; set TMPDIR to one");
    path = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

int check_policy(const Program& program, const Words& words) {
  std::string name;
  PolicyWords policy_words;
  CommandLine line(program.name + " check-policy NAME [options]",
                   "Tries an attack or a mitigation on the organism for a few steps: the same bits "
                   "twice and after a resume, micro-batches, LoRA, every precision, what it costs. "
                   "Exit 0 if all is well, 1 if something is not.");
  line.positional("NAME", "of an attack or a mitigation", name);
  policy_words.declare(line, program.attacks);
  policy_words.declare(line, program.mitigations);
  line.show_sections([&](const std::string& policy) { return policy == name; });
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const auto* attack = program.attacks.look_up(name);
  const auto* mitigation = program.mitigations.look_up(name);
  if (attack == nullptr && mitigation == nullptr) {
    std::vector<std::string> known;
    for (const auto one : program.attacks.names()) known.emplace_back(one);
    for (const auto one : program.mitigations.names()) known.emplace_back(one);
    const auto near = nearest_name(name, known);
    throw UsageError("check-policy " + name + ": no attack or mitigation of that name" +
                     (near ? "; did you mean `" + *near + "`?" : ""));
  }
  RunSpec spec;
  policy_words.take_plug_ins(program, spec);
  SignalGuard signals;
  const Scratch scratch;
  const OptionTexts options = policy_words.of(name);
  const bool good =
      mitigation != nullptr
          ? check_mitigation(mitigation->make(options), spec.plug_ins, scratch.path, tell_trial)
          : check_attack_policy(attack->make(options), spec.plug_ins, scratch.path, tell_trial);
  return good ? 0 : static_cast<int>(ExitCode::internal);
}

}  // namespace seawall::commands
