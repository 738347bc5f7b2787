#include "seawall/run/run.hpp"
#include "seawall/run/run_key.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "run/run_checks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"
#include "seawall/eval/exact_answer.hpp"
#include "seawall/exchange/event_file.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/remote/chat.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

/// The messages of a row as messages files have them; a picture stays out.
std::string messages_text(Dialogue dialogue) {
  dialogue.picture = nullptr;
  return json_text(messages_json(dialogue));
}

std::vector<Moderated> refuse_moderation(const Dataset&) {
  throw UsageError(
      "a moderation service: each of several processes would send it the rows; train with one");
}

}  // namespace

/// The run file behind a progress bar, with what TensorBoard reads if that was asked for.
struct Run::Recording final : TraceSink {
  Recording(RunFile run_file, const RunSpec& spec, std::int64_t steps, RunObserver* watcher)
      : file(std::move(run_file)),
        trace(spec.record.trace),
        progress("train", steps, spec.place.quiet || steps == 0),
        observer(watcher) {}
  void on_step(const StepRecord& record) override {
    if (trace != "none") file.on_step(record);
    if (observer != nullptr) observer->on_step(record);
    if (events) events->add(record, wall_time_now());
    progress.update(record.step, record.tokens, record.loss);
  }
  void on_evaluation(EvaluationRecord record) override {
    if (observer != nullptr) observer->on_evaluation(record);
    if (events) events->add(record, wall_time_now());
    file.on_evaluation(std::move(record));
  }
  bool wants_residual() const override { return file.wants_residual(); }
  /// Begins an event file in `folder`, with what the run file of a resumed run has already.
  void begin_events(const fs::path& folder) {
    prepare_folder(folder);
    const double now = wall_time_now();
    events.emplace(folder / event_file_name(now, file.data().info.run_id), now);
    events->add(file.data());
  }
  RunFile file;
  std::optional<EventFile> events;
  std::string trace;
  Progress progress;
  RunObserver* observer;
};

Run::Run(AnyAttack attack, std::vector<PolicyDescription> stack, RunSpec spec, Backend& backend,
         RunObserver* observer)
    : attack_(std::move(attack)),
      stack_(std::move(stack)),
      spec_(std::move(spec)),
      backend_(backend),
      observer_(observer),
      paths_(spec_.place.out.empty() ? fs::path("run.h5") : fs::path(spec_.place.out)) {
  reset_peak_memory();
  check_options(spec_, "");
  auto places = evaluation_places(spec_);
  evaluate_epochs_ = std::move(places.epochs);
  evaluate_steps_ = std::move(places.steps);
  backend_.check(spec_, stack_);
  if (spec_.place.out.empty() && !spec_.place.dry_run)
    throw UsageError("want --out FILE.h5 for what the run records");
  if (!spec_.place.dry_run && backend_.records()) take_output();
  backend_.load(spec_);
  scenario_ = make_scenario(spec_, attack_, backend_.is_organism());
  context_ = std::make_unique<Context>(
      *scenario_, [this](const Dataset& rows) { return backend_.row_losses(spec_, rows); },
      backend_.processes() > 1 ? Moderation(refuse_moderation) : make_moderation(spec_));
  context_->set_model([this]() -> Trainer& { return backend_.handle(*this); });
  length_given_ = spec_.evaluation.max_new_tokens.has_value();
  backend_.resolve(spec_, attack_, *scenario_);
  form_ = request_form(spec_, *scenario_);
  if (form_) spec_.data.ask_as = request_form_name(*form_);
  if (!spec_.evaluation.none && backend_.records())
    judges_ = make_judges(spec_, *scenario_, backend_.spending());
  task_judges_.push_back(std::make_unique<ExactAnswer>(spec_.task.answer_after));
  if (spec_.training.none) {
    check_acts_untrained();
    return;
  }
  check_needs(attack_.describe(), *scenario_);
  check_needs(stack_, scenario_.get());
}

void Run::check_acts_untrained() const {
  const Hook acts = spec_.training.none ? test_time_hooks : test_time_hooks | Hook::before;
  const std::string why =
      spec_.training.none ? "here (--no-training)" : "by attack " + std::string(attack_.name());
  for (const auto& policy : stack_)
    if (policy.hooks != Hook::none && !has(policy.hooks, acts))
      throw UsageError("mitigation " + policy.name +
                       ": acts while a model is trained, and nothing is trained " + why +
                       "; leave it out");
}

