#include "seawall/run/arm.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/eval/spectra.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/train/row_losses.hpp"
#include "seawall/train/signals.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// The Gram matrices of the drift cost C^2 x rows a matrix; above this many weights they are left
/// out (--no-spectra is then implied).
constexpr std::int64_t kSpectraLimit = 20'000'000;

/// The type that weights are read as. Where training rounds its start to bf16, or keeps frozen
/// weights in it under an adapter, they need not exist in fp32 at all, which a 7B model's memory is
/// short of. The organism is small and its runs are addressed by its fp32 weights.
at::ScalarType loaded_type(const RunSpec& spec) {
  const bool adapter = spec.lora.rank > 0 || !spec.adapter.empty();
  const auto precision = precision_from(spec.precision);
  const bool narrow = precision == Precision::pure_bf16 || precision == Precision::kahan ||
                      (precision == Precision::bf16_master && adapter);
  return narrow && !spec.no_training && spec.model != "organism" ? at::kBFloat16 : at::kFloat;
}

/// `end` is none here: the last evaluation is always made.
std::vector<std::int64_t> parse_epochs(const std::string& text) {
  if (text == "end" || text == "both" || text == "epochs") return {};
  std::vector<std::int64_t> epochs;
  for (const auto& word : split_list(text)) {
    char* end = nullptr;
    const long long value = std::strtoll(word.c_str(), &end, 10);
    if (*end != '\0' || value < 1)
      throw UsageError("--evaluate-at " + text +
                       ": want end, both, epochs, or epochs such as 3,5,10");
    epochs.push_back(value);
  }
  if (epochs.empty())
    throw UsageError("--evaluate-at: want end, both, epochs, or epochs such as 3,5,10");
  return epochs;
}

}  // namespace

/// The run file behind a progress bar.
struct Arm::Recording final : TraceSink {
  Recording(RunFile run_file, const RunSpec& spec, std::int64_t steps)
      : file(std::move(run_file)),
        trace(spec.trace),
        progress("train", steps, spec.quiet || steps == 0) {}
  void on_step(const StepRecord& record) override {
    if (trace != "none") file.on_step(record);
    progress.update(record.step, record.tokens, record.loss);
  }
  void on_evaluation(EvaluationRecord record) override { file.on_evaluation(std::move(record)); }
  bool wants_residual() const override { return trace == "residual"; }
  RunFile file;
  std::string trace;
  Progress progress;
};

Arm::Arm(AnyAttack attack, RunSpec spec, std::vector<PolicyDescription> stack, Need needs)
    : attack_(std::move(attack)),
      spec_(std::move(spec)),
      stack_(std::move(stack)),
      paths_(spec_.out.empty() ? fs::path("run.h5") : fs::path(spec_.out)) {
  reset_peak_memory();
  spec_.attack = std::string(attack_.name());
  check_options(spec_, "run");
  evaluate_epochs_ = parse_epochs(spec_.evaluate_at);
  if (spec_.out.empty() && !spec_.dry_run)
    throw UsageError("want --out FILE.h5 for what the run records");
  set_threads(spec_.threads);
  if (!spec_.dry_run) {
    prepare_folder(paths_.file.has_parent_path() ? paths_.file.parent_path() : fs::path("."));
    lock_ = std::make_unique<RunLock>(paths_.lock);
    if (fs::exists(paths_.file) && !spec_.resume && !spec_.overwrite)
      throw UsageError(paths_.file.string() +
                       ": a run is there already; give --resume to continue it, --overwrite to "
                       "replace it, or another --out");
  }
  model_ = load_model(spec_.model, spec_.device, spec_.chat_template,
                      {.type = loaded_type(spec_),
                       .sizes_of_large = spec_.dry_run && spec_.sizes_may_do,
                       .tokenizer_pre = spec_.files.model.tokenizer_pre,
                       .greedy = spec_.files.model.decoding == "greedy"});
  set_up_adapter(model_, spec_);
  set_threads(spec_.threads, model_);
  scenario_ = make_scenario(spec_, attack_, model_.is_organism);
  scenario_->lend(RowLosses([this](const Dataset& rows) {
    if (model_.decoder->device().is_meta())
      throw UsageError(
          "--dry-run: a mitigation looks at losses under the start model, and a model of more than "
          "1e9 parameters is not loaded to be tried; leave it out");
    auto [sequences, embeddings] = encode_all(model_, rows, spec_.vision);
    return mean_row_losses(*model_.decoder, std::move(sequences), longest_row(), embeddings);
  }));
  scenario_->lend(make_moderation(spec_));
  resolve(spec_, attack_, scenario_->name() == "organism");
  form_ = request_form(spec_, *scenario_);
  if (form_) spec_.ask_as = request_form_name(*form_);
  if (!spec_.no_evaluation) judges_ = make_judges(spec_, *scenario_);
  if (!spec_.no_training) check_needs(attack_.name(), attack_.needs(), *scenario_);
  for (const auto& policy : stack_) check_needs(policy.name, needs, *scenario_);
}

