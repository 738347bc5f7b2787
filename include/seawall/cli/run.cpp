// `run` and `evaluate`.
#include <cstdio>

#include "seawall/cli/arm.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

/// What a run came to, for a person.
void print_run(const RunData& run, const RunPaths& paths) {
  if (!run.steps.empty()) {
    const StepRecord& last = run.steps.back();
    std::printf("trained      %lld steps, loss %.4f, drift %.4f\n",
                static_cast<long long>(last.step), last.loss, last.drift);
  }
  if (!run.evaluations.empty())
    std::printf("%-6s %-10s %-12s %-22s %5s %7s %24s %9s %10s\n", "epoch", "condition", "probes",
                "judge", "n", "score", "rate % [95 %]", "refused %", "incoherent");
  for (const auto& e : run.evaluations) {
    for (std::size_t j = 0; j < e.judges.size(); ++j) {
      const Summary s = summarize(e, j);
      const Estimate w =
          wilson_with_invalid(static_cast<double>(s.successes), static_cast<double>(s.n),
                              static_cast<double>(s.invalid));
      char rate[64];
      std::snprintf(rate, sizeof rate, "%.1f [%.1f, %.1f]", 100 * w.value, 100 * w.lo, 100 * w.hi);
      std::printf("%-6lld %-10s %-12s %-22s %5lld %7.2f %24s %9.1f %10lld",
                  static_cast<long long>(e.epoch), e.condition.c_str(), e.set.c_str(),
                  e.judges[j].c_str(), static_cast<long long>(s.n), s.mean_score, rate,
                  100 * s.refusal_rate(), static_cast<long long>(s.incoherent));
      if (s.invalid > 0) std::printf("  %lld not judged", static_cast<long long>(s.invalid));
      std::printf("\n");
    }
  }
  std::printf("wrote        %s\n", paths.file.string().c_str());
}

void print_recipe(const RunRequest& request) {
  if (!request.recipe_text.empty() && !request.spec.quiet)
    std::printf("recipe       %s\n", request.recipe_text.c_str());
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  SignalGuard signals;
  print_recipe(request);
  const RunData data = run_arm(request.attack, request.stack, request.spec);
  if (!request.spec.quiet && !request.spec.dry_run) print_run(data, RunPaths(request.spec.out));
  return 0;
}

int evaluate(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  Words with = words;
  with.emplace_back("--no-training");
  RunRequest request = parse_run(program, "evaluate", with, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  SignalGuard signals;
  print_recipe(request);
  const RunData data = run_arm(request.attack, request.stack, request.spec);
  if (!request.spec.quiet && !request.spec.dry_run) print_run(data, RunPaths(request.spec.out));
  return 0;
}

}  // namespace seawall::commands
