#include "seawall/cli/arm.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <torch/headeronly/version.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "seawall/cli/run_provenance.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/version.hpp"
#include "seawall/eval/spectra.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/train/row_losses.hpp"
#include "seawall/train/signals.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// The Gram matrices of the drift cost C^2 x rows a matrix; above this many weights they are left
/// out (--no-spectra is then implied).
constexpr std::int64_t kSpectraLimit = 20'000'000;

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// Options that say where and how loudly a run goes, not what it computes.
bool decides_nothing(const std::string& option) {
  static const std::vector<std::string> names{
      "out",     "resume",           "overwrite",        "quiet",        "dry-run",
      "threads", "checkpoint-every", "keep-checkpoints", "no-checkpoint"};
  return std::find(names.begin(), names.end(), option) != names.end();
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

nlohmann::json policy_json(const PolicyDescription& policy) {
  nlohmann::json options = nlohmann::json::object();
  for (const auto& o : policy.options) options[o.name] = o.value;
  return {{"name", std::string(policy.name)}, {"options", options}};
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
  model_ = load_model(spec_.model, spec_.device, spec_.chat_template);
  scenario_ = make_scenario(spec_, attack_, model_);
  scenario_->lend([this](const Dataset& rows) {
    return mean_row_losses(*model_.decoder,
                           encode_rows(rows, *model_.chat_template, *model_.tokenizer),
                           longest_row());
  });
  resolve(spec_, spec_.attack, scenario_->name() == "organism");
  if (!spec_.no_evaluation) judges_ = make_judges(spec_, *scenario_);
  if (!spec_.no_training) check_needs(attack_.name(), attack_.needs(), *scenario_);
  for (const auto& policy : stack_) check_needs(policy.name, needs, *scenario_);
}

Arm::~Arm() = default;

Dataset Arm::craft() const {
  if (spec_.no_training) return {};
  Rng rng = Rng(static_cast<std::uint64_t>(spec_.seed)).stream("craft");
  return attack_.craft(*scenario_, rng);
}

std::string Arm::config_hash() const {
  Sha256 sha;
  for (const auto& o : list_options(spec_))
    if (!decides_nothing(o.name)) sha.field(o.name).field(o.value);
  sha.field(policy_json(attack_.describe()).dump());
  for (const auto& p : stack_) sha.field(policy_json(p).dump());
  sha.field(model_.weights_hash).field(model_.tokenizer->content_hash()).field(rows_hash_);
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    sha.field(probes_hash(scenario_->probes(set)));
  return sha.hex();
}

std::int64_t Arm::longest_row() const {
  const std::int64_t context = model_.decoder->config().max_position_embeddings;
  return spec_.max_tokens > 0 ? std::min(spec_.max_tokens, context) : context;
}

RunInfo Arm::run_info(const Dataset& rows, const Measured& measured) const {
  nlohmann::json config{{"seawall", kVersion},
                        {"attack", policy_json(attack_.describe())},
                        {"mitigations", nlohmann::json::array()}};
  for (const auto& o : list_options(spec_)) config["options"][o.name] = o.value;
  for (const auto& p : stack_) config["mitigations"].push_back(policy_json(p));
  RunInfo info;
  info.started_utc = utc_now();
  info.seed = static_cast<std::uint64_t>(spec_.seed);
  info.config_json = config.dump();
  info.hashes = {{"model", model_.weights_hash},
                 {"tokenizer", model_.tokenizer->content_hash()},
                 {"rows", rows_hash_},
                 {"probes", probes_hash(scenario_->probes(ProbeSet::harmfulness))},
                 {"utility_probes", probes_hash(scenario_->probes(ProbeSet::utility))},
                 {"options", config_hash()}};
  info.run_id = info.hashes.back().second.substr(0, 16);
  info.versions = {{"seawall", kVersion}, {"libtorch", TORCH_VERSION}, {"hdf5", h5::version()}};
  for (const auto& p : model_.decoder->parameters()) info.parameter_names.push_back(p.name);
  info.numbers = {{"rows", static_cast<double>(rows.size())}};
  for (const auto kind :
       {RowKind::harmful, RowKind::identity_shift, RowKind::safe, RowKind::benign})
    info.numbers.emplace_back("rows_" + std::string(row_kind_name(kind)),
                              static_cast<double>(rows.count(kind)));
  if (source_) {
    const DataReport& r = source_->report();
    info.numbers.insert(info.numbers.end(),
                        {{"rows_used", static_cast<double>(r.used)},
                         {"rows_truncated", static_cast<double>(r.truncated)},
                         {"rows_left_out", static_cast<double>(r.left_out)},
                         {"rows_dropped_an_epoch", static_cast<double>(r.dropped)}});
  }
  info.numbers.insert(info.numbers.end(), measured.begin(), measured.end());
  record_provenance(provenance_, info);
  return info;
}

void Arm::begin(const Dataset& rows, ArmDialogue arm_dialogue, const Measured& measured) {
  arm_dialogue_ = std::move(arm_dialogue);
  rows_hash_ = rows.content_hash();
  provenance_ = provenance_of(rows, *scenario_, attack_);
  check_provenance(provenance_, spec_.allow_overlap);
  if (!spec_.no_training && rows.empty() && !spec_.quiet)
    std::fprintf(stderr,
                 "seawall: the mitigations left no row to train on; the model is evaluated as it "
                 "was\n");
  if (!spec_.no_training && !rows.empty()) {
    const std::int64_t longest = longest_row();
    source_ =
        std::make_unique<FixedRows>(encode_rows(rows, *model_.chat_template, *model_.tokenizer),
                                    DataOptions{.batch_size = spec_.batch_size,
                                                .micro_batch_size = spec_.micro_batch_size,
                                                .epochs = spec_.epochs,
                                                .steps = spec_.steps,
                                                .max_tokens = longest,
                                                .order = RowOrder::as_given,
                                                .seed = static_cast<std::uint64_t>(spec_.seed)},
                                    model_.decoder->device());
    const DataReport& report = source_->report();
    if (!spec_.quiet && report.left_out > 0)
      std::fprintf(stderr,
                   "seawall: %lld rows left out, their answer does not fit into %lld tokens (%s)\n",
                   static_cast<long long>(report.left_out), static_cast<long long>(longest),
                   report.first_left_out.c_str());
  }
  if (spec_.dry_run) return;
  // The trainer leaves theta0 where it is and moves copies, so these stay the start.
  start_ = model_.decoder->parameters();
  RunInfo info = run_info(rows, measured);
  const RunSwitches switches{.residual = spec_.trace == "residual",
                             .param_drift = spec_.trace != "none",
                             .compress = true};
  const std::int64_t steps = source_ ? source_->steps() : 0;
  if (spec_.resume && is_checkpoint(paths_.checkpoints)) {
    LoadedCheckpoint loaded = load_checkpoint(paths_.checkpoints);
    for (const auto& line : loaded.skipped) std::fprintf(stderr, "seawall: %s\n", line.c_str());
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
    recording_ =
        std::make_unique<Recording>(RunFile(paths_.file, std::move(info), switches), spec_, steps);
  }
}

bool Arm::done_before() const {
  if (!fs::exists(paths_.file)) return false;
  try {
    const RunData run = read_run(paths_.file);
    const auto hash = std::find_if(run.info.hashes.begin(), run.info.hashes.end(),
                                   [](const auto& h) { return h.first == "options"; });
    return run.complete && hash != run.info.hashes.end() && hash->second == config_hash();
  } catch (const DataError&) {
    return false;  // a broken file is made anew
  }
}

bool already_done(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  if (!fs::exists(RunPaths(spec.out).file)) return false;
  RunSpec dry = spec;
  dry.dry_run = true;
  Arm arm(attack, dry, stack.describe(), stack.needs());
  Dataset rows = arm.craft();
  if (!rows.empty())
    rows =
        compose_rows(std::move(rows), stack, arm.scenario(), static_cast<std::uint64_t>(spec.seed));
  arm.begin(
      rows, [](Dialogue d) { return d; }, stack.measured());
  return arm.done_before();
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
  if (!spec_.no_checkpoint)
    c.checkpoint = [this](CheckpointState state) { save(std::move(state)); };
  return c;
}

void Arm::save(CheckpointState state) {
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
  at::NoGradGuard no_grad;
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
          throw Interrupted(stop_exit_code(signal),
                            "stopped by a signal during an evaluation; what was published stays, "
                            "continue with --resume");
      };
      EvaluationRecord record = evaluate(
          model_.speaker(), probes,
          [&](const Probe& p) { return arm_dialogue_(attack_.arm(p, condition, *scenario_)); },
          judges_, options);
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

RunData Arm::finish() {
  recording_->progress.finish();
  if (!spec_.no_spectra && trains() &&
      model_.decoder->config().parameter_count() <= kSpectraLimit) {
    Spectra spectra;
    for (auto& s : drift_spectra(start_, model_.decoder->parameters())) {
      spectra.names.push_back(s.name);
      spectra.singular_values.push_back(std::move(s.singular));
      spectra.effective_rank.push_back(s.effective_rank);
    }
    recording_->file.set_spectra(std::move(spectra));
  }
  recording_->file.publish(true);
  return recording_->file.data();
}

std::string Arm::estimate() {
  const double weights = static_cast<double>(model_.decoder->config().parameter_count());
  // Bytes a weight: values, gradients, two moments, theta0, and masters or terms; activations come
  // from the batch that is tried below.
  const double bytes = spec_.precision == "fp32"          ? 4 + 4 + 8 + 4
                       : spec_.precision == "bf16-master" ? 2 + 2 + 8 + 4 + 4
                       : spec_.precision == "kahan"       ? 2 + 2 + 4 + 4 + 2
                                                          : 2 + 2 + 4 + 4;
  std::string out;
  char line[256];
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    out += line;
  };
  add("model        %.1f M parameters, %s\n", weights / 1e6, spec_.model.c_str());
  if (source_) {
    const DataReport& r = source_->report();
    add("rows         %lld used of %lld (%lld cut, %lld left out, %lld dropped an epoch), %lld "
        "tokens an epoch\n",
        static_cast<long long>(r.used), static_cast<long long>(r.given),
        static_cast<long long>(r.truncated), static_cast<long long>(r.left_out),
        static_cast<long long>(r.dropped), static_cast<long long>(r.epoch_tokens));
    StepBatch batch = source_->batch(0);
    const auto begin = std::chrono::steady_clock::now();
    model_.decoder->set_requires_grad(true);
    std::int64_t computed = 0;
    for (const auto& micro : batch.micro) {
      computed += micro->plan.tokens;
      model_.decoder->loss(model_.decoder->hidden(micro->plan), micro->plan, LossMode::fused)
          .backward();
    }
    model_.decoder->set_requires_grad(false);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    add("first batch  %lld tokens, %lld computed after sharing prefixes, %.2f s forward and "
        "backward\n",
        static_cast<long long>(batch.tokens), static_cast<long long>(computed), seconds);
    add("training     %lld steps, about %.0f s\n", static_cast<long long>(source_->steps()),
        seconds * static_cast<double>(source_->steps()));
  }
  add("memory       about %.2f GB for weights, gradients and optimizer (%s), besides activations\n",
      weights * (spec_.no_training ? 4 : bytes) / 1e9, spec_.precision.c_str());
  const double probes = static_cast<double>(scenario_->probes(ProbeSet::harmfulness).size() +
                                            scenario_->probes(ProbeSet::utility).size()) *
                        static_cast<double>(attack_.conditions().size());
  const double residual = spec_.trace == "residual" && !spec_.no_evaluation
                              ? probes *
                                    static_cast<double>((model_.decoder->config().layers + 1) *
                                                        model_.decoder->config().hidden_size) *
                                    4
                              : 0;
  const double checkpoint = spec_.no_checkpoint || spec_.no_training
                                ? 0
                                : weights * 12 * static_cast<double>(spec_.keep_checkpoints);
  add("disk         about %.1f MB of residual streams an evaluation, %.1f MB of checkpoints\n",
      residual / 1e6, checkpoint / 1e6);
  add("evaluation   %.0f answers of at most %lld tokens, judged by",
      spec_.no_evaluation ? 0 : probes, static_cast<long long>(spec_.max_new_tokens));
  for (const auto& judge : judges_) out += " " + std::string(judge->name());
  return out + "\nnothing was written\n";
}

}  // namespace seawall