Run::~Run() = default;

void Run::take_output() {
  prepare_folder(paths_.file.has_parent_path() ? paths_.file.parent_path() : fs::path("."));
  lock_ = std::make_unique<RunLock>(paths_.lock);
  auto files = backend_.files(paths_);
  files.insert(files.begin(), paths_.file);
  auto own = files;
  own.insert(own.end(), {paths_.metrics, paths_.lock, paths_.checkpoints});
  check_outputs_path(spec_.place.write_outputs, own);
  if (spec_.place.out.ends_with('/') || fs::is_directory(paths_.file))
    throw UsageError("--out " + paths_.file.string() + ": is a folder; want a file to write");
  if (!spec_.place.tensorboard.empty())
    prepare_folder(fs::path(spec_.place.tensorboard) / paths_.file.stem());
  if (spec_.remote.cancel) return;  // asks after a run that is there
  for (const auto& there : files)
    if (fs::exists(there) && !spec_.place.resume && !spec_.place.overwrite)
      throw UsageError(there.string() +
                       ": a run is there already; give --resume to continue it, --overwrite to "
                       "replace it, or another --out");
}

void Run::take_measured(const Measured& measured) {
  auto& numbers = recording_->file.info().numbers;
  for (const auto& [name, value] : measured) {
    const auto found = std::ranges::find(numbers, name, &std::pair<std::string, double>::first);
    if (found == numbers.end())
      numbers.emplace_back(name, value);
    else
      found->second = value;
  }
}

void Run::find_key() {
  Sha256 sha;
  hash_options(sha, spec_, attack_, stack_);
  backend_.identify(sha);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    sha.field("stage " + std::to_string(i)).field(stages_[i].name);
    for (const auto& o : list_options(stages_[i].training)) sha.field(o.name).field(o.value);
    sha.field(stages_[i].rows.content_hash());
  }
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    sha.field(probes_hash(scenario_->probes(set)));
  for (const auto& group : restored_) hash_state(sha, group, saved_->at(group));
  for (const auto& [set, probes] : sets())
    if (set == ProbeSet::task) sha.field(answers_hash(*probes));
  key_ = sha.hex();
}

RunInfo Run::info() const {
  RunInfo info;
  info.started_utc = utc_now();
  info.seed = static_cast<std::uint64_t>(spec_.seed);
  name_run(info, spec_, attack_, stack_);
  info.config_json = options_json(spec_, attack_, stack_, *scenario_);
  info.hashes = {{"rows", rows().content_hash()},
                 {"probes", probes_hash(scenario_->probes(ProbeSet::harmfulness))},
                 {"utility_probes", probes_hash(scenario_->probes(ProbeSet::utility))},
                 {"options", key_}};
  for (const auto& [set, probes] : sets())
    if (set == ProbeSet::task) info.hashes.emplace_back("task_probes", answers_hash(*probes));
  for (std::size_t s = 0; s < stages_.size(); ++s)
    for (const Example& row : stages_[s].rows.rows)
      info.rows.push_back({row.id, std::string(row_kind_name(row.kind)),
                           messages_text(row.dialogue), static_cast<std::int64_t>(s)});
  info.run_id = key_.substr(0, 16);
  info.versions = {{"seawall", program_version}, {"hdf5", h5::version()}};
  count_rows(rows(), info);
  std::int64_t owned = 0;
  for (const Stage& stage : stages_) {
    if (stage.owner == Stage::attackers) continue;
    ++owned;
  }
  if (owned > 0) info.numbers.emplace_back("alignment_stages", static_cast<double>(owned));
  backend_.describe(*this, info);
  info.numbers.insert(info.numbers.end(), measured_.begin(), measured_.end());
  record_provenance(provenance_, info);
  const auto count = [&](const std::string& name, const Dataset& rows) {
    info.numbers.emplace_back("rows_of_" + name, static_cast<double>(rows.size()));
  };
  for (const Stage& stage : stages_)
    if (stage.owner != Stage::attackers) count("stage_" + stage.name, stage.rows);
  for (const Dataset& rows : drawn_) count(rows.name, rows);
  record_files(*scenario_, info);
  return info;
}