Arm::~Arm() = default;

Dialogue Arm::ask(const Probe& probe, const Condition& condition) const {
  return asked(probe, condition, attack_, *scenario_, form_);
}

Dataset Arm::craft() const {
  if (spec_.no_training) return {};
  Rng rng = Rng(static_cast<std::uint64_t>(spec_.seed)).stream("craft");
  return attack_.craft(*scenario_, rng);
}

std::int64_t Arm::longest_row() const {
  const std::int64_t context = model_.decoder->config().max_position_embeddings;
  return spec_.max_tokens > 0 ? std::min(spec_.max_tokens, context) : context;
}

void Arm::begin(const Dataset& rows, ArmDialogue arm_dialogue, const Measured& measured) {
  arm_dialogue_ = std::move(arm_dialogue);
  rows_hash_ = rows.content_hash();
  provenance_ = provenance_of(rows, *scenario_, attack_.conditions(),
                              [this](const Probe& p, const Condition& c) { return ask(p, c); });
  check_provenance(provenance_, spec_.allow_overlap);
  merged_system_ = merged_system(
      *model_.chat_template, rows, *scenario_, attack_.conditions(),
      [this](const Probe& p, const Condition& c) { return arm_dialogue_(ask(p, c)); });
  if (!spec_.quiet && merged_system_.rows + merged_system_.probes > 0)
    tell(
        "template     has no system turn: the system text of %zu rows and %zu probes goes "
        "before their first user turn\n",
        merged_system_.rows, merged_system_.probes);
  if (!spec_.no_training && rows.empty() && !spec_.quiet)
    warn(
        "seawall: the mitigations left no row to train on; the model is evaluated as it "
        "was\n");
  if (!spec_.no_training && !rows.empty()) {
    const std::int64_t longest = longest_row();
    auto [sequences, embeddings] = encode_all(model_, rows, spec_.vision);
    check_rows(rows, sequences);
    source_ = std::make_unique<FixedRows>(
        std::move(sequences),
        DataOptions{.batch_size = spec_.batch_size,
                    .micro_batch_size = spec_.micro_batch_size,
                    .epochs = spec_.epochs,
                    .steps = spec_.steps,
                    .max_tokens = longest,
                    .order = RowOrder::as_given,
                    .seed = static_cast<std::uint64_t>(spec_.seed),
                    .embeddings = std::move(embeddings)},
        model_.decoder->device().is_meta() ? at::Device(at::kCPU) : model_.decoder->device());
    const DataReport& report = source_->report();
    if (!spec_.quiet && report.truncated > report.left_out)
      warn("seawall: %lld rows cut to %lld tokens, the end of their answer is lost\n",
           static_cast<long long>(report.truncated - report.left_out),
           static_cast<long long>(longest));
    if (!spec_.quiet && report.left_out > 0)
      warn("seawall: %lld rows left out, their answer does not fit into %lld tokens (%s)\n",
           static_cast<long long>(report.left_out), static_cast<long long>(longest),
           report.first_left_out.c_str());
  }
  check_probes();
  if (spec_.dry_run) return;
  // The trainer leaves theta0 where it is and moves copies, so these stay the start.
  if (model_.decoder->adapter())
    start_adapter_ = *model_.decoder->adapter();
  else
    start_ = model_.decoder->parameters();
  RunInfo info = run_info(rows, measured);
  const RunSwitches switches{.residual = spec_.trace == "residual",
                             .param_drift = spec_.trace != "none",
                             .compress = true};
  const std::int64_t steps = source_ ? source_->steps() : 0;
  if (spec_.resume && is_checkpoint(paths_.checkpoints)) {
    LoadedCheckpoint loaded = load_checkpoint(paths_.checkpoints);
    for (const auto& line : loaded.skipped) warn("seawall: %s\n", line.c_str());
    resumed_ = std::make_unique<CheckpointState>(std::move(loaded.state));
    if (resumed_->config_hash != config_hash())
      throw UsageError(paths_.checkpoints.string() +
                       ": belongs to a run with other options, data or model; give the same ones, "
                       "or --overwrite without --resume");
    recording_ = std::make_unique<Recording>(
        RunFile::resume(paths_.file, std::move(info), resumed_->step, switches), spec_, steps);
  } else {
    if (spec_.overwrite || spec_.resume) {
      std::error_code ignored;
      fs::remove_all(paths_.checkpoints, ignored);
    }
    recording_ = std::make_unique<Recording>(
        holds_this_run() ? RunFile::resume(paths_.file, std::move(info), 0, switches)
                         : RunFile(paths_.file, std::move(info), switches),
        spec_, steps);
  }
}

