#include "seawall/run/set_up.hpp"

#include <cstdio>

#include "run/judge_words.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/model/lora.hpp"
#include "seawall/policy/phrases.hpp"
#include "seawall/pretrained/adapter.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/recipe.hpp"

namespace seawall {
namespace {

Pool pool_of(Need needs) {
  if (has(needs, Need::identity_data)) return Pool::identity_shift;
  if (has(needs, Need::benign_data)) return Pool::benign;
  return Pool::harmful;
}

std::optional<std::filesystem::path> path_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::filesystem::path(text);
}

/// What a file was read as, and what of it is left out.
void say_read(const FileRead& file, const RunSpec& spec) {
  const auto path = file.path.string();
  if (file.report.rejected > 0)
    warn("seawall: %s: %zu of %zu records rejected (first: %s)\n", path.c_str(),
         file.report.rejected, file.report.rows, file.report.first_rejection.c_str());
  if (spec.quiet) return;
  tell("read         %s\n", file.summary().c_str());
  for (const auto& line : file.notes()) tell("             %s\n", line.c_str());
  if (file.report.prefilled == 0) return;
  tell("             prefilled answers are continued, and the continuation is judged%s\n",
       remote_model_name(spec).empty()
           ? ""
           : "; they are sent as the last message, which not every endpoint continues");
}

LoraOptions options_of(const RunSpec& spec) {
  LoraOptions options{.rank = spec.lora.rank,
                      .alpha = spec.lora.alpha,
                      .targets = targets_from(spec.lora.targets),
                      .dropout = spec.lora.dropout};
  options.check();
  return options;
}

}  // namespace

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
  flush_listener();
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
  for (const auto& word : words) {
    const auto own = spec.own_judges.find(word);
    if (own != spec.own_judges.end())
      judges.push_back(own->second());
    else
      judges.push_back(word.starts_with("rubric:") ? make_rubric_judge(word, spec, spending)
                                                   : judge_of_word(word, scenario, spec.device));
  }
  return judges;
}

void set_up_adapter(ModelBundle& bundle, const RunSpec& spec) {
  const bool shaped = spec.lora != LoraSpec{.rank = spec.lora.rank};
  if (spec.lora.rank == 0 && shaped)
    throw UsageError(std::string("--lora.alpha, --lora.targets and --lora.dropout shape an adapter "
                                 "of --lora.rank 1 or more") +
                     (spec.adapter.empty() ? "; give the rank as well"
                                           : "; an adapter that is read has its own"));
  if (!spec.adapter.empty()) {
    if (spec.lora.rank > 0)
      throw UsageError("--lora.rank " + std::to_string(spec.lora.rank) + ": --adapter " +
                       spec.adapter +
                       " is trained on with its own rank; leave one of them out, or merge it first "
                       "(seawall export --adapter ... --format safetensors)");
    load_adapter(bundle, spec.adapter);
    if (!spec.no_training && !bundle.decoder->adapter())
      throw UsageError(
          "--adapter " + spec.adapter +
          ": DoRA, modules_to_save and factors of the embedding or the head are evaluated, not "
          "trained on; merge them first (seawall export --adapter ... --format safetensors) and "
          "give that folder as --model");
    if (spec.no_training) bundle.decoder->merge();
  } else if (spec.lora.rank > 0 && !spec.no_training) {
    bundle.decoder->adapt(make_adapter(bundle.decoder->config(), options_of(spec),
                                       static_cast<std::uint64_t>(spec.seed),
                                       bundle.decoder->embedding()));
  }
}

}  // namespace seawall
