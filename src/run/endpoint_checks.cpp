// What a remote run is refused for before anything is sent.
#include <algorithm>
#include <cstdio>

#include "seawall/core/error.hpp"
#include "seawall/policy/catalogue.hpp"
#include "seawall/run/endpoint_backend.hpp"

namespace seawall {
namespace {

/// Options that mean the same for a remote model, or whose default it ignores.
bool has_a_use(const std::string& option) {
  static const std::vector<std::string> names{"model",
                                              "data",
                                              "data-format",
                                              "safe-data",
                                              "safe-data-format",
                                              "probes",
                                              "probes-format",
                                              "utility-probes",
                                              "utility-probes-format",
                                              "leave-out",
                                              "hold-out",
                                              "min-rating",
                                              "ask-as",
                                              "system",
                                              "judge",
                                              "batch-size",
                                              "epochs",
                                              "seed",
                                              "evaluate-at",
                                              "no-training",
                                              "no-evaluation",
                                              "max-new-tokens",
                                              "temperature",
                                              "top-p",
                                              "samples",
                                              "write-outputs",
                                              "trace",
                                              "no-spectra",
                                              "no-checkpoint",
                                              "threads",
                                              "out",
                                              "resume",
                                              "overwrite",
                                              "allow-overlap",
                                              "quiet",
                                              "dry-run"};
  return std::find(names.begin(), names.end(), option) != names.end();
}

}  // namespace

void check_remote_options(const RunSpec& spec) {
  const auto values = list_options(spec), defaults = list_options(RunSpec{});
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!has_a_use(values[i].name) && values[i].value != defaults[i].value)
      throw UsageError("--" + values[i].name + ": " + spec.model.name +
                       " is trained and run by its provider, which takes no such word; leave it "
                       "out");
  if (spec.evaluation.at != "end" && spec.evaluation.at != "both")
    throw UsageError("--evaluate-at " + spec.evaluation.at + ": want end or both with " +
                     spec.model.name + ", which is there before and after its job alone");
}

void check_remote_stack(const std::vector<PolicyDescription>& stack, const std::string& model) {
  const auto refuse = [&](const PolicyDescription& policy, const std::string& what) {
    throw UsageError("--mitigate " + policy.name + ": works on " + what + ", which " + model +
                     " does not give; only mitigations that compose rows or word probes "
                     "work on a remote model");
  };
  constexpr auto allowed = Hook::compose | Hook::prompt | Hook::state | Hook::prepare;
  for (const auto& policy : stack) {
    for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
      const auto hook = static_cast<Hook>(bit);
      if (!has(allowed, hook) && has(policy.hooks, hook))
        refuse(policy, "weights, losses or activations (hook " +
                           std::string(hook_names(hook).front()) + ")");
    }
    for (const auto need : {Need::start_weights, Need::reference_logprobs})
      if (has(policy.needs, need))
        refuse(policy, "the model itself (need " + std::string(need_names(need).front()) + ")");
  }
}

std::string RemoteEstimate::text(const RunSpec& spec, const std::string& url) const {
  std::string out;
  char line[512];
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    out += line;
  };
  add("model        %s at %s\n", spec.model.name.c_str(), url.c_str());
  if (rows > 0)
    add("training     %zu rows, about %lld tokens x %lld epochs   $%.6g\n", rows,
        static_cast<long long>(row_tokens), static_cast<long long>(epochs), training);
  add("answers      %zu requests of at most %lld tokens   $%.6g\n", requests,
      static_cast<long long>(*spec.evaluation.max_new_tokens), answers);
  if (verdicts > 0) add("judging      %zu verdicts   $%.6g\n", verdicts, judging);
  add("estimate     $%.6g (tokens counted high, every answer at full length)", total());
  if (spec.endpoint.budget > 0) add(" of a budget of $%.6g", spec.endpoint.budget);
  return out + "\n";
}

}  // namespace seawall
