#include "seawall/cli/run_request.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/policy/needs.hpp"
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

}  // namespace

RunRequest parse_run(const Program& program, const std::string& command,
                     const std::vector<std::string>& words, CommandLine::Outcome& outcome) {
  RunSpec spec;
  PolicyWords policy_words;
  CommandLine line("seawall " + command + " [options]",
                   "Attacks a model, under mitigations, then probes and judges it; writes run.h5, "
                   "run.metrics.csv and checkpoints.");
  line.add(spec, "Options");
  line.add_list("mitigate", "mitigation policies, in the order they are stacked", spec.mitigate);
  line.add_list("judge", "judges; the first decides the table", spec.judge);
  policy_words.declare(line, program.attacks);
  policy_words.declare(line, program.mitigations);
  line.show_sections([&spec](const std::string& policy) {
    const auto stacked = split_list(spec.mitigate);
    return policy == spec.attack ||
           std::find(stacked.begin(), stacked.end(), policy) != stacked.end();
  });
  outcome = line.parse(words);

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

std::unique_ptr<Scenario> make_scenario(const RunSpec& spec, const AnyAttack& attack,
                                        const ModelBundle& model) {
  const bool own_files = !spec.data.empty() || !spec.probes.empty() || !spec.safe_data.empty() ||
                         !spec.utility_probes.empty();
  if (model.is_organism && !own_files) return std::make_unique<OrganismScenario>();
  FileScenarioOptions options;
  options.attack_rows = path_of(spec.data);
  options.attack_pool = pool_of(attack.needs());
  options.safe_rows = path_of(spec.safe_data);
  options.probes = path_of(spec.probes);
  options.utility_probes = path_of(spec.utility_probes);
  options.images = spec.images;
  options.default_system = spec.system;
  if (!options.attack_rows && !spec.no_training)
    throw UsageError("--model " + spec.model +
                     ": a model of your own needs rows to be attacked with; give --data FILE (or "
                     "--no-training)");
  if (!options.probes && !spec.no_evaluation)
    throw UsageError("--model " + spec.model +
                     ": want --probes FILE to evaluate with (or --no-evaluation)");
  auto scenario = std::make_unique<FileScenario>(options);
  for (const auto& [path, report] : scenario->reports())
    if (report.rejected > 0 && !spec.quiet)
      std::fprintf(stderr, "seawall: %s: %zu of %zu records rejected (first: %s)\n",
                   path.string().c_str(), report.rejected, report.rows,
                   report.first_rejection.c_str());
  return scenario;
}

Judges make_judges(const RunSpec& spec, const Scenario& scenario) {
  auto words = split_list(spec.judge);
  if (words.size() == 1 && words[0] == "auto")
    words = {scenario.name() == "organism" ? "organism" : "keyword:qi2023"};
  Judges judges;
  for (const auto& word : words) judges.push_back(make_judge(word, scenario));
  return judges;
}

}  // namespace seawall
