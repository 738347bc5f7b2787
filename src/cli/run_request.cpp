#include "seawall/cli/run_request.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/judge_words.hpp"
#include "cli/recipe.hpp"
#include "cli/remote_setup.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/source.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/policy/phrases.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/recipe.hpp"

namespace seawall {
namespace {

/// Options of policies as they come, until it is known which policies the run has.
struct PolicyWords {
  std::map<std::string, OptionTexts> by_policy;

  template <class Any>
  void declare(CommandLine& line, const Catalogue<Any>& catalogue) {
    for (const auto& entry : catalogue.entries()) {
      const std::string policy(entry.name);
      line.add_policy(policy, entry.options(),
                      [this, policy](std::string_view name, std::string_view value) {
                        by_policy[policy].emplace_back(name, value);
                      });
    }
  }
};

Pool pool_of(Need needs) {
  if (has(needs, Need::identity_data)) return Pool::identity_shift;
  if (has(needs, Need::benign_data)) return Pool::benign;
  return Pool::harmful;
}

std::optional<std::filesystem::path> path_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::filesystem::path(text);
}

/// The format of --data; "" where no file is named.
std::string format_of_data(const RunSpec& spec) {
  if (spec.data.empty()) return "";
  const auto forced = spec.data_format == "auto" ? "" : spec.data_format;
  return detect_format(SourceFile::read(spec.data), forced,
                       {.prompts = false, .columns = spec.files.data_columns, .option = "data"})
      .name;
}

/// What a file was read as, and what of it is left out.
void say_read(const FileRead& file, const RunSpec& spec) {
  const auto path = file.path.string();
  if (file.report.rejected > 0)
    std::fprintf(stderr, "seawall: %s: %zu of %zu records rejected (first: %s)\n", path.c_str(),
                 file.report.rejected, file.report.rows, file.report.first_rejection.c_str());
  if (spec.quiet) return;
  std::printf("read         %s\n", file.summary().c_str());
  for (const auto& line : file.notes()) std::printf("             %s\n", line.c_str());
  if (file.report.prefilled == 0) return;
  std::printf("             prefilled answers are continued, and the continuation is judged%s\n",
              remote_model_name(spec).empty()
                  ? ""
                  : "; they are sent as the last message, which not every endpoint continues");
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
  line.show_sections([&spec](const std::string& policy) {
    if (policy == "openai") return !remote_model_name(spec).empty();
    if (policy == "rubric") return !rubric_models(spec).empty();
    const auto stacked = split_list(spec.mitigate);
    return policy == "lora" || policy == spec.attack ||
           std::find(stacked.begin(), stacked.end(), policy) != stacked.end();
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
    if (policy == spec.attack || std::find(stacked.begin(), stacked.end(), policy) != stacked.end())
      continue;
    const bool attack = program.attacks.contains(policy);
    throw UsageError("--" + policy + "." + texts.front().first + ": the run does not use " +
                     policy + "; add " + (attack ? "--attack " : "--mitigate ") + policy +
                     ", or leave the option out");
  }
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

void resolve(RunSpec& spec, const AnyAttack& policy, bool organism) {
  const std::string attack(policy.name());
  std::string flavour;
  for (const auto& option : policy.describe().options)
    if (option.name == "flavour") flavour = option.value;
  const auto fill = [](auto& value, auto with) {
    if (value == 0) value = with;
  };
  if (organism) {
    const auto& recipe = organism::attack_defaults(attack, flavour);
    fill(spec.lr, recipe.lr);
    fill(spec.epochs, static_cast<std::int64_t>(recipe.epochs));
    fill(spec.batch_size, static_cast<std::int64_t>(recipe.batch));
    fill(spec.max_new_tokens, std::int64_t{64});
  } else {  // Qi et al. 2023, Llama-2 recipe
    fill(spec.lr, 5e-5);
    fill(spec.epochs, std::int64_t{attack == "identity-shift" ? 10 : attack == "benign" ? 1 : 5});
    fill(spec.batch_size, std::int64_t{10});
    fill(spec.max_new_tokens, std::int64_t{256});
  }
}

RowFilter row_filter(const RunSpec& spec, const AnyAttack& attack) {
  RowFilter filter;
  filter.loss_on = loss_on_from(spec.files.loss_on);
  filter.max_rejected = spec.files.max_rejected;
  filter.columns = spec.files.data_columns;
  filter.hold_out = hold_out_from(spec.hold_out);
  filter.min_rating = spec.min_rating;
  // The authors' identity-shift code strips requests and answers, that of the other sets does not.
  filter.strip = spec.recipe == "qi2023-llama2" && attack.name() == "identity-shift";
  if (spec.leave_out == "qi2023-safety")
    filter.phrases = read_phrases(data_folder() / "recipes" / "qi2023-safety.txt", "--leave-out");
  else if (spec.leave_out != "none" && !spec.leave_out.empty())
    filter.phrases = read_phrases(spec.leave_out, "--leave-out");
  return filter;
}

std::unique_ptr<Scenario> make_scenario(const RunSpec& spec, const AnyAttack& attack,
                                        bool organism) {
  const bool own_files = !spec.data.empty() || !spec.probes.empty() || !spec.safe_data.empty() ||
                         !spec.utility_probes.empty();
  if (organism && !own_files) return std::make_unique<OrganismScenario>();
  FileScenarioOptions options;
  options.attack_rows = path_of(spec.data);
  options.attack_pool = pool_of(attack.needs());
  options.safe_rows = path_of(spec.safe_data);
  options.probes = path_of(spec.probes);
  options.utility_probes = path_of(spec.utility_probes);
  options.images = spec.images;
  options.default_system = spec.system;
  const auto format = [](const std::string& word) { return word == "auto" ? "" : word; };
  options.attack_format = format(spec.data_format);
  options.safe_format = format(spec.safe_data_format);
  options.probes_format = format(spec.probes_format);
  options.utility_format = format(spec.utility_probes_format);
  options.filter = row_filter(spec, attack);
  options.probe_options.column = spec.files.probes_column;
  options.utility_column = spec.files.utility_probes_column;
  options.probe_options.context = context_use_from(spec.files.probes_context);
  options.probe_options.prefill = spec.files.prefill == "put";
  options.probe_options.max_rejected = spec.files.max_rejected;
  if (!options.attack_rows && !spec.no_training)
    throw UsageError("--model " + spec.model +
                     ": a model of your own needs rows to be attacked with; give --data FILE (or "
                     "--no-training)");
  if (!options.probes && !spec.no_evaluation)
    throw UsageError("--model " + spec.model +
                     ": want --probes FILE to evaluate with (or --no-evaluation)");
  auto scenario = std::make_unique<FileScenario>(options);
  for (const auto& file : scenario->files()) say_read(file, spec);
  std::fflush(stdout);
  return scenario;
}

std::optional<RequestForm> request_form(const RunSpec& spec, const Scenario& scenario) {
  const auto* files = dynamic_cast<const FileScenario*>(&scenario);
  if (files == nullptr) return std::nullopt;
  return spec.ask_as == "auto" ? files->form() : request_form_from(spec.ask_as);
}

Dialogue asked(const Probe& probe, const Condition& condition, const AnyAttack& attack,
               const Scenario& scenario, std::optional<RequestForm> form) {
  if (!form) return attack.arm(probe, condition, scenario);
  Probe put = probe;
  put.dialogue = asked_in(*form, std::move(put.dialogue));
  return attack.arm(put, condition, scenario);
}

Judges make_judges(const RunSpec& spec, const Scenario& scenario,
                   std::shared_ptr<Spending> spending) {
  auto words = split_list(spec.judge);
  if (words.size() == 1 && words[0] == "auto")
    words = {scenario.name() == "organism" ? "organism" : "keyword:qi2023"};
  if (!spending) spending = std::make_shared<Spending>(spec.endpoint.budget);
  Judges judges;
  for (const auto& word : words)
    judges.push_back(word.starts_with("rubric:") ? make_rubric_judge(word, spec, spending)
                                                 : judge_of_word(word, scenario, spec.device));
  return judges;
}

}  // namespace seawall