bool Arm::holds_this_run() const {
  if (!spec_.resume || !fs::exists(paths_.file)) return false;
  try {
    const auto hashes = read_run(paths_.file).info.hashes;
    return std::ranges::find(hashes, std::pair<std::string, std::string>(
                                         "options", config_hash())) != hashes.end();
  } catch (const Error&) {  // no run file, or a truncated one: it is written again
    return false;
  }
}

std::string run_key(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  RunSpec dry = spec;
  dry.dry_run = true;
  Arm arm(attack, dry, stack.describe(), stack.needs());
  const Dataset rows = arm.compose(stack);
  arm.begin(
      rows, [](Dialogue d) { return d; }, stack.measured());
  return arm.config_hash();
}

TraceSink& Arm::sink() { return *recording_; }

TrainOptions Arm::train_options() const {
  TrainOptions o;
  o.schedule.kind = lr_schedule_from(spec_.lr_schedule);
  o.schedule.lr = spec_.lr;
  o.schedule.warmup_steps = spec_.warmup_steps;
  o.adamw.weight_decay = spec_.weight_decay;
  o.precision = precision_from(spec_.precision);
  o.clip_norm = spec_.clip_norm;
  o.on_nan = on_nan_from(spec_.on_nan);
  o.seed = static_cast<std::uint64_t>(spec_.seed);
  o.checkpoint_every = spec_.checkpoint_every;
  o.config_hash = config_hash();
  return o;
}

TrainContext Arm::context() {
  TrainContext c;
  c.scenario = scenario_.get();
  c.resume = resumed_.get();
  c.evaluate = [this](std::int64_t step, std::int64_t epoch) {
    if (wants_evaluation(step, epoch)) evaluate_now(step, epoch);
  };
  c.rescue = [this](CheckpointState state) { save(std::move(state)); };
  if (!spec_.no_checkpoint) c.checkpoint = c.rescue;
  c.state_place = paths_.checkpoints.string();
  return c;
}

void Arm::count_rows_used(std::int64_t steps) {
  for (auto& [name, value] : recording_->file.info().numbers)
    if (name == "rows_used" && source_) value = static_cast<double>(source_->rows_seen(steps));
}

void Arm::save(CheckpointState state) {
  count_rows_used(state.step);
  recording_->file.publish();
  state.files = model_card(model_);
  save_checkpoint(paths_.checkpoints, state, static_cast<int>(spec_.keep_checkpoints));
}

bool Arm::wants_evaluation(std::int64_t step, std::int64_t epoch) const {
  if (spec_.no_evaluation) return false;
  if (step == source_->steps() || spec_.evaluate_at == "epochs") return true;
  return std::find(evaluate_epochs_.begin(), evaluate_epochs_.end(), epoch) !=
         evaluate_epochs_.end();
}

void Arm::evaluate_now(std::int64_t step, std::int64_t epoch) {
  try {
    evaluate_all(step, epoch);
  } catch (...) {
    rethrow_evaluation(keep_answers(spec_, recording_->file));
  }
}

