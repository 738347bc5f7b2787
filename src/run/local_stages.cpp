// The stages of a run in this process: each begins with the weights that the one before left.
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <utility>

#include "run/stage_cache.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/version.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/run/run.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/train/signals.hpp"
#include "seawall/train/weight_edit.hpp"

namespace seawall {

namespace {

/// The rows of the pools that a policy needs.
Dataset rows_of_needs(const Dataset& rows, Need needs) {
  Dataset out;
  const auto wanted = [needs](RowKind kind) {
    return (kind == RowKind::harmful && has(needs, Need::harmful_data)) ||
           (kind == RowKind::safe && has(needs, Need::safe_data)) ||
           (kind == RowKind::benign && has(needs, Need::benign_data)) ||
           (kind == RowKind::identity_shift && has(needs, Need::identity_data));
  };
  for (const Example& row : rows.rows)
    if (wanted(row.kind)) out.rows.push_back(row);
  return out;
}

}  // namespace

/// Numbers a stage's steps within the run, and keeps what a later run may need.
struct LocalBackend::StageSink final : TraceSink {
  TraceSink& run;
  std::int64_t first = 0, stage = 0;
  std::int32_t first_row = 0;  // of the stage's, among the run's
  bool keeps = false;          // for the cache
  bool silent = false;         // the run file has the steps
  std::vector<StepRecord> steps;
  std::vector<DrawnRows> drawn;

