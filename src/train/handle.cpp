#include "seawall/train/handle.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

Dataset rows_of_policy(const Scenario& scenario, std::uint64_t seed, std::string_view policy,
                       Pool pool, std::int64_t count, const Dataset* used) {
  // A stream for each set, so that the order in which sets are asked for does not matter.
  const std::string name = std::string(pool_name(pool)) + "-" + std::to_string(count);
  Rng rng = Rng(seed).stream("policies").stream(policy).stream("rows").stream(name);
  Dataset rows = unused_rows(scenario, pool, count, rng, used != nullptr ? *used : Dataset{});
  rows.name = name;
  return rows;
}

namespace detail {
namespace {

[[noreturn]] void no_service(const char* what) {
  throw UsageError(std::string(what) +
                   ": the program that trains does not offer it; give it in "
                   "TrainContext::services");
}

std::string key_of(const std::string& policy, const char* what) { return policy + "." + what; }

bool legal_measure(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '/';
  });
}

}  // namespace

std::vector<std::pair<std::string, double>> listed(const Measures& measures) {
  return {measures.begin(), measures.end()};
}

Handle::Handle(Decoder& decoder, const Scenario* scenario, const ModelServices& services,
               std::uint64_t seed, std::vector<std::string> policies)
    : decoder_(decoder), scenario_(scenario), services_(services), seed_(seed) {
  const Rng root = Rng(seed).stream("policies");
  for (auto& name : policies) {
    const Rng own = root.stream(name);
    policies_.push_back({.name = std::move(name),
                         .rng = own.stream("rng"),
                         .rows = {},
                         .turns = {},
                         .restored = {}});
  }
}

Tensor Handle::weight(std::string_view name, Theta theta) const {
  const NamedTensors& all = (theta == Theta::now ? decoder_ : start()).parameters();
  const auto found = std::ranges::find(all, name, &NamedTensor::name);
  if (found == all.end())
    throw UsageError("weight: the model has no " + std::string(name) + "; names are those of " +
                     all.front().name);
  return found->tensor.detach();
}

const NamedTensors& Handle::other_model(const std::string& word) {
  const auto found = others_.find(word);
  if (found != others_.end()) return found->second;
  if (!services_.other_model) no_service("another model");
  NamedTensors weights = services_.other_model(word);
  for (const auto& [name, tensor] : decoder_.parameters()) {
    const auto other = std::ranges::find(weights, name, &NamedTensor::name);
    if (other == weights.end() || other->tensor.sizes() != tensor.sizes())
      throw DataError(word + ": has no " + name +
                      " of this model's shape; want a model of the same architecture");
  }
  return others_.emplace(word, std::move(weights)).first->second;
}

const Scenario& Handle::scenario() const {
  if (scenario_ == nullptr)
    throw UsageError("the program that trains has no scenario; give one in TrainContext");
  return *scenario_;
}

Rng& Handle::rng() { return mine().rng; }

const Dataset& Handle::rows(Pool pool, std::int64_t count) {
  OfPolicy& policy = mine();
  const std::string name = std::string(pool_name(pool)) + "-" + std::to_string(count);
  if (const auto found = policy.rows.find(name); found != policy.rows.end()) return found->second;
  Dataset all = rows_of_policy(scenario(), seed_, policy.name, pool, count,
                               services_.used != nullptr ? services_.used : services_.rows);
  if (services_.drew) services_.drew(policy.name, pool, all);
  return policy.rows.emplace(name, std::move(all)).first->second;
}

EncodedRows Handle::encoded(const Dataset& rows) const {
  if (!services_.encode) no_service("encoding of rows");
  EncodedRows out = services_.encode(rows);
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    Sequence& row = out.rows[i];
    if (!row.loss.empty()) row.loss[0] = 0;  // nothing before it to be predicted from
    if (std::ranges::find(row.loss, 1) == row.loss.end())
      throw DataError("row " + (rows.rows[i].id.empty() ? std::to_string(i) : rows.rows[i].id) +
                      ": no token of its answer fits into the longest row; shorten it or raise "
                      "--max-tokens");
  }
  return out;
}