void Arm::evaluate_all(std::int64_t step, std::int64_t epoch) {
  at::NoGradGuard no_grad;
  const MergedAdapter merged(*model_.decoder);
  for (const auto& condition : attack_.conditions()) {
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const auto& probes = scenario_->probes(set);
      const std::string set_name = set == ProbeSet::harmfulness ? "harmfulness" : "utility";
      if (probes.empty() || recording_->file.has_evaluation(step, condition.name, set_name))
        continue;
      Progress progress("evaluate " + set_name + " " + condition.name,
                        static_cast<std::int64_t>(probes.size()), spec_.quiet);
      std::int64_t tokens_before = 0;
      EvaluateOptions options;
      options.max_new_tokens = spec_.max_new_tokens;
      options.max_batch = spec_.max_batch;
      options.residual = recording_->wants_residual();
      options.progress = [&](std::int64_t done, std::int64_t new_tokens) {
        progress.update(done, new_tokens - tokens_before, kNaN);
        tokens_before = new_tokens;
        if (const int signal = stop_signal(); signal != 0)
          throw Interrupted(stop_exit_code(signal), "stopped by a signal during an evaluation");
      };
      EvaluationRecord record = evaluate(
          speaker_of(model_), probes,
          [&](const Probe& p) { return arm_dialogue_(ask(p, condition)); }, judges_, options);
      progress.finish();
      record.step = step;
      record.epoch = epoch;
      record.condition = condition.name;
      record.set = set_name;
      recording_->on_evaluation(std::move(record));
    }
  }
}

void Arm::evaluate_start() {
  if (spec_.no_evaluation || resumed_) return;
  if (!trains() || spec_.evaluate_at == "both" || spec_.evaluate_at == "epochs") evaluate_now(0, 0);
}

Spectra Arm::spectra_of_drift() const {
  Spectra spectra;
  const Adapter* adapter = model_.decoder->adapter();
  const auto drifts = adapter ? drift_spectra(start_adapter_->products(), adapter->products())
                              : drift_spectra(start_, model_.decoder->parameters());
  for (const auto& s : drifts) {
    spectra.names.push_back(s.name);
    spectra.singular_values.push_back(s.singular);
    spectra.effective_rank.push_back(s.effective_rank);
  }
  return spectra;
}

RunData Arm::finish(const TrainResult& trained) {
  recording_->progress.finish();
  count_rows_used(trained.steps);
  auto& numbers = recording_->file.info().numbers;
  if (trains()) numbers.emplace_back("steps_skipped", static_cast<double>(trained.skipped));
  numbers.insert(numbers.end(), {{"forward_passes", static_cast<double>(trained.forward_passes)},
                                 {"backward_passes", static_cast<double>(trained.backward_passes)},
                                 {"peak_memory_bytes", static_cast<double>(peak_memory_bytes())}});
  for (const auto& judge : judges_)
    for (const auto& [name, value] : judge->spent())
      numbers.emplace_back(cost_name("judge", judge->name(), name), value);
  if (!spec_.no_spectra && trains() &&
      model_.decoder->config().parameter_count() <= kSpectraLimit) {
    try {
      recording_->file.set_spectra(spectra_of_drift());
    } catch (const std::exception& error) {  // a run is not lost for its spectra
      const std::string what = error.what();
      warn("seawall: the spectra of the drift are left out: %s\n",
           what.substr(0, what.find('\n')).c_str());
    }
  }
  recording_->file.publish(true);
  drop_rescue();
  return recording_->file.data();
}

void Arm::drop_rescue() const {
  if (!spec_.no_checkpoint || !resumed_) return;
  const auto rescue = resumed_->numbers.find("rescue");
  if (rescue == resumed_->numbers.end() || rescue->second == 0) return;
  if (list_checkpoints(paths_.checkpoints) != std::vector<std::int64_t>{resumed_->step}) return;
  std::error_code failed;
  fs::remove_all(paths_.checkpoints, failed);
  if (failed)
    warn("seawall: %s: cannot remove the state that is no longer needed: %s\n",
         paths_.checkpoints.c_str(), failed.message().c_str());
  else if (!spec_.quiet)
    tell("removed      %s: the run is complete, and --no-checkpoint wants none\n",
         paths_.checkpoints.c_str());
}

}  // namespace seawall
