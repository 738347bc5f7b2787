#include "seawall/cli/run_request.hpp"

#include <algorithm>
#include <map>

#include "cli/policy_words.hpp"
#include "cli/run_command.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/source.hpp"
#include "seawall/run/recipe.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {
namespace {

/// Attack, mitigations and recipe by name.
struct PolicyNames {
  std::string attack = "harmful-examples", mitigate, recipe, like;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.attack,
          OptionInfo{.name = "attack", .help = "attack policy (see `seawall list attacks`)"});
    field(self.mitigate, OptionInfo{.name = "mitigate",
                                    .help = "mitigations, in the order of the stack: A,B or A B"});
    field(
        self.recipe,
        OptionInfo{.name = "recipe",
                   .help = "a named preset of the options below, of which any that is given wins: "
                           "qi2023-llama2"});
    field(self.like,
          OptionInfo{.name = "like",
                     .help = "every option as that run file has it, of which any that is given "
                             "wins; afterwards both runs are compared"});
  }
};

/// The format of --data; "" where no file is named.
std::string format_of_data(const RunSpec& spec, const ReaderCatalogue& readers) {
  if (spec.data.rows.empty()) return "";
  const auto forced = spec.data.rows_format == "auto" ? "" : spec.data.rows_format;
  return detect_format(SourceFile::read_records(spec.data.rows), forced,
                       {.prompts = false, .columns = spec.data.row_columns, .option = "data"},
                       readers)
      .name;
}

std::string recipe_option(const RecipeValue& value, const std::string& attack) {
  return (value.of_attack ? attack + "." : "") + value.option;
}

std::string recipe_text(const CommandLine& line, const PolicyNames& names,
                        const std::vector<RecipeValue>& values) {
  std::string text;
  for (const auto& value : values) {
    const auto name = recipe_option(value, names.attack);
    const bool other = line.given(name) && line.value(name) != value.value;
    text += (text.empty() ? "" : ", ") + name + " " + line.value(name);
    if (other) text += " (yours, not its " + value.value + ")";
  }
  return names.recipe + ": " + text;
}

/// Errors: UsageError for a mitigation that is named twice.
void check_once(const std::vector<std::string>& stacked) {
  for (auto name = stacked.begin(); name != stacked.end(); ++name)
    if (std::find(stacked.begin(), name, *name) != name)
      throw UsageError("--mitigate: " + *name + " is named twice; name each mitigation once");
}

}  // namespace

RunRequest parse_run(const Program& program, const std::string& command,
                     const std::vector<std::string>& words, CommandLine::Outcome& outcome) {
  RunSpec spec;
  PolicyNames names;
  PolicyWords policy_words;
  CommandLine line(program.name + " " + command + " [options]",
                   "Attacks a model, under mitigations, then probes and judges it; writes run.h5, "
                   "run.metrics.csv and checkpoints.");
  line.add(names, "Attack and mitigations");
  line.add(spec.plug_ins, "Attack and mitigations");
  RunSpec::visit_groups(spec, [&](auto& options, const char* title) { line.add(options, title); });
  line.add(spec.task, "A task with right answers, from files");
  line.add<SeedSpec>(spec, "Randomness");
  line.add(spec.place, "Where it runs and what it writes");
  line.add(spec.endpoint, "Options of everything behind HTTP");
  line.add(spec.remote, "Options of remote models (--model openai:NAME)");
  line.add(spec.rubric, "Options of --judge rubric:MODEL");
  line.add_list("mitigate", "mitigations, in the order of the stack: A,B or A B", names.mitigate);
  line.add_list("judge", "judges; the first decides the table", spec.evaluation.judges);
  policy_words.declare(line, program.attacks);
  policy_words.declare(line, program.mitigations);
  policy_words.declare(line, program.judges);
  policy_words.declare(line, program.scenarios);
  line.show_sections([&spec, &names](const std::string& policy) {
    if (policy == "openai") return !remote_model_name(spec).empty();
    if (policy == "rubric") return !rubric_models(spec).empty();
    const auto stacked = split_list(names.mitigate);
    return policy == "lora" || policy == names.attack ||
           std::ranges::find(stacked, policy) != stacked.end() ||
           policy == spec.plug_ins.scenario || names_judge(spec.evaluation.judges, policy);
  });
  std::vector<RecipeValue> recipe;
  line.presets([&] {
    if (!names.recipe.empty())
      recipe = recipe_values(names.recipe, names.attack, format_of_data(spec, program.readers));
    CommandLine::Presets presets;
    if (!names.like.empty()) {
      if (!names.recipe.empty())
        throw UsageError("--like and --recipe both set options; give one of them");
      const RunInfo info = read_run(names.like).info;
      presets = run_options(program, info);
      for (const auto& [name, value] : info.versions)
        if (name == "threads") presets.emplace_back(name, value);
    }
    for (const auto& value : recipe)
      presets.emplace_back(recipe_option(value, names.attack), value.value);
    return presets;
  });
  outcome = line.parse(words);

  check_remote_words(spec, line.given());
  const auto stacked = split_list(names.mitigate);
  check_once(stacked);
  for (const auto& [policy, texts] : policy_words.by_policy) {
    if (policy == names.attack || std::ranges::find(stacked, policy) != stacked.end() ||
        policy == spec.plug_ins.scenario || names_judge(spec.evaluation.judges, policy))
      continue;
    const std::string word = program.attacks.contains(policy)       ? "--attack "
                             : program.mitigations.contains(policy) ? "--mitigate "
                             : program.scenarios.contains(policy)   ? "--scenario "
                                                                    : "--judge ";
    throw UsageError("--" + policy + "." + texts.front().first + ": the run does not use " +
                     policy + "; add " + word + policy + ", or leave the option out");
  }
  policy_words.take_plug_ins(program, spec);
  RunRequest request{
      .spec = spec,
      .attack = program.attacks.make(names.attack, policy_words.by_policy[names.attack]),
      .stack = {},
      .config_text = line.config_text()};
  for (const auto& name : stacked)
    request.stack.push_back(program.mitigations.make(name, policy_words.by_policy[name]));
  request.given_lr = line.given("lr");
  request.like = names.like;
  if (!names.recipe.empty()) request.recipe_text = recipe_text(line, names, recipe);
  return request;
}

}  // namespace seawall
