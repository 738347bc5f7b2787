#include "seawall/cli/run_request.hpp"

#include <algorithm>
#include <map>

#include "cli/policy_words.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/source.hpp"
#include "seawall/run/recipe.hpp"
#include "seawall/run/remote_setup.hpp"

namespace seawall {
namespace {

/// The format of --data; "" where no file is named.
std::string format_of_data(const RunSpec& spec) {
  if (spec.data.empty()) return "";
  const auto forced = spec.data_format == "auto" ? "" : spec.data_format;
  return detect_format(SourceFile::read_records(spec.data), forced,
                       {.prompts = false, .columns = spec.files.data_columns, .option = "data"})
      .name;
}

std::string recipe_option(const RecipeValue& value, const std::string& attack) {
  return (value.of_attack ? attack + "." : "") + value.option;
}

std::string recipe_text(const CommandLine& line, const RunSpec& spec,
                        const std::vector<RecipeValue>& values) {
  std::string text;
  for (const auto& value : values) {
    const auto name = recipe_option(value, spec.attack);
    const bool other = line.given(name) && line.value(name) != value.value;
    text += (text.empty() ? "" : ", ") + name + " " + line.value(name);
    if (other) text += " (yours, not its " + value.value + ")";
  }
  return spec.recipe + ": " + text;
}

}  // namespace

RunRequest parse_run(const Program& program, const std::string& command,
                     const std::vector<std::string>& words, CommandLine::Outcome& outcome) {
  RunSpec spec;
  PolicyWords policy_words;
  CommandLine line("seawall " + command + " [options]",
                   "Attacks a model, under mitigations, then probes and judges it; writes run.h5, "
                   "run.metrics.csv and checkpoints.");
  line.add(spec, "Options");
  line.add(spec.endpoint, "Options of everything behind HTTP");
  line.add(spec.remote, "Options of remote models (--model openai:NAME)");
  line.add(spec.rubric, "Options of --judge rubric:MODEL");
  line.add_list("mitigate", "mitigation policies, in the order they are stacked", spec.mitigate);
  line.add_list("judge", "judges; the first decides the table", spec.judge);
  policy_words.declare(line, program.attacks);
  policy_words.declare(line, program.mitigations);
  policy_words.declare(line, program.judges);
  line.show_sections([&spec](const std::string& policy) {
    if (policy == "openai") return !remote_model_name(spec).empty();
    if (policy == "rubric") return !rubric_models(spec).empty();
    const auto stacked = split_list(spec.mitigate);
    return policy == "lora" || policy == spec.attack ||
           std::ranges::find(stacked, policy) != stacked.end() || names_judge(spec.judge, policy);
  });
  std::vector<RecipeValue> recipe;
  line.presets([&] {
    if (!spec.recipe.empty())
      recipe = recipe_values(spec.recipe, spec.attack, format_of_data(spec));
    CommandLine::Presets presets;
    for (const auto& value : recipe)
      presets.emplace_back(recipe_option(value, spec.attack), value.value);
    return presets;
  });
  outcome = line.parse(words);

  check_remote_words(spec, line.given());
  const auto stacked = split_list(spec.mitigate);
  for (const auto& [policy, texts] : policy_words.by_policy) {
    if (policy == spec.attack || std::ranges::find(stacked, policy) != stacked.end() ||
        names_judge(spec.judge, policy))
      continue;
    const std::string word = program.attacks.contains(policy)       ? "--attack "
                             : program.mitigations.contains(policy) ? "--mitigate "
                                                                    : "--judge ";
    throw UsageError("--" + policy + "." + texts.front().first + ": the run does not use " +
                     policy + "; add " + word + policy + ", or leave the option out");
  }
  policy_words.take_judges(program.judges, spec);
  RunRequest request{
      .spec = spec,
      .attack = program.attacks.make(spec.attack, policy_words.by_policy[spec.attack]),
      .stack = {},
      .config_text = line.config_text()};
  for (const auto& name : stacked)
    request.stack.push_back(program.mitigations.make(name, policy_words.by_policy[name]));
  request.given_lr = line.given("lr");
  if (!spec.recipe.empty()) request.recipe_text = recipe_text(line, spec, recipe);
  return request;
}

}  // namespace seawall
