// What a run will take, counted from sizes and from one batch that is really computed.
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "seawall/model/generate.hpp"
#include "seawall/run/run.hpp"

namespace seawall {
namespace {

/// Text made by printf.
struct Lines {
  std::string text;
  void add(const char* format, auto... values) {
    char line[512];
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  }
};

void add_memory(Lines& out, const MemoryQuestion& question, const RunSpec& spec) {
  const MemoryEstimate estimate = estimate_memory(question);
  out.add("memory       about %.2f GB at the most, in %s (%s%s)\n", estimate.peak().total() / 1e9,
          estimate.peak().name.c_str(), spec.training.precision.c_str(),
          spec.training.none ? ", nothing trains"
          : question.adapter ? ", LoRA"
                             : ", full fine-tuning");
  for (const auto& phase : estimate.phases) {
    out.add("  %-11s%.2f GB%s:", phase.name.c_str(), phase.total() / 1e9,
            phase.on_host ? " of the host" : "");
    const char* comma = "";
    for (const auto& part : phase.parts) {
      out.add("%s %s %.2f", comma, part.name.c_str(), part.bytes / 1e9);
      comma = ",";
    }
    out.text += "\n";
  }
}

/// Forward and backward of every micro-batch of a step, as training computes them. Returns seconds.
double try_batch(Decoder& decoder, const StepBatch& batch) {
  if (!decoder.device().is_cpu())
    decoder.loss(batch.micro.front()->plan, LossMode::fused);  // warms up
  const auto begin = std::chrono::steady_clock::now();
  const auto factors = decoder.adapter() ? decoder.adapter()->tensors() : NamedTensors{};
  const auto want = [&](bool on) {
    if (factors.empty()) decoder.set_requires_grad(on);
    for (const auto& [name, tensor] : factors) tensor.set_requires_grad(on);
  };
  want(true);
  for (const auto& micro : batch.micro) decoder.loss(micro->plan, LossMode::fused).backward();
  if (!decoder.device()
           .is_cpu()) {  // waits: a device is told what to do long before it has done it
    const auto& last = factors.empty() ? decoder.parameters().front() : factors.front();
    if (last.tensor.grad().defined()) last.tensor.grad().view(-1)[0].item();
  }
  want(false);
  for (const auto& p : factors.empty() ? decoder.parameters() : factors)
    p.tensor.mutable_grad() = Tensor();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

MemoryQuestion LocalBackend::memory_question(const Run& run, const detail::StackFacts& facts) {
  const RunSpec& spec = run.spec();
  MemoryQuestion q;
  q.config = model_.decoder->config();
  q.precision = precision_from(spec.training.precision);
  q.cpu = spec.model.device == "cpu";
  q.loaded_bytes = static_cast<std::int64_t>(at::elementSize(model_.decoder->dtype()));
  q.adapter = model_.decoder->adapter();
  FixedRows* rows = stages_.empty() ? nullptr : stages_.back().source.get();
  q.trains = rows != nullptr;
  q.checkpoints = !spec.place.no_checkpoint;
  q.hooks_write = facts.writes_weights;
  q.after_step = facts.after_step;
  q.gradients_leave = !q.cpu && q.adapter == nullptr && !facts.before_step && !facts.after_step &&
                      spec.training.clip_norm == 0 && spec.training.on_nan == "stop";
  q.recomputes = spec.place.activation_checkpointing;
  q.moments_on_host = !q.cpu && spec.place.optimizer_state == "cpu";
  if (rows != nullptr) {  // the largest of the first batches
    constexpr std::int64_t looked_at = 200;
    for (std::int64_t s = 0; s < std::min(rows->steps_per_epoch(), looked_at); ++s) {
      const StepBatch batch = rows->batch(s);
      q.accumulates = q.accumulates || batch.micro.size() > 1;
      for (const auto& micro : batch.micro) {
        q.rows = std::max(q.rows, micro->plan.needed.size(0));
        q.targets = std::max(q.targets, micro->targets);
        q.tokens = std::max(q.tokens, micro->plan.tokens);
      }
    }
  }
  if (spec.evaluation.none) return q;
  std::size_t longest = 0;
  std::vector<Sequence> prompts;
  for (const auto& condition : run.attack().conditions())
    for (auto& prompt : prompts_of(run, run.scenario().probes(ProbeSet::harmfulness), condition)) {
      longest = std::max(longest, prompt.ids.size());
      if (!prompt.picture && !prompt.ids.empty()) prompts.push_back({std::move(prompt.ids), {}});
    }
  q.answer_tokens = static_cast<std::int64_t>(longest) + *spec.evaluation.max_new_tokens;
  const auto type =
      q.trains && q.precision != Precision::fp32 ? at::kBFloat16 : model_.decoder->dtype();
  q.answers = std::min(static_cast<std::int64_t>(prompts.size()),
                       spec.place.max_batch > 0
                           ? spec.place.max_batch
                           : answers_at_once(q.config, cache_type(type, q.cpu), q.answer_tokens));
  prompts.resize(static_cast<std::size_t>(q.answers));
  if (q.answers > 0) q.prompt_tokens = plan_batch(prompts, at::kCPU, {}).tokens;
  return q;
}

std::int64_t LocalBackend::checkpoints_written(const PlaceSpec& place) const {
  if (place.no_checkpoint || stages_.empty()) return 0;
  const std::int64_t steps = this->steps(), every = place.checkpoint_every;
  return every > 0 ? (steps + every - 1) / every : 1;
}

std::string LocalBackend::estimate(Run& run, const detail::StackFacts& facts) {
  const RunSpec& spec = run.spec();
  const LlamaConfig& config = model_.decoder->config();
  const double weights = static_cast<double>(config.parameter_count());
  const Adapter* adapter = model_.decoder->adapter();
  const bool loaded = !model_.decoder->device().is_meta();
  Lines out;
  out.add("model        %.1f M parameters, %s%s\n", weights / 1e6, spec.model.name.c_str(),
          loaded ? "" : " (from its config and headers, not loaded)");
  if (adapter)
    out.add("adapter      LoRA of rank %lld, alpha %g, on %s: %.3f M values\n",
            static_cast<long long>(adapter->options.rank), adapter->options.alpha,
            targets_text(adapter->options.targets).c_str(),
            static_cast<double>(adapter->count()) / 1e6);
  if (FixedRows* rows = stages_.empty() ? nullptr : stages_.back().source.get()) {
    const DataReport& r = rows->report();
    out.add(
        "rows         %lld used of %lld (%lld cut, %lld left out, %lld dropped an epoch), %lld "
        "tokens an epoch\n",
        static_cast<long long>(rows_used(steps())), static_cast<long long>(r.given),
        static_cast<long long>(r.truncated), static_cast<long long>(r.left_out),
        static_cast<long long>(r.dropped), static_cast<long long>(r.epoch_tokens));
    const StepBatch batch = rows->batch(0);
    std::int64_t computed = 0;
    for (const auto& micro : batch.micro) computed += micro->plan.tokens;
    const double seconds = loaded ? try_batch(*model_.decoder, batch) : 0;
    out.add("first batch  %lld tokens, %lld computed after sharing prefixes",
            static_cast<long long>(batch.tokens), static_cast<long long>(computed));
    if (loaded) out.add(", %.2f s forward and backward", seconds);
    out.add("\ntraining     %lld steps", static_cast<long long>(steps()));
    if (loaded) out.add(", about %.0f s", seconds * static_cast<double>(steps()));
    out.text += "\n";
  }
  add_memory(out, memory_question(run, facts), spec);
  double probes = 0;  // answers of all conditions
  run.each_set([&](const Condition& condition, ProbeSet, const std::vector<Probe>& asked) {
    probes += static_cast<double>(asked.size()) * static_cast<double>(condition.decoding.samples);
  });
  const double residual =
      spec.record.streams() && !spec.evaluation.none
          ? probes * static_cast<double>((config.layers + 1) * config.hidden_size) * 4
          : 0;
  const double stored = spec.training.precision == "fp32"          ? 12
                        : spec.training.precision == "bf16-master" ? 14
                        : spec.training.precision == "kahan"       ? 8
                                                                   : 6;
  const double checkpoint =
      (adapter ? static_cast<double>(adapter->count()) : weights) * stored / 1e6;
  const std::int64_t written = checkpoints_written(spec.place);
  const std::int64_t kept = std::min(written, spec.place.keep_checkpoints);
  out.add("disk         about %.1f MB of residual streams an evaluation, %.1f MB of checkpoints",
          residual / 1e6, checkpoint * static_cast<double>(kept));
  if (kept > 0) out.add(" (%lld of %.1f MB)", static_cast<long long>(kept), checkpoint);
  if (written > kept) out.text += ", and one more while the last is written";
  out.text += "\n";
  out.add("evaluation   %.0f answers of at most %lld tokens, judged by",
          spec.evaluation.none ? 0 : probes,
          static_cast<long long>(*spec.evaluation.max_new_tokens));
  for (const auto& judge : run.judges()) out.text += " " + std::string(judge->name());
  return out.text + "\nnothing was written\n";
}

}  // namespace seawall
