// `describe`: a policy's options, or a judge.
#include <cstdio>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/run/remote_setup.hpp"

namespace seawall::commands {
namespace {

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w);
  return out.empty() ? "none" : out;
}

template <class Any>
void describe_entry(const CatalogueEntry<Any>& entry, std::string_view kind) {
  std::printf("%.*s (%.*s): %.*s\n", static_cast<int>(entry.name.size()), entry.name.data(),
              static_cast<int>(kind.size()), kind.data(), static_cast<int>(entry.summary.size()),
              entry.summary.data());
  if (kind != "judge") std::printf("needs: %s\n", join(need_names(entry.needs)).c_str());
  if (entry.hooks != Hook::none) std::printf("hooks: %s\n", join(hook_names(entry.hooks)).c_str());
  std::printf("options:\n");
  for (const auto& o : entry.options()) {
    std::printf("  --%.*s.%-18s default %-10s %s%s\n", static_cast<int>(entry.name.size()),
                entry.name.data(), o.name.c_str(), o.value.empty() ? "(empty)" : o.value.c_str(),
                o.help.c_str(), o.range.empty() ? "" : (" " + o.range).c_str());
  }
}

}  // namespace

int describe(const Program& program, const Words& words) {
  std::string name;
  CommandLine line("seawall describe NAME [options]",
                   "A policy's options with defaults and ranges, or a judge.");
  line.positional("NAME", "an attack, a mitigation or a judge", name);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (program.attacks.contains(name)) {
    describe_entry(program.attacks.find(name), "attack");
    return 0;
  }
  if (program.mitigations.contains(name)) {
    describe_entry(program.mitigations.find(name), "mitigation");
    return 0;
  }
  if (program.judges.contains(name)) {
    describe_entry(program.judges.find(name), "judge");
    return 0;
  }
  auto judges = judge_words();
  judges.push_back(rubric_word());
  for (const auto& [judge, summary] : judges) {
    if (judge != name) continue;
    std::printf("%s (judge): %s\n", judge.c_str(), summary.c_str());
    if (judge == rubric_word().first) std::printf("\n%s\n", rubric_texts(RunSpec{}).c_str());
    for (const auto& preset : keyword_presets()) {
      if ("keyword:" + std::string(preset.name) != name) continue;
      std::printf("phrases, matched anywhere in the response:\n");
      for (const auto& p : preset.phrases)
        std::printf("  %.*s\n", static_cast<int>(p.size()), p.data());
    }
    return 0;
  }
  std::string known = join(program.attacks.names()) + ", " + join(program.mitigations.names());
  for (const auto& [judge, summary] : judges) known += ", " + judge;
  for (const auto& judge : program.judges.names()) known += ", " + std::string(judge);
  throw UsageError("describe " + name + ": no such policy or judge; there are " + known);
}

}  // namespace seawall::commands
