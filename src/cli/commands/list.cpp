// `list`: what can be named on the command line.
#include <array>
#include <cstdio>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall::commands {
namespace {

void row(std::string_view name, std::string_view text) {
  std::printf("  %-22.*s %.*s\n", static_cast<int>(name.size()), name.data(),
              static_cast<int>(text.size()), text.data());
}

template <class Entry>
void list_catalogue(const Catalogue<Entry>& catalogue) {
  for (const auto& entry : catalogue.entries()) row(entry_name(entry), entry_summary(entry));
}

void list_readers(const ReaderCatalogue& readers) {
  for (const auto& reader : readers.entries()) {
    std::string formats;
    for (const auto& format : formats_of(reader)) formats += (formats.empty() ? "" : ", ") + format;
    const char* of = reader.ask == nullptr    ? "rows"
                     : reader.read == nullptr ? "probes"
                                              : "rows and probes";
    row(reader.name, std::string(reader.summary) + " (" + of + ": " + formats + ")");
  }
}

struct Kind {
  const char* name;
  void (*list)(const Program& program);
};
constexpr std::array kinds = std::to_array<Kind>({
    {"attacks", [](const Program& program) { list_catalogue(program.attacks); }},
    {"mitigations", [](const Program& program) { list_catalogue(program.mitigations); }},
    {"judges",
     [](const Program& program) {
       for (const auto& [word, summary] : program.judges.words()) row(word, summary);
     }},
    {"readers", [](const Program& program) { list_readers(program.readers); }},
    {"scenarios", [](const Program& program) { list_catalogue(program.scenarios); }},
    {"families", [](const Program& program) { list_catalogue(program.families); }},
    {"templates",
     [](const Program&) {
       for (const auto& [name, summary] : chat_template_words()) row(name, summary);
     }},
});

}  // namespace

int list(const Program& program, const Words& words) {
  std::string what, known;
  for (const auto& kind : kinds)
    known += std::string(known.empty()                                ? ""
                         : std::string_view(kind.name) == "templates" ? " or "
                                                                      : ", ") +
             kind.name;
  CommandLine line(program.name + " list KIND [options]",
                   "Lists what can be named on the command line.");
  line.positional("KIND", known, what);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  for (const auto& kind : kinds) {
    if (what != kind.name) continue;
    kind.list(program);
    return 0;
  }
  throw UsageError("list " + what + ": want " + known);
}

}  // namespace seawall::commands
