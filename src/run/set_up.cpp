#include "seawall/run/set_up.hpp"

#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/lora.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/policy/phrases.hpp"
#include "seawall/run/backend.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/scenario/files.hpp"

namespace seawall {
namespace {

LoraOptions options_of(const RunSpec& spec) {
  LoraOptions options{.rank = spec.training.lora.rank,
                      .alpha = spec.training.lora.alpha,
                      .targets = targets_from(spec.training.lora.targets),
                      .dropout = spec.training.lora.dropout};
  options.check();
  return options;
}

}  // namespace

std::unique_ptr<Trainer> Backend::asked(Run&, const std::vector<std::string>&) {
  throw UsageError(
      "a mitigation measures a model that it steers, and there is none on this machine to ask; "
      "leave it out");
}

void Backend::resolve(RunSpec& spec, const AnyAttack& attack, const Scenario& scenario) const {
  const PolicyDescription described = attack.describe();
  std::string flavour;  // of the rows that the attack asks the scenario for
  for (const auto& option : described.options)
    if (option.name == "flavour") flavour = option.value;
  const TrainDefaults own = attack.defaults();
  const bool task = has(described.needs, Need::task_data);
  const RunDefaults usual =
      scenario.defaults(task ? Pool::task : pool_of(described.needs), flavour);
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
  if (spec.task.probes.empty() && !spec.task.answer_after.empty())
    throw UsageError(
        "--task-answer-after: says how answers to --task-probes are read, and there is no such "
        "file; give it, or leave the option out");
  const PlugIns& plug_ins = spec.plug_ins;
  const std::string_view taken =
      organism && !spec.from_files() ? BuiltInWorld::name : OwnFiles::name;
  return plug_ins.make_scenario(plug_ins.scenario == "auto" ? taken : plug_ins.scenario,
                                {.run = spec, .attack = attack});
}

std::optional<RequestForm> request_form(const RunSpec& spec, const Scenario& scenario) {
  const auto* files = dynamic_cast<const FileScenario*>(&scenario);
  if (files == nullptr) return std::nullopt;
  return spec.data.ask_as == "auto" ? files->form() : request_form_from(spec.data.ask_as);
}

Dialogue asked(const Probe& probe, const Condition& condition, const AnyAttack& attack,
               const Scenario& scenario, std::optional<RequestForm> form) {
  if (!form || probe.formatted) return attack.prompt(probe, condition, scenario);
  Probe put = probe;
  put.dialogue = asked_in(*form, std::move(put.dialogue));
  return attack.prompt(put, condition, scenario);
}

Judges make_judges(const RunSpec& spec, const Scenario& scenario,
                   std::shared_ptr<Spending> spending) {
  auto words = split_list(spec.evaluation.judges);
  if (words.empty())
    throw UsageError(
        "--judge: names no judge; give one, e.g. keyword:qi2023 (`seawall list judges`), or "
        "--no-evaluation");
  if (words.size() == 1 && words[0] == "auto")
    words = {scenario.name() == "organism" ? "organism" : "keyword:qi2023"};
  if (!spending) spending = std::make_shared<Spending>(spec.endpoint.budget);
  Judges judges;
  std::set<std::string> named;
  for (const auto& word : words)
    if (named.insert(word).second)
      judges.push_back(spec.plug_ins.make_judge(
          word, {.scenario = scenario, .run = &spec, .spending = spending}));
  for (auto judge = judges.begin(); judge != judges.end(); ++judge)
    for (auto earlier = judges.begin(); earlier != judge; ++earlier)
      if ((*earlier)->name() == (*judge)->name())
        throw UsageError("--judge: two judges are called `" + std::string((*judge)->name()) +
                         "`, and their verdicts could not be told apart; name each once");
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