std::shared_ptr<MicroBatch> Handle::planned(const std::vector<Sequence>& rows,
                                            const Tensor& embeddings) const {
  auto micro = std::make_shared<MicroBatch>();
  micro->plan = plan_batch(rows, decoder_.device(), {.embeddings = embeddings});
  micro->targets = micro->plan.targets.size(0);
  return micro;
}

Batch Handle::batch_of(std::shared_ptr<const MicroBatch> micro, std::vector<Example> rows) const {
  const BatchPlan& plan = micro->plan;
  Batch batch;
  batch.rows = std::move(rows);
  batch.row = plan.target_row;
  batch.place = plan.target_place;
  batch.source = plan.source_tokens;
  batch.token = plan.targets;
  batch.last = plan.last_token;
  batch.tokens = plan.tokens;
  // Targets come row by row in order: the last one written to a row is its first target.
  batch.prompt_end = plan.last_token.clone();
  const Tensor row = plan.target_row.flip(0), source = plan.source_tokens.flip(0);
  const Tensor row_host = row.cpu(), source_host = source.cpu();
  Tensor ends = batch.prompt_end.cpu();
  for (std::int64_t i = 0; i < row_host.size(0); ++i)
    ends.data_ptr<std::int64_t>()[row_host.const_data_ptr<std::int64_t>()[i]] =
        source_host.const_data_ptr<std::int64_t>()[i];
  batch.prompt_end = ends.to(plan.last_token.device());
  batch.plan = std::move(micro);
  return batch;
}

Batch Handle::next(const Dataset& rows, std::int64_t size) {
  if (rows.name.empty() || rows.empty())
    throw UsageError(std::string("next: want a set of rows with a name, got ") +
                     (rows.empty() ? "no rows" : "one without"));
  if (size < 1) throw UsageError("next: want 1 row or more, got " + std::to_string(size));
  OfPolicy& policy = mine();
  auto found = policy.turns.find(rows.name);
  if (found == policy.turns.end()) {
    EncodedRows all = encoded(rows);
    found = policy.turns.emplace(rows.name, Turns{std::move(all.rows), all.embeddings, 0}).first;
  }
  Turns& turns = found->second;
  if (const auto kept = policy.restored.extract(rows.name)) turns.next = kept.mapped();
  std::vector<Sequence> part;
  std::vector<Example> examples;
  for (std::int64_t i = 0; i < size; ++i) {
    const auto place = static_cast<std::size_t>(turns.next++) % turns.rows.size();
    part.push_back(turns.rows[place]);
    examples.push_back(rows.rows[place]);
  }
  return batch_of(planned(part, turns.embeddings), std::move(examples));
}

Batch Handle::encode(const Dataset& rows) {
  EncodedRows all = encoded(rows);
  return batch_of(planned(all.rows, all.embeddings), rows.rows);
}

Pass Handle::pass(const Batch& batch, const Ask& ask) {
  if (!batch.plan) throw UsageError("pass: want a batch that this trainer made, got an empty one");
  const BatchPlan& plan = std::static_pointer_cast<const MicroBatch>(batch.plan)->plan;
  const bool now = ask.theta == Theta::now;
  const at::AutoGradMode gradients(now && at::GradMode::is_enabled());
  if (now)
    begin_forward();
  else
    count_forward_of_start();
  const Decoder& model = now ? decoder_ : start();
  Pass out;
  ForwardHooks hooks;
  hooks.taps = ask.taps | ask.edits;
  hooks.graph = at::GradMode::is_enabled();
  if (ask.edit)
    hooks.edit = [&ask](const TapPoint& point, const Tensor& x) {
      return ask.edits.has(point.kind) ? ask.edit(point, x) : x;
    };
  if (ask.taps.any()) {
    hooks.wants = [&ask](const TapPoint& point) { return ask.taps.has(point.kind); };
    hooks.take = [&out, kept = hooks.graph](const TapPoint& point, const Tensor& x) {
      out.taps.emplace_back(point, kept ? x : x.clone());  // else its memory is used again
    };
  }
  if (!ask.logits) {
    out.loss = model.loss(plan, LossMode::per_token, hooks);
  } else {
    const Tensor hidden = model.hidden(plan, hooks);  // [T,C]
    out.loss = model.loss(hidden, plan, LossMode::per_token);
    out.logits = model.logits(hidden.index_select(0, plan.source_tokens));
  }
  if (now) passed(plan, out.loss);
  return out;
}

