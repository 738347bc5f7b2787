// `describe`: the options of a plug-in, or its formats, words or facts.
#include <cstdio>

#include "cli/plug_in_text.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"

namespace seawall::commands {
namespace {

std::string join(const auto& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w);
  return out.empty() ? "none" : out;
}

}  // namespace

int describe(const Program& program, const Words& words) {
  std::string name;
  CommandLine line(program.name + " describe NAME [options]",
                   "A plug-in: a policy's options with defaults and ranges, a reader's formats, …");
  line.positional("NAME", "of an attack, mitigation, judge, reader, scenario or model family",
                  name);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  std::vector<std::string> known;
  bool found = false;
  const auto look = [&](const auto& catalogue) {
    for (const auto one : catalogue.names()) known.emplace_back(one);
    const auto text = text_of(catalogue, name);  // a judge and a scenario may share a name
    if (!text) return;
    std::fputs(((found ? "\n" : "") + *text).c_str(), stdout);
    found = true;
  };
  look(program.attacks);
  look(program.mitigations);
  look(program.judges);
  look(program.readers);
  look(program.scenarios);
  look(program.families);
  if (found) return 0;
  const auto near = nearest_name(name, known);
  throw UsageError("describe " + name + ": no such plug-in" +
                   (near ? "; did you mean `" + *near + "`? There are " : "; there are ") +
                   join(known));
}

}  // namespace seawall::commands
