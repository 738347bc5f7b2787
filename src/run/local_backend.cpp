#include "seawall/run/local_backend.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "run/run_checks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/eval/spectra.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/parallel/world.hpp"
#include "seawall/pretrained/adapter.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/train/row_losses.hpp"
#include "seawall/train/signals.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

/// The type that weights are read as; none: what LoadOptions says, as where nothing is trained. If
/// training rounds its start to bf16, or keeps frozen weights in it under an adapter, they need not
/// exist in fp32 at all, which a 7B model's memory is short of. Under bf16-master a device keeps
/// theta0 as the file has it; on a CPU answers before training are computed in fp32. The organism
/// is small and its runs are addressed by its fp32 weights.
std::optional<at::ScalarType> loaded_type(const RunSpec& spec) {
  if (spec.training.none) return {};
  if (spec.model.dtype != "auto")
    throw UsageError("--dtype " + spec.model.dtype +
                     ": is for models that are not trained; training has --precision");
  const bool adapter = spec.training.lora.rank > 0 || !spec.model.adapter.empty();
  const auto precision = precision_from(spec.training.precision);
  const bool narrow = precision == Precision::pure_bf16 || precision == Precision::kahan ||
                      (precision == Precision::bf16_master && adapter);
  if (precision == Precision::bf16_master && !narrow && spec.model.device != "cpu") return {};
  return narrow && !is_built_in_model(spec.model.name) ? at::kBFloat16 : at::kFloat;
}

}  // namespace

void LocalBackend::load(const RunSpec& spec) {
  set_threads(threads(spec));
  check_adapter_words(spec);
  ModelSpec model = spec.model;
  if (world_ && model.device == "cuda")
    model.device += ":" + std::to_string(world_->launch().local_rank);
  model_ = load_pretrained(
      model,
      {.type = loaded_type(spec), .sizes_of_large = spec.place.dry_run && spec.place.sizes_may_do});
  // What libtorch makes when it first needs it (handles, workspaces) is made on the current device.
  if (const auto device = model_.decoder->device(); !device.is_cpu() && !device.is_meta())
    c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
  set_up_adapter(model_, spec);
  set_threads(spec.place.threads, model_);  // one for a small model
  if (at::get_num_threads() > 1) set_threads(threads(spec));
  set_activation_checkpointing(spec.place.activation_checkpointing);
}

std::vector<double> LocalBackend::row_losses(const RunSpec& spec, const Dataset& rows) {
  if (model_.decoder->device().is_meta())
    throw UsageError(
        "--dry-run: a mitigation looks at losses under the start model, and a model of more than "
        "1e9 parameters is not loaded to be tried; leave it out");
  auto [sequences, embeddings] = encode_all(model_, rows, spec.model.vision);
  return mean_row_losses(*model_.decoder, std::move(sequences), longest_row(spec.training),
                         embeddings);
}

std::map<std::string, StateGroup> LocalBackend::saved_policies(const RunSpec& spec) const {
  for (const auto& path : {spec.model.adapter, spec.model.name})
    if (!path.empty() && is_checkpoint(path)) return load_checkpoint(path).state.groups;
  return {};
}

void LocalBackend::identify(Sha256& sha) const {
  sha.field(model_.weights_hash).field(model_.tokenizer->content_hash());
  if (const auto source = model_.chat_template->source(); !source.empty()) sha.field(source);
  if (model_.vision) sha.field(model_.vision_hash);
  if (model_.rules.change_answers()) {
    sha.field(model_.rules.text());
    const auto found = model_.files.find("generation_config.json");
    if (found != model_.files.end()) sha.field(found->second);
  }
  if (!model_.adapter_hash.empty()) sha.field(model_.adapter_hash);
}

