#include "seawall/train/session.hpp"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/train/signals.hpp"
#include "train/ranks.hpp"

namespace seawall {

OnNan on_nan_from(std::string_view name) {
  if (name == "stop") return OnNan::stop;
  if (name == "skip") return OnNan::skip;
  throw UsageError("on-nan: want stop or skip, got '" + std::string(name) + "'");
}

TrainOptions train_options(const TrainingSpec& spec) {
  TrainOptions o;
  o.schedule.kind = lr_schedule_from(spec.lr_schedule);
  o.schedule.lr = spec.lr.value_or(o.schedule.lr);
  o.schedule.warmup_steps = spec.warmup_steps;
  o.adamw.weight_decay = spec.weight_decay;
  o.precision = precision_from(spec.precision);
  o.clip_norm = spec.clip_norm;
  o.on_nan = on_nan_from(spec.on_nan);
  return o;
}

void TrainOptions::check() const {
  schedule.check();
  adamw.check();
  if (!(clip_norm >= 0))
    throw UsageError("clip-norm: want 0 (off) or more, got " + std::to_string(clip_norm));
  if (evaluate_every < 0)
    throw UsageError("evaluate-every: want 0 or more, got " + std::to_string(evaluate_every));
  if (checkpoint_every < 0)
    throw UsageError("checkpoint-every: want 0 or more, got " + std::to_string(checkpoint_every));
}

namespace detail {
namespace {

const TrainOptions& checked(const TrainOptions& options, const TrainContext& context,
                            const StackFacts& facts) {
  options.check();
  check_needs(facts.policies, context.scenario);
  return options;
}

double number_of(const CheckpointState& state, const std::string& key) {
  const auto found = state.numbers.find(key);
  if (found == state.numbers.end())
    throw DataError("checkpoint: " + key + ": missing; resume from a checkpoint of this run");
  return found->second;
}

void same(const char* what, const std::string& want, const std::string& got) {
  if (want != got)
    throw UsageError(std::string("resume: ") + what + ": this run has " + want +
                     ", the checkpoint " + got +
                     "; resume with the options the run was started with, or start again");
}

std::string seed_text(std::uint64_t seed) { return std::to_string(seed); }

/// What a decoder trains: its adapter, if it has one.
NamedTensors trained_tensors(const Decoder& decoder) {
  return decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters();
}

std::unique_ptr<Ranks> ranks_of(const Decoder& decoder, World* world, const StackFacts& facts) {
  if (world == nullptr) return nullptr;
  check_parts(facts.policies);
  return std::make_unique<Ranks>(*world, trained_tensors(decoder), by_weight(facts.trains));
}

std::function<bool(std::string_view)> owned_by(const Ranks* ranks) {
  if (ranks == nullptr) return nullptr;
  return [ranks](std::string_view name) { return ranks->owns(name); };
}

}  // namespace

StateIn& policy_group(std::map<std::string, StateGroup>& groups, std::string_view name) {
  const auto found = groups.find(std::string(name));
  if (found == groups.end())
    throw DataError("checkpoint: " + std::string(name) +
                    ": no state of this policy; resume with the stack the run was started with");
  return found->second;
}

Step whole_step(Step step) {
  step.micro_batch = 0;
  step.micro_batches = 1;
  return step;
}

Session::Session(Decoder& decoder, BatchSource& source, const TrainOptions& options,
                 const TrainContext& context, StackFacts facts)
    : Handle(decoder, context.scenario, context.services, options.seed, facts.names),
      source_(source),
      options_(checked(options, context, facts)),
      context_(context),
      facts_(std::move(facts)),
      ranks_(ranks_of(decoder, context.world, facts_)),
      weights_(trained_tensors(decoder), options.precision, by_weight(facts_.trains),
               facts_.writes_weights, owned_by(ranks_.get())),
      adam_(weights_, options.adamw),
      requests_seen_(checkpoint_requests()) {
  if (decoder.adapter())
    set_up_adapter();
  else
    decoder.replace(weights_.values());
  if (!decoder.adapter()) drift_places_ = weights_.trained();
  if (ranks_) ranks_->watch(weights_.values());
  if (context_.start != nullptr) weights_.set_start(*context_.start);
  step_.total = source.steps();
  if (!ranks_) return;
  check_ranks();
  agree();
  requests_seen_ = requests();
}

Session::~Session() = default;

const Step& Session::begin_step() {
  begun_ = std::chrono::steady_clock::now();
  batch_ = ahead_ ? *std::exchange(ahead_, std::nullopt) : source_.batch(next_);
  step_.index = next_;
  step_.epoch = batch_.epoch;
  step_.micro_batch = 0;
  step_.micro_batches = static_cast<std::int64_t>(batch_.micro.size());
  step_.lr = learning_rate(options_.schedule, next_, batch_.epoch, step_.total);
  weights_.clear_gradients(ranks_ ? 1 : step_.micro_batches);  // their sum is widened anyway
  if (ranks_) ranks_->begin_step(batch_.micro.size());
  reads_at_end_ = reads_at_end();
  if (batch_.micro.empty()) adam_.remember();  // an edit
  losses_.clear();
  own_losses_.assign(batch_.micro.size(), Tensor());
  token_losses_.assign(batch_.micro.size(), Tensor());
  row_losses_.clear();
  user_ = {};
  micro_ = 0;
  in_step_ = true;
  in_micro_ = stepped_ = false;
  step_measures_.clear();
  micro_measures_.clear();
  measured_targets_.clear();
  norm_ = {};
  movement_ = {};
  skipped_ = checkpointed_ = false;
  return step_;
}

void Session::publish() {
  weights_.publish();
  if (ranks_) ranks_->share();
}

const Tensor& Session::reference(MicroBatch& micro) {
  if (!micro.reference.defined()) {
    at::NoGradGuard no_grad;
    micro.reference = start().loss(micro.plan, LossMode::per_token).neg();
    ++result_.forward_passes;
  }
  return micro.reference;
}

void Session::backward(std::size_t index, const Tensor& loss, const Tensor& penalty) {
  const std::int64_t part = batch_.micro[index]->targets;
  // Each micro-batch counts by its targets, so that the step's loss is one mean over all of them.
  Tensor total = part == batch_.targets
                     ? loss
                     : loss.mul(static_cast<double>(part) / static_cast<double>(batch_.targets));
  if (penalty.defined()) total = total.add(penalty);
  losses_.push_back(total.detach());
  if (own_losses_[index].defined() && part != batch_.targets)
    own_losses_[index] =
        own_losses_[index].mul(static_cast<double>(part) / static_cast<double>(batch_.targets));
  in_backward_ = updates_in_backward();
  if (ranks_) ranks_->begin_backward();
  if (in_backward_)
    backward_with_updates(total);
  else
    total.backward();
  if (ranks_) ranks_->end_backward();
  ++result_.backward_passes;
  step_.micro_batch = static_cast<std::int64_t>(index);
  fold_measures(part);
}

void Session::update() {
  if (reads_at_end_) {
    if (!in_backward_) facts_there_ = adam_.step_there(step_.lr, guard_);
    weights_.publish();
    return;
  }
  if (options_.clip_norm > 0) adam_.clip(norm_.norm, options_.clip_norm);
  if (facts_.after_step) adam_.remember();
  movement_ = adam_.step(step_.lr);
  // Hooks write masters; what they read as value is the weight before them.
  weights_.publish();
  if (!facts_.after_step) return;
  versions_.clear();
  for (const Param& param : params()) versions_.push_back(param.master._version());
}

void Session::measure_moved() {
  // Coupled forms declare the hook and do nothing in it: then the optimizer's own count stands.
  bool written = stepped_;
  for (std::size_t i = 0; i < versions_.size(); ++i)
    written |= weights_.params()[i].master._version() != versions_[i];
  if (!written) return;
  weights_.publish();
  movement_ = adam_.measure();
}

void Session::edited() {
  weights_.publish();
  movement_ = adam_.measure();
  loss_ = penalty_ = norm_.norm = step_.lr = std::numeric_limits<double>::quiet_NaN();
}

StepRecord Session::end_step() {
  if (reads_at_end_) {
    read_numbers();
  } else {
    if (skipped_) {
      movement_ = adam_.drift();
      movement_.moved = 0;
    }
    movement_ = of_all(std::move(movement_));
  }
  if (ranks_ && !skipped_) ranks_->share();
  if (ranks_) agree();
  if (decoder().adapter()) decoder().adapter()->dropout_key = 0;
  in_step_ = false;
  if (!skipped_) {
    skipped_in_a_row_ = 0;
    if (!std::isfinite(movement_.drift))
      throw RunError("step " + std::to_string(next_ + 1) +
                     ": weights are no longer finite after the update (lr " +
                     std::to_string(step_.lr) + "); lower --lr; the last checkpoint is whole");
  }
  weights_.clear_gradients(1);
  StepRecord record;
  record.step = ++next_;
  record.epoch = step_.epoch;
  record.loss = loss_;
  record.penalty = penalty_;
  record.measured = listed(step_measures_);
  record.lr = step_.lr;
  record.grad_norm = norm_.norm;
  record.tokens = batch_.tokens;
  record.moved = movement_.moved;
  record.drift = movement_.drift;
  record.param_drift.assign(decoder().parameters().size(), 0.0);
  for (std::size_t i = 0; i < movement_.params.size(); ++i)
    record.param_drift[drift_places_[i]] = movement_.params[i];
  put_rows(record);
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  result_.steps = next_;
  result_.tokens += record.tokens;
  result_.seconds += record.seconds;
  result_.loss = record.loss;
  return record;
}

void Session::finish() {
  publish();
  result_.final = of_all(adam_.drift());
  result_.measured = listed(run_measures_);
  finished_ = true;
}

void Session::between_steps(const std::function<void(const OpenStateOut&)>& save_policies) {
  const auto stop_if_asked = [&](bool evaluation_pending) {
    const int signal = this->signal();
    if (signal == 0) return;
    if (context_.checkpoint && !checkpointed_) checkpoint(save_policies, evaluation_pending);
    throw Interrupted(stop_exit_code(signal),
                      "stopped by a signal after step " + std::to_string(next_) +
                          (context_.checkpoint ? "; the state is saved, --resume continues"
                                               : "; no checkpoint was asked for"));
  };
  const bool evaluate = evaluation_due();
  stop_if_asked(evaluate);
  if (evaluate) this->evaluate(save_policies);
  const bool requested = requests() != requests_seen_;
  const bool due = options_.checkpoint_every > 0 && next_ % options_.checkpoint_every == 0;
  if (context_.checkpoint && (due || requested || finished_)) checkpoint(save_policies, false);
  if (!finished_) stop_if_asked(false);
}

void Session::catch_up() {
  if (!evaluation_pending_ || !context_.evaluate) return;
  at::NoGradGuard no_grad;
  if (ranks_) return evaluate_on_first(nullptr);
  context_.evaluate(next_, next_ / source_.steps_per_epoch(), !more());
}

void Session::checkpoint(const std::function<void(const OpenStateOut&)>& save_policies,
                         bool evaluation_pending) {
  const auto& write = context_.checkpoint ? context_.checkpoint : context_.rescue;
  requests_seen_ = requests();
  checkpointed_ = true;
  const std::int64_t epoch = next_ / source_.steps_per_epoch();
  CheckpointState state;
  state.step = next_;
  state.config_hash = options_.config_hash;
  for (const auto& [name, tensor] : weights_.values())  // factors alone under LoRA
    state.parameters.push_back({name, tensor.detach()});
  NamedTensors masters, moments;
  weights_.save(masters);
  adam_.save(moments);
  for (const NamedTensors& own : {masters, moments})
    for (auto& tensor : ranks_ ? ranks_->collected(own) : own) state.optimizer.push_back(tensor);
  if (ranks_ && ranks_->rank() != 0) return;
  state.numbers = {{"updates", static_cast<double>(adam_.updates())},
                   {"skipped", static_cast<double>(result_.skipped)},
                   {"forward_passes", static_cast<double>(result_.forward_passes)},
                   {"backward_passes", static_cast<double>(result_.backward_passes)},
                   {"skipped_in_a_row", static_cast<double>(skipped_in_a_row_)},
                   {"epoch", static_cast<double>(epoch)},
                   {"index", static_cast<double>(next_ % source_.steps_per_epoch())},
                   {"policy_steps", static_cast<double>(result_.policy_steps)},
                   {"loss", loss_},
                   {"finished", finished_ ? 1.0 : 0.0},
                   {"evaluation_pending", evaluation_pending ? 1.0 : 0.0},
                   {"rescue", context_.checkpoint ? 0.0 : 1.0}};
  state.texts = {{"seed", seed_text(options_.seed)},
                 {"precision", std::string(precision_name(options_.precision))}};
  if (!result_.stopped.empty()) state.texts["stopped"] = result_.stopped;
  for (const auto& [name, value] : run_measures_) state.numbers["measured/" + name] = value;
  Handle::save(state);
  // The order of rows is a function of this stream; it is kept so that a file says by itself what
  // made it.
  const Rng order = Rng(options_.seed).stream("data-order");
  for (const auto word : order.state())
    state.integers["rng.data-order"].push_back(static_cast<std::int64_t>(word));
  save_policies([&state](std::string_view name) -> StateOut& {
    StateGroup& group = state.groups[std::string(name)];
    group.name = name;
    return group;
  });
  write(std::move(state));
}

void Session::restore() {
  const CheckpointState& state = *context_.resume;
  same("configuration", options_.config_hash, state.config_hash);
  const auto text = [&state](const std::string& key) {
    const auto found = state.texts.find(key);
    return found == state.texts.end() ? std::string("none") : found->second;
  };
  same("seed", seed_text(options_.seed), text("seed"));
  same("precision", std::string(precision_name(options_.precision)), text("precision"));
  if (state.step < 0 || state.step > source_.steps())
    throw UsageError("resume: the checkpoint is of step " + std::to_string(state.step) +
                     ", this run has " + std::to_string(source_.steps()) +
                     " steps; resume with the options the run was started with");
  weights_.load(state.parameters, state.optimizer);
  adam_.load(state.optimizer, static_cast<std::int64_t>(number_of(state, "updates")));
  next_ = result_.steps = state.step;
  result_.skipped = static_cast<std::int64_t>(number_of(state, "skipped"));
  result_.forward_passes = static_cast<std::int64_t>(number_of(state, "forward_passes"));
  result_.backward_passes = static_cast<std::int64_t>(number_of(state, "backward_passes"));
  result_.policy_steps = static_cast<std::int64_t>(number_of(state, "policy_steps"));
  if (text("stopped") != "none") result_.stopped = text("stopped");
  for (const auto& [name, value] : state.numbers)
    if (name.starts_with("measured/")) run_measures_[name.substr(9)] = value;
  if (ranks_) ranks_->agreed.forward = result_.forward_passes;
  if (ranks_) ranks_->agreed.backward = result_.backward_passes;
  Handle::restore(state);
  skipped_in_a_row_ = static_cast<std::int64_t>(number_of(state, "skipped_in_a_row"));
  result_.loss = loss_ = number_of(state, "loss");
  finished_ = number_of(state, "finished") != 0;
  evaluation_pending_ = number_of(state, "evaluation_pending") != 0;
  if (finished_) {
    result_.final = of_all(adam_.drift());
    result_.measured = listed(run_measures_);
  }
}

}  // namespace detail
}  // namespace seawall