Tensor Handle::kl_to_start(const Batch& batch, KlDirection direction) {
  if (!batch.plan) throw UsageError("kl: want a batch that this trainer made, got an empty one");
  const BatchPlan& plan = std::static_pointer_cast<const MicroBatch>(batch.plan)->plan;
  begin_forward();
  count_forward_of_start();
  return decoder_.kl(plan, start(), direction);
}

Tensors Handle::gradient(const std::function<Tensor()>& loss) {
  Tensors weights;
  for (const Param& param : params()) weights.push_back(param.value);
  Tensors out = gradient(loss, weights);
  for (Tensor& g : out)
    if (g.scalar_type() != at::kDouble) g = g.to(at::kFloat);
  return out;
}

Tensors Handle::gradient(const std::function<Tensor()>& loss, const Tensors& of) {
  const at::AutoGradMode on(true);
  const Tensor value = loss();
  if (!value.defined() || value.dim() != 0 || !value.requires_grad())
    throw RunError("gradient: want a scalar that depends on the weights, got " +
                   std::string(!value.defined() ? "an undefined tensor"
                               : value.dim() != 0
                                   ? "a tensor of " + std::to_string(value.dim()) + " dimensions"
                                   : "a constant"));
  count_backward();
  Tensors out = torch::autograd::grad({value}, of, {}, std::nullopt, false, true);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!out[i].defined()) out[i] = at::zeros_like(of[i].detach());
  return out;
}

std::vector<std::string> Handle::answers(const std::vector<Probe>& probes) {
  if (!services_.answers) no_service("answering");
  return services_.answers(probes);
}

void Handle::measure(std::string_view name, double value) {
  if (!legal_measure(name))
    throw UsageError("measure: want a name of letters, digits, `-`, `_` and `/`, got \"" +
                     std::string(name) + '"');
  measures()[mine().name + "/" + std::string(name)] = value;
}

void Handle::save(CheckpointState& state) const {
  for (const OfPolicy& policy : policies_) {
    auto& words = state.integers["rng." + policy.name];
    for (const auto word : policy.rng.state()) words.push_back(static_cast<std::int64_t>(word));
    for (const auto& [name, turns] : policy.turns)
      state.integers[key_of(policy.name, "next.") + name] = {turns.next};
    for (const auto& [name, next] : policy.restored)  // of a set not yet asked for again
      state.integers[key_of(policy.name, "next.") + name] = {next};
  }
}

void Handle::restore(const CheckpointState& state) {
  for (OfPolicy& policy : policies_) {
    const auto words = state.integers.find("rng." + policy.name);
    if (words == state.integers.end() || words->second.size() != 4)
      throw DataError("checkpoint: rng." + policy.name +
                      ": missing; resume with the stack the run was started with");
    Rng::State at{};
    for (std::size_t i = 0; i < 4; ++i) at[i] = static_cast<std::uint64_t>(words->second[i]);
    policy.rng.set_state(at);
    const std::string prefix = key_of(policy.name, "next.");
    policy.restored.clear();
    for (auto& [name, turns] : policy.turns) turns.next = 0;
    for (const auto& [name, value] : state.integers)
      if (name.starts_with(prefix) && value.size() == 1)
        policy.restored[name.substr(prefix.size())] = value[0];
  }
}

}  // namespace detail
}  // namespace seawall
