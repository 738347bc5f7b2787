// What a run will take, from one batch that is really computed.
#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdio>

#include "seawall/cli/arm.hpp"

namespace seawall {

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