void LocalBackend::describe(const Run& run, RunInfo& info) const {
  const Adapter* adapter = model_.decoder->adapter();
  auto config = nlohmann::json::parse(info.config_json);
  config["answers"] = model_.rules.text();  // which rules the model's files gave
  config["resolved"] = resolved_json(run, *model_.chat_template, *model_.tokenizer);
  if (adapter) {  // one that was read has a shape that no option tells
    config["lora"] = {{"rank", adapter->options.rank},
                      {"alpha", adapter->options.alpha},
                      {"targets", targets_text(adapter->options.targets)},
                      {"dropout", adapter->options.dropout},
                      {"trained_parameters", adapter->count()}};
  }
  info.config_json = config.dump();
  std::vector<std::pair<std::string, std::string>> hashes{
      {"model", model_.weights_hash}, {"tokenizer", model_.tokenizer->content_hash()}};
  if (const auto source = model_.chat_template->source(); !source.empty())
    hashes.emplace_back("chat_template", sha256_hex(source));
  if (model_.vision) hashes.emplace_back("vision", model_.vision_hash);
  if (!model_.adapter_hash.empty()) hashes.emplace_back("adapter", model_.adapter_hash);
  info.hashes.insert(info.hashes.begin(), hashes.begin(), hashes.end());
  info.versions = versions_here();
  info.versions.emplace_back("threads", std::to_string(at::get_num_threads()));
  for (const auto& p : model_.decoder->parameters()) info.parameter_names.push_back(p.name);
  if (adapter)
    info.numbers.insert(info.numbers.end(),
                        {{"lora_rank", static_cast<double>(adapter->options.rank)},
                         {"lora_alpha", adapter->options.alpha},
                         {"trained_parameters", static_cast<double>(adapter->count())}});
  if (const FixedRows* rows = attack_rows()) {
    const DataReport& r = rows->report();
    info.numbers.insert(info.numbers.end(),
                        {{"rows_used", static_cast<double>(rows_used(steps()))},
                         {"rows_truncated", static_cast<double>(r.truncated)},
                         {"rows_left_out", static_cast<double>(r.left_out)},
                         {"rows_dropped_an_epoch", static_cast<double>(r.dropped)}});
  }
  if (world_) info.numbers.emplace_back("processes", static_cast<double>(processes()));
  if (model_.chat_template->merges_system())
    info.numbers.insert(info.numbers.end(),
                        {{"rows_system_merged", static_cast<double>(merged_system_.rows)},
                         {"probes_system_merged", static_cast<double>(merged_system_.probes)}});
}

RunSwitches LocalBackend::switches(const RunSpec& spec) const {
  return {.residual = spec.record.streams(),
          .param_drift = spec.record.trace != "none",
          .compress = true};
}

bool LocalBackend::begin(Run&) {
  still_.reset();
  begin_attack();  // unless stages come before it
  attacked_ = false;
  return true;
}

std::int64_t LocalBackend::resume(const Run& run) {
  const fs::path& checkpoints = run.paths().checkpoints;
  if (!is_checkpoint(checkpoints)) return -1;
  LoadedCheckpoint loaded = load_checkpoint(checkpoints);
  for (const auto& line : loaded.skipped) warn("seawall: %s\n", line.c_str());
  resumed_ = std::make_unique<CheckpointState>(std::move(loaded.state));
  if (resumed_->config_hash != run.key())
    throw UsageError(
        checkpoints.string() + ": belongs to a run with other options, data or model" +
        differing_options(run.paths().file,
                          options_json(run.spec(), run.attack(), run.stack(), run.scenario())) +
        "; give the same ones, or --overwrite without --resume");
  const auto stage = resumed_->numbers.find("stage");
  resumed_stage_ = stage == resumed_->numbers.end() ? 0 : static_cast<std::size_t>(stage->second);
  const std::int64_t step = resumed_->step;
  const auto rescue = resumed_->numbers.find("rescue");
  if (rescue != resumed_->numbers.end() && rescue->second != 0) rescued_step_ = step;
  resumed_->step -= stages_.at(resumed_stage_).first_step;  // as the stage counts
  return step;
}

TrainOptions LocalBackend::options(const Run& run, const Stage& stage) const {
  TrainOptions options = train_options(stage.training);
  options.seed = static_cast<std::uint64_t>(run.spec().seed);
  options.checkpoint_every = run.spec().place.checkpoint_every;
  options.adamw.moments_on_host = run.spec().place.optimizer_state == "cpu";
  options.config_hash = run.key();
  if (&stage == &run.stages().back()) options.evaluate_steps = run.evaluate_steps();
  return options;
}

std::unique_ptr<Trainer> LocalBackend::asked(Run& run, const std::vector<std::string>& groups) {
  ModelServices given = services(run, {.training = run.spec().training});
  given.rows = nullptr;  // nothing is in hand
  return std::make_unique<StillModel>(*model_.decoder, run.scenario(), given,
                                      static_cast<std::uint64_t>(run.spec().seed), groups);
}

Trainer& LocalBackend::handle(Run& run) {
  if (!still_) {
    ModelServices asked = services(run, {.training = run.spec().training});
    asked.rows = asked.used = nullptr;  // nothing is trained on yet
    still_ = std::make_unique<StillModel>(*model_.decoder, run.scenario(), asked,
                                          static_cast<std::uint64_t>(run.spec().seed));
  }
  return *still_;
}

