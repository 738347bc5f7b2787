// `list`: what can be named on the command line.
#include <cstdio>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall::commands {
namespace {

void row(std::string_view name, std::string_view text) {
  std::printf("  %-22.*s %.*s\n", static_cast<int>(name.size()), name.data(),
              static_cast<int>(text.size()), text.data());
}

template <class Any>
void list_catalogue(const Catalogue<Any>& catalogue) {
  for (const auto& entry : catalogue.entries()) row(entry.name, entry.summary);
}

}  // namespace

int list(const Program& program, const Words& words) {
  std::string what;
  CommandLine line("seawall list attacks|mitigations|judges|scenarios|templates [options]",
                   "Lists what can be named on the command line.");
  line.positional("WHAT", "attacks, mitigations, judges, scenarios or templates", what);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (what == "attacks") {
    list_catalogue(program.attacks);
  } else if (what == "mitigations") {
    list_catalogue(program.mitigations);
  } else if (what == "judges") {
    for (const auto& [name, summary] : judge_words()) row(name, summary);
    row(rubric_word().first, rubric_word().second);
    list_catalogue(program.judges);
  } else if (what == "scenarios") {
    row("organism",
        "the built-in fictional world; used where --model is the organism and no --data is given");
    row("files", "the user's own rows and probes: --data, --safe-data, --probes, --utility-probes");
  } else if (what == "templates") {
    for (const auto& name : chat_template_names()) row(name, "");
  } else {
    throw UsageError("list " + what +
                     ": want attacks, mitigations, judges, scenarios or templates");
  }
  return 0;
}

}  // namespace seawall::commands
