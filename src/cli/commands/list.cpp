// `list`, `describe` and `inspect`: what there is, in words.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_listing.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/inspect.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall::commands {
namespace {

void row(std::string_view name, std::string_view text) {
  std::printf("  %-22.*s %.*s\n", static_cast<int>(name.size()), name.data(),
              static_cast<int>(text.size()), text.data());
}

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w);
  return out.empty() ? "none" : out;
}

template <class Any>
void list_catalogue(const Catalogue<Any>& catalogue) {
  for (const auto& entry : catalogue.entries()) row(entry.name, entry.summary);
}

template <class Any>
void describe_entry(const CatalogueEntry<Any>& entry, std::string_view kind) {
  std::printf("%.*s (%.*s): %.*s\n", static_cast<int>(entry.name.size()), entry.name.data(),
              static_cast<int>(kind.size()), kind.data(), static_cast<int>(entry.summary.size()),
              entry.summary.data());
  std::printf("needs: %s\n", join(need_names(entry.needs)).c_str());
  if (entry.hooks != Hook::none) std::printf("hooks: %s\n", join(hook_names(entry.hooks)).c_str());
  std::printf("options:\n");
  for (const auto& o : entry.options()) {
    std::printf("  --%.*s.%-18s default %-10s %s%s\n", static_cast<int>(entry.name.size()),
                entry.name.data(), o.name.c_str(), o.value.empty() ? "(empty)" : o.value.c_str(),
                o.help.c_str(), o.range.empty() ? "" : (" " + o.range).c_str());
  }
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
  throw UsageError("describe " + name + ": no such policy or judge; there are " + known);
}

int inspect(const Program&, const Words& words) {
  std::string word;
  CommandLine line("seawall inspect FILE|FOLDER [options]",
                   "Says on one screen what a file of ours, or a model, holds.");
  line.positional(
      "FILE|FOLDER",
      "a run file, a checkpoint, an activation file, a .gguf file or a Hugging Face folder", word);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const std::filesystem::path path =
      word == "organism" ? data_folder() / "organism" : std::filesystem::path(word);
  if (!std::filesystem::exists(path)) throw IoError(path.string() + ": no such file or folder");
  const bool folder = !is_checkpoint(path) && std::filesystem::exists(path / "config.json");
  if (path.extension() == ".gguf" || folder) {
    std::cout << describe_model(path);
  } else {
    std::cout << describe_file(path);
  }
  return 0;
}

}  // namespace seawall::commands