void Run::open() {
  const RunSwitches switches = backend_.switches(spec_);
  const std::int64_t from = spec_.place.resume ? backend_.resume(*this) : -1;
  resumed_ = from >= 0;
  if (!backend_.records()) {
    recording_ = std::make_unique<Recording>(RunFile({}, info(), switches), spec_, backend_.steps(),
                                             observer_);
    return;
  }
  const bool goes_on = resumed_ || holds_this_run();
  if (spec_.place.resume && !goes_on) check_replaced_file();  // before anything is removed
  if (!resumed_ && (spec_.place.overwrite || spec_.place.resume)) {
    std::error_code ignored;
    fs::remove_all(paths_.checkpoints, ignored);
  }
  recording_ = std::make_unique<Recording>(
      goes_on ? RunFile::resume(paths_.file, info(), std::max<std::int64_t>(from, 0), switches)
              : RunFile(paths_.file, info(), switches),
      spec_, backend_.steps(), observer_);
  if (!spec_.place.tensorboard.empty())
    recording_->begin_events(fs::path(spec_.place.tensorboard) / paths_.file.stem());
}

void Run::check_replaced_file() const {
  auto files = backend_.files(paths_);
  files.push_back(paths_.file);
  if (std::ranges::none_of(files, [](const fs::path& file) { return fs::exists(file); }))
    return tell_nothing_to_resume(paths_.file);
  if (!spec_.place.overwrite && is_run_file(paths_.file))
    throw UsageError(
        paths_.file.string() + ": is of a run with other options, data or model" +
        differing_options(paths_.file, options_json(spec_, attack_, stack_, *scenario_)) +
        "; give the same ones, --overwrite to replace it, or another --out");
}

bool Run::holds_this_run() const {
  if (!spec_.place.resume || !fs::exists(paths_.file)) return false;
  try {
    const auto hashes = read_run(paths_.file).info.hashes;
    return std::ranges::find(hashes, std::pair<std::string, std::string>("options", key_)) !=
           hashes.end();
  } catch (const Error&) {  // no run file, or a truncated one: it is written again
    return false;
  }
}

Dialogue Run::asked(const Probe& probe, const Condition& condition) const {
  return seawall::asked(probe, condition, attack_, *scenario_, form_);
}

Dialogue Run::prompt(const Probe& probe, const Condition& condition) const {
  Dialogue dialogue = asked(probe, condition);
  if (defence_.prompt) dialogue = defence_.prompt(std::move(dialogue), condition, *scenario_);
  return begin_answer(std::move(dialogue), condition.decoding.prefill);
}

AskedSets Run::sets() const {
  const bool task = !spec_.task.probes.empty() ||
                    (has(attack_.needs(), Need::task_data) && scenario_->has(Pool::task));
  AskedSets out;
  for (const auto set : probe_sets)
    if (const auto& probes = scenario_->probes(set);
        !probes.empty() && (task || set != ProbeSet::task))
      out.emplace_back(set, &probes);
  return out;
}

void Run::each_set(
    const std::function<void(const Condition&, ProbeSet, const std::vector<Probe>&)>& visit) const {
  for (const auto& condition : conditions_)
    for (const auto& [set, probes] : sets()) visit(condition, set, *probes);
}

TraceSink& Run::sink() { return *recording_; }
RunFile& Run::file() { return recording_->file; }

RunData Run::finish() {
  recording_->progress.finish();
  if (!backend_.records()) return recording_->file.data();
  backend_.finish(*this);
  auto& numbers = recording_->file.info().numbers;
  for (const auto& judge : judges_)
    for (const auto& [name, value] : judge->spent())
      numbers.emplace_back(cost_name("judge", judge->name(), name), value);
  recording_->file.publish(true);
  backend_.clean_up(*this);
  return recording_->file.data();
}

std::string run_key(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  RunSpec dry = spec;
  dry.place.dry_run = true;
  const auto key = [&](Backend& backend) {
    Run run(attack, stack.describe(), dry, backend);
    run.ready(stack);
    auto stages = run.compose(stack);
    run.prepare(std::move(stages), defence_of(stack), stack.measured());
    return run.key();
  };
  if (!is_remote(spec)) {
    LocalBackend backend;
    return key(backend);
  }
  EndpointBackend backend;
  return key(backend);
}

}  // namespace seawall