TrainContext LocalBackend::context(Run& run, const Stage& stage) {
  TrainContext c;
  const std::size_t index = index_of(run, stage);
  const std::int64_t first = stages_.at(index).first_step;
  c.scenario = &run.scenario();
  if (resumed_ && resumed_stage_ == index) c.resume = resumed_.get();
  c.services = services(run, stage);
  c.state_place = run.paths().checkpoints.string();
  c.world = world_;
  if (attacked_) {  // theta0 is that of the attack; an adapter of a stage's own has its own
    const bool adapter = model_.decoder->adapter() != nullptr;
    if (adapter == start_adapter_.has_value()) c.start = adapter ? &start_factors_ : &start_;
  }
  if (resumed_ && resumed_stage_ > index) return c;  // trained again: all is recorded
  c.evaluate = [&run, &stage, first](std::int64_t step, std::int64_t epoch, bool last) {
    if (!run.wants_evaluation(stage, step, epoch, last)) return;
    run.evaluate(first + step, epoch, last && &stage == &run.stages().back());
  };
  c.rescue = [this, &run, index, first](CheckpointState state) {
    state.step += first;
    state.numbers["stage"] = static_cast<double>(index);
    state.texts["drawn"] = drawn();
    save(run, std::move(state));
  };
  if (!run.spec().place.no_checkpoint) c.checkpoint = c.rescue;
  return c;
}

ModelServices LocalBackend::services(Run& run, const Stage& stage) {
  ModelServices s;
  s.rows = &stage.rows;
  s.used = &run.used_rows();
  s.encode = [this, &run, longest = longest_row(stage.training)](const Dataset& rows) {
    EncodedRows out = encode_all(model_, rows, run.spec().model.vision);
    check_rows(rows, out.rows);
    for (Sequence& row : out.rows)
      if (row.ids.size() > static_cast<std::size_t>(longest)) {
        row.ids.resize(static_cast<std::size_t>(longest));
        row.loss.resize(row.ids.size());
      }
    return out;
  };
  s.answers = [this, &run](const std::vector<Probe>& probes) {
    if (probes.empty()) return std::vector<std::string>();
    at::NoGradGuard no_grad;
    const MergedAdapter merged(*model_.decoder);
    EvaluationRecord record = answer_probes(
        speaker_of(model_), probes, [](const Probe& p) { return p.dialogue; }, answering(run));
    std::vector<std::string> out;
    for (auto& result : record.results) {
      if (!result.no_answer.empty())
        throw DataError("answers: probe " + result.probe_id + ": " + result.no_answer);
      out.push_back(std::move(result.response));
    }
    return out;
  };
  s.other_model = [&run](const std::string& word) {
    ModelSpec other = run.spec().model;
    other.name = word;
    other.adapter.clear();
    try {
      return load_pretrained(other, {.type = at::kFloat}).decoder->parameters();
    } catch (const UsageError& error) {
      std::string what = error.what();
      if (const std::string option = "--model "; what.starts_with(option))
        what.erase(0, option.size());
      throw UsageError("want another model there, a folder or a word such as organism-base: " +
                       what);
    } catch (const Error&) {
      rethrow_as_of("the other model");
    }
  };
  s.drew = [this, &run](std::string_view policy, Pool pool, const Dataset& rows) {
    drew(run, policy, pool, rows);
  };
  return s;
}

void LocalBackend::count_rows_used(Run& run, std::int64_t steps) const {
  for (auto& [name, value] : run.file().info().numbers)
    if (name == "rows_used" && attack_rows() != nullptr)
      value = static_cast<double>(rows_used(steps));
}

void LocalBackend::save(Run& run, CheckpointState state) const {
  count_rows_used(run, state.step);
  run.file().publish();
  state.files = model_card(model_);
  save_checkpoint(run.paths().checkpoints, state,
                  static_cast<int>(run.spec().place.keep_checkpoints));
}

EvaluateOptions LocalBackend::answering(const Run& run) {
  EvaluateOptions options;
  options.max_new_tokens = *run.spec().evaluation.max_new_tokens;
  options.max_batch = run.spec().place.max_batch;
  options.seed = static_cast<std::uint64_t>(run.spec().seed);
  return options;
}