  explicit StageSink(TraceSink& of_run) : run(of_run) {}
  void on_step(const StepRecord& record) override {
    if (keeps) steps.push_back(record);
    if (silent) return;
    StepRecord numbered = record;
    numbered.step += first;
    numbered.stage = stage;
    for (std::int32_t& row : numbered.rows) row += first_row;
    run.on_step(numbered);
  }
  void on_evaluation(EvaluationRecord record) override { run.on_evaluation(std::move(record)); }
  bool wants_residual() const override { return run.wants_residual(); }
};

LocalBackend::LocalBackend() = default;
LocalBackend::~LocalBackend() = default;

std::int64_t LocalBackend::steps() const {
  return stages_.empty() ? 0 : stages_.back().first_step + stages_.back().steps();
}

std::int64_t LocalBackend::LocalStage::steps() const { return source ? source->steps() : 1; }

std::size_t LocalBackend::index_of(const Run& run, const Stage& stage) {
  return static_cast<std::size_t>(&stage - run.stages().data());
}

TraceSink& LocalBackend::stage_sink() { return *sink_; }

void LocalBackend::drew(Run& run, std::string_view policy, Pool pool, const Dataset& rows) {
  const std::string& name = rows.name;  // POOL-COUNT
  const DrawnRows set{.policy = std::string(policy),
                      .pool = pool,
                      .count = std::stoll(name.substr(name.rfind('-') + 1)),
                      .sha256 = rows.content_hash()};
  if (sink_ && std::ranges::find(sink_->drawn, set) != sink_->drawn.end())
    return;  // before a resume
  run.add_policy_rows(policy, pool, rows);
  if (sink_) sink_->drawn.push_back(set);
}

bool LocalBackend::draw_again(Run& run, const std::vector<DrawnRows>& sets) {
  std::vector<Dataset> drawn;
  for (const DrawnRows& set : sets) {
    drawn.push_back(rows_of_policy(run.scenario(), static_cast<std::uint64_t>(run.spec().seed),
                                   set.policy, set.pool, set.count, &run.used_rows()));
    if (drawn.back().content_hash() != set.sha256) return false;
  }
  for (std::size_t i = 0; i < drawn.size(); ++i) drew(run, sets[i].policy, sets[i].pool, drawn[i]);
  return true;
}

std::string LocalBackend::drawn() const { return sink_ ? drawn_text(sink_->drawn) : ""; }

const FixedRows* LocalBackend::attack_rows() const {
  return stages_.empty() || stages_.back().owned ? nullptr : stages_.back().source.get();
}

std::int64_t LocalBackend::rows_used(std::int64_t steps) const {
  std::int64_t used = 0;
  for (const LocalStage& stage : stages_)
    if (stage.source && !stage.owned)
      used += stage.source->rows_seen(
          std::clamp<std::int64_t>(steps - stage.first_step, 0, stage.steps()));
  return used;
}

std::string LocalBackend::stage_key(const Run& run, std::size_t index) const {
  Sha256 sha;
  sha.field(program_version).field(TORCH_VERSION).field(kernel_name()).field("with rows");
  sha.field(std::to_string(static_cast<int>(cpu_in_use())))
      .field(std::to_string(at::get_num_threads()));
  identify(sha);
  sha.field(run.spec().model.device).field(std::to_string(run.spec().seed));
  for (std::size_t i = 0; i <= index; ++i) {
    const Stage& stage = run.stages()[i];
    sha.field(stage.name).field(stage.rows.content_hash()).field(std::to_string(stage.tampers));
    for (const auto& o : list_options(stage.training)) sha.field(o.name).field(o.value);
    const auto acts = run.acting(stage);
    for (std::size_t p = 0; p < acts.size(); ++p) {
      if (!acts[p]) continue;
      // Its place among its kind decides its streams; the attack's rows, which it may draw.
      sha.field(run.stack()[p].name)
          .field(std::to_string(std::count_if(
              run.stack().begin(), run.stack().begin() + static_cast<std::ptrdiff_t>(p),
              [&](const auto& other) { return other.name == run.stack()[p].name; })))
          .field(rows_of_needs(run.rows(), run.stack()[p].needs).content_hash());
      for (const auto& o : run.stack()[p].options) sha.field(o.name).field(o.value);
    }
  }
  return sha.hex().substr(0, 32);
}

NamedTensors LocalBackend::weights() const {
  NamedTensors all = model_.decoder->parameters();
  if (const Adapter* adapter = model_.decoder->adapter())
    for (const auto& factor : adapter->tensors()) all.push_back(factor);
  return all;
}

void LocalBackend::set_weights(const NamedTensors& weights) {
  const std::size_t own = model_.decoder->parameters().size();
  const auto type = model_.decoder->dtype();
  NamedTensors parameters(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(own));
  for (auto& [name, tensor] : parameters) tensor = tensor.to(model_.decoder->device(), type);
  model_.decoder->replace(parameters);
  NamedTensors factors(weights.begin() + static_cast<std::ptrdiff_t>(own), weights.end());
  if (Adapter* adapter = model_.decoder->adapter(); adapter && !factors.empty())
    adapter->replace(factors);
}

void LocalBackend::begin_attack() {
  attacked_ = true;
  start_ = start_factors_ = {};
  start_adapter_.reset();
  if (!keeps_start()) return;
  // The trainer leaves these where they are and moves copies.
  if (const Adapter* adapter = model_.decoder->adapter()) {
    start_adapter_ = *adapter;
    start_factors_ = adapter->tensors();
  } else {
    start_ = model_.decoder->parameters();
  }
}

void LocalBackend::set_adapter(const Run& run, const Stage& stage) {
  const Adapter* there = model_.decoder->adapter();
  const std::int64_t rank = stage.training.lora.rank;
  const bool read = !run.spec().model.adapter.empty() && !stage.tampers;  // trained on as it is
  if (read || rank == (there ? there->options.rank : 0)) return;
  if (attacked_ && start_adapter_) {  // from here on theta0 is whole weights
    Decoder start(model_.decoder->config(), model_.decoder->parameters());
    start.adapt(std::move(*start_adapter_));
    start.merge();
    start_ = start.parameters();
    start_adapter_.reset();
  }
  model_.decoder->merge();
  if (rank == 0) return;
  RunSpec with = run.spec();
  with.training.lora.rank = rank;
  set_up_adapter(model_, with);
}

bool LocalBackend::enter(Run& run, const Stage& stage) {
  const std::size_t index = index_of(run, stage);
  const bool last = index + 1 == stages_.size(), attack = stage.owner == Stage::attackers;
  const bool done = resumed_ && resumed_stage_ > index,
             within = resumed_ && resumed_stage_ == index;
  set_adapter(run, stage);
  if (attack && !attacked_) begin_attack();
  sink_ = std::make_unique<StageSink>(run.sink());
  sink_->first = stages_[index].first_step;
  sink_->stage = static_cast<std::int64_t>(index);
  for (std::size_t i = 0; i < index; ++i)
    sink_->first_row += static_cast<std::int32_t>(run.stages()[i].rows.size());
  sink_->keeps = !last;
  sink_->silent = done;
  if (within) draw_again(run, drawn_from(resumed_->texts["drawn"]));
  // The attack's earlier stages are evaluated as well, so only a resume takes what is kept of them.
  if (last || within || (attack && !done) || !take_kept(run, stage)) {
    if (done && !run.spec().place.quiet)
      tell("stage        %s: trained again, its weights are not in the cache (--stages)\n",
           stage.name.c_str());
    return true;
  }
  return false;
}

bool LocalBackend::take_kept(Run& run, const Stage& stage) {
  const StageCache cache(stage_folder(run.spec().place.stages));
  const std::string key = stage_key(run, index_of(run, stage));
  auto outcome = cache.find(key);
  if (!outcome) {
    bool told = run.spec().place.quiet;
    claim_ = cache.claim(key, [&] {
      if (!std::exchange(told, true))
        tell("stage        %s: another process trains it, waiting\n", stage.name.c_str());
      if (const int signal = stop_signal(); signal != 0)
        throw Interrupted(stop_exit_code(signal), "stopped by a signal while waiting for a stage");
    });
    outcome = cache.find(key);  // kept meanwhile
    if (outcome) claim_.reset();
  }
  if (!outcome || !draw_again(run, outcome->drawn)) return false;  // of other files
  if (!run.spec().place.quiet)
    tell("stage        %s: %lld steps, taken from the cache\n", stage.name.c_str(),
         static_cast<long long>(outcome->result.steps));
  set_weights(outcome->weights);
  sink_->keeps = false;
  for (const StepRecord& step : outcome->steps) sink_->on_step(step);
  add(outcome->result);
  return true;
}

void LocalBackend::leave(Run& run, const Stage& stage, const TrainResult& result) {
  const std::unique_ptr<RunLock> claim = std::move(claim_);  // until the stage is kept
  const std::size_t index = index_of(run, stage);
  add(result);
  if (resumed_ && resumed_stage_ == index) resumed_.reset();
  // What was resumed within has its first records in the run file alone.
  if (!sink_->keeps || sink_->steps.size() < static_cast<std::size_t>(result.steps)) return;
  StageCache(stage_folder(run.spec().place.stages))
      .keep(stage_key(run, index),
            {weights(), std::move(sink_->steps), result, std::move(sink_->drawn)});
}

void LocalBackend::add(const TrainResult& result) {
  const TrainResult before = std::exchange(trained_, result);
  trained_.steps += before.steps;
  trained_.skipped += before.skipped;
  trained_.tokens += before.tokens;
  trained_.seconds += before.seconds;
  trained_.forward_passes += before.forward_passes;
  trained_.backward_passes += before.backward_passes;
  trained_.policy_steps += before.policy_steps;
  trained_.measured.insert(trained_.measured.begin(), before.measured.begin(),
                           before.measured.end());
  if (trained_.stopped.empty()) trained_.stopped = before.stopped;
}

void LocalBackend::tamper(Run& run, const Stage& stage) {
  still_.reset();
  enter(run, stage);
  TrainContext c = context(run, stage);
  c.resume = nullptr;
  c.checkpoint = c.rescue = nullptr;  // an edit is made again as fast as it is read
  const TrainResult result = edit_weights(*model_.decoder, options(run, stage), *sink_, c,
                                          [&run](Trainer& t) { run.attack().tamper(t); });
  leave(run, stage, result);
}

}  // namespace seawall
