#include "seawall/run/set_up.hpp"

#include <cstdio>

#include "run/judge_words.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/lora.hpp"
#include "seawall/policy/phrases.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"

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
  if (spec.place.quiet) return;
  tell("read         %s\n", file.summary().c_str());
  for (const auto& line : file.notes()) tell("             %s\n", line.c_str());
  if (file.report.prefilled == 0) return;
  tell("             prefilled answers are continued, and the continuation is judged%s\n",
       remote_model_name(spec).empty()
           ? ""
           : "; they are sent as the last message, which not every endpoint continues");
}

LoraOptions options_of(const RunSpec& spec) {
  LoraOptions options{.rank = spec.training.lora.rank,
                      .alpha = spec.training.lora.alpha,
                      .targets = targets_from(spec.training.lora.targets),
                      .dropout = spec.training.lora.dropout};
  options.check();
  return options;
}

}  // namespace

void Backend::resolve(RunSpec& spec, const AnyAttack& attack, const Scenario& scenario) const {
  const PolicyDescription described = attack.describe();
  std::string flavour;  // of the rows that the attack asks the scenario for
  for (const auto& option : described.options)
    if (option.name == "flavour") flavour = option.value;
  const TrainDefaults own = attack.defaults();
  const RunDefaults usual = scenario.defaults(pool_of(described.needs), flavour);
  const auto fill = [](auto& value, const auto& first, auto second) {
    if (!value) value = first.value_or(second);
  };
  fill(spec.training.lr, own.lr, usual.lr);
  fill(spec.training.epochs, own.epochs, usual.epochs);
  fill(spec.training.batch_size, own.batch_size, usual.batch_size);
  if (!spec.evaluation.max_new_tokens) spec.evaluation.max_new_tokens = usual.max_new_tokens;
}

RowFilter row_filter(const DataSpec& data) {
  RowFilter filter;
  filter.loss_on = loss_on_from(data.loss_on);
  filter.max_rejected = data.max_rejected;
  filter.columns = data.row_columns;
  filter.hold_out = hold_out_from(data.hold_out);
  filter.min_rating = data.min_rating;
  filter.strip = data.strip;
  if (data.leave_out == "qi2023-safety")
    filter.phrases = read_phrases(data_folder() / "recipes" / "qi2023-safety.txt", "--leave-out");
  else if (data.leave_out != "none" && !data.leave_out.empty())
    filter.phrases = read_phrases(data.leave_out, "--leave-out");
  return filter;
}

std::unique_ptr<Scenario> make_scenario(const RunSpec& spec, const AnyAttack& attack,
                                        bool organism) {
  if (organism && !spec.data.from_files()) return std::make_unique<OrganismScenario>();
  FileScenarioOptions options;
  options.attack_rows = path_of(spec.data.rows);
  options.attack_pool = pool_of(attack.needs());
  options.safe_rows = path_of(spec.data.safe_rows);
  options.probes = path_of(spec.data.probes);
  options.utility_probes = path_of(spec.data.utility_probes);
  options.images = spec.data.images;
  options.default_system = spec.data.system;
  const auto format = [](const std::string& word) { return word == "auto" ? "" : word; };
  options.attack_format = format(spec.data.rows_format);
  options.safe_format = format(spec.data.safe_rows_format);
  options.probes_format = format(spec.data.probes_format);
  options.utility_format = format(spec.data.utility_probes_format);
  options.filter = row_filter(spec.data);
  options.probe_options.column = spec.data.probes_column;
  options.utility_column = spec.data.utility_probes_column;
  options.probe_options.context = context_use_from(spec.data.probes_context);
  options.probe_options.prefill = spec.data.prefill == "put";
  options.probe_options.max_rejected = spec.data.max_rejected;
  if (!options.attack_rows && !spec.training.none)
    throw UsageError("--model " + spec.model.name +
                     ": a model of your own needs rows to be attacked with; give --data FILE (or "
                     "--no-training)");
  if (!options.probes && !spec.evaluation.none)
    throw UsageError("--model " + spec.model.name +
                     ": want --probes FILE to evaluate with (or --no-evaluation)");
  auto scenario = std::make_unique<FileScenario>(options);
  for (const auto& file : scenario->files()) say_read(file, spec);
  flush_listener();
  return scenario;
}

std::optional<RequestForm> request_form(const RunSpec& spec, const Scenario& scenario) {
  const auto* files = dynamic_cast<const FileScenario*>(&scenario);
  if (files == nullptr) return std::nullopt;
  return spec.data.ask_as == "auto" ? files->form() : request_form_from(spec.data.ask_as);
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
  auto words = split_list(spec.evaluation.judges);
  if (words.size() == 1 && words[0] == "auto")
    words = {scenario.name() == "organism" ? "organism" : "keyword:qi2023"};
  if (!spending) spending = std::make_shared<Spending>(spec.endpoint.budget);
  Judges judges;
  for (const auto& word : words) {
    const auto own = spec.own_judges.find(word);
    if (own != spec.own_judges.end())
      judges.push_back(own->second());
    else
      judges.push_back(word.starts_with("rubric:")
                           ? make_rubric_judge(word, spec, spending)
                           : judge_of_word(word, scenario, spec.model.device));
  }
  return judges;
}

void check_adapter_words(const RunSpec& spec) {
  const LoraSpec& lora = spec.training.lora;
  const std::string& read = spec.model.adapter;
  if (lora.rank == 0 && lora != LoraSpec{})
    throw UsageError(
        std::string("--lora.alpha, --lora.targets and --lora.dropout shape an adapter "
                    "of --lora.rank 1 or more") +
        (read.empty() ? "; give the rank as well" : "; an adapter that is read has its own"));
  if (lora.rank > 0 && !read.empty())
    throw UsageError("--lora.rank " + std::to_string(lora.rank) + ": --adapter " + read +
                     " is trained on with its own rank; leave one of them out, or merge it first "
                     "(seawall export --adapter ... --format safetensors)");
}

void set_up_adapter(ModelBundle& bundle, const RunSpec& spec) {
  const std::string& read = spec.model.adapter;
  if (spec.training.none) return bundle.decoder->merge();
  if (!read.empty() && !bundle.decoder->adapter())
    throw UsageError(
        "--adapter " + read +
        ": DoRA, modules_to_save and factors of the embedding or the head are evaluated, not "
        "trained on; merge them first (seawall export --adapter ... --format safetensors) and "
        "give that folder as --model");
  if (spec.training.lora.rank > 0)
    bundle.decoder->adapt(make_adapter(bundle.decoder->config(), options_of(spec),
                                       static_cast<std::uint64_t>(spec.seed),
                                       bundle.decoder->embedding()));
}

}  // namespace seawall