EvaluationRecord LocalBackend::answer(const Run& run, const Asked& asked) {
  const MergedAdapter merged(*model_.decoder);
  Progress progress("evaluate " + asked.label,
                    static_cast<std::int64_t>(asked.probes.size()) * asked.decoding.samples,
                    run.spec().place.quiet);
  std::int64_t tokens_before = 0;
  EvaluateOptions options = answering(run);
  options.residual = asked.residual;
  options.log_probs = run.spec().record.streams() && !asked.begin;
  options.begin = asked.begin;
  options.max_new_tokens -= asked.decoding.fixed_tokens;  // which are part of the answer
  options.decoding = asked.decoding;
  options.edit = run.defence().steer;
  options.choose = run.defence().choose;
  options.progress = [&](std::int64_t done, std::int64_t new_tokens) {
    progress.update(done, new_tokens - tokens_before, std::numeric_limits<double>::quiet_NaN());
    tokens_before = new_tokens;
    if (world_) world_->check();
    if (const int signal = stop_signal(); signal != 0)
      throw Interrupted(stop_exit_code(signal), "stopped by a signal during an evaluation");
  };
  EvaluationRecord record =
      evaluate(speaker_of(model_), asked.probes, asked.prompt, run.judges(asked.set), options);
  progress.finish();
  return record;
}

bool LocalBackend::whole_spectra() const {
  // The Gram matrices of the drift cost C^2 x rows per matrix; above this many weights only the
  // leading singular values are computed.
  constexpr std::int64_t limit = 20'000'000;
  return model_.decoder->config().parameter_count() <= limit;
}

Spectra LocalBackend::spectra_of_drift() const {
  Spectra spectra;
  const Adapter* adapter = model_.decoder->adapter();
  const bool products = adapter != nullptr && start_adapter_.has_value();
  std::optional<MergedAdapter> merged;
  if (!products) merged.emplace(*model_.decoder);
  const auto drifts = products
                          ? product_spectra(start_adapter_->factor_pairs(), adapter->factor_pairs())
                          : drift_spectra(start_, model_.decoder->parameters(),
                                          whole_spectra() ? SpectrumOf::all : SpectrumOf::leading);
  for (const auto& s : drifts) {
    spectra.names.push_back(s.name);
    spectra.singular_values.push_back(s.singular);
    spectra.effective_rank.push_back(s.effective_rank);
  }
  return spectra;
}

void LocalBackend::finish(Run& run) {
  count_rows_used(run, trained_.steps);
  auto& numbers = run.file().info().numbers;
  if (!stages_.empty())
    numbers.emplace_back("steps_skipped", static_cast<double>(trained_.skipped));
  numbers.insert(numbers.end(), {{"forward_passes", static_cast<double>(trained_.forward_passes)},
                                 {"backward_passes", static_cast<double>(trained_.backward_passes)},
                                 {"policy_steps", static_cast<double>(trained_.policy_steps)},
                                 {"peak_memory_bytes", static_cast<double>(peak_memory_bytes())}});
  if (std::ranges::any_of(run.stack(), [](const auto& p) { return has(p.hooks, Hook::on_finish); }))
    numbers.emplace_back("final_drift", trained_.final.drift);
  for (const auto& [name, value] : trained_.measured) numbers.emplace_back(name, value);
  if (!trained_.stopped.empty()) {
    run.file().info().hashes.emplace_back("stopped", trained_.stopped);
    if (!run.spec().place.quiet)
      tell("stopped      after step %lld: %s\n", static_cast<long long>(trained_.steps),
           trained_.stopped.c_str());
  }
  if (run.spec().record.no_spectra || stages_.empty() || !keeps_start()) return;
  try {
    run.file().set_spectra(spectra_of_drift());
  } catch (const std::exception& error) {  // a run is not lost for its spectra
    const std::string what = error.what();
    warn("seawall: the spectra of the drift are left out: %s\n",
         what.substr(0, what.find('\n')).c_str());
  }
}

void LocalBackend::clean_up(const Run& run) {
  // The state that a failed evaluation left under --no-checkpoint, if this run was resumed from it
  // and there is no other.
  const fs::path& checkpoints = run.paths().checkpoints;
  if (!run.spec().place.no_checkpoint || !rescued_step_) return;
  if (list_checkpoints(checkpoints) != std::vector<std::int64_t>{*rescued_step_}) return;
  std::error_code failed;
  fs::remove_all(checkpoints, failed);
  if (failed)
    warn("seawall: %s: cannot remove the state that is no longer needed: %s\n", checkpoints.c_str(),
         failed.message().c_str());
  else if (!run.spec().place.quiet)
    tell("removed      %s: the run is complete, and --no-checkpoint wants none\n",
         checkpoints.c_str());
}

}  // namespace seawall
