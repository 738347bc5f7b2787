// `run` and `evaluate`.
#include <cstdio>

#include "seawall/cli/arm.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/remote_run.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

/// What an endpoint took, a line a purpose.
void print_costs(const RunData& run) {
  std::string open;
  for (const auto& [name, value] : run.info.numbers) {
    const bool judged = name.starts_with("judge/");
    if (!judged && !name.starts_with("cost/")) continue;
    const auto begin = judged ? 6 : 5, end = static_cast<int>(name.rfind('/'));
    const std::string judge = name.substr(begin, end - begin), what = name.substr(end + 1);
    if (judge != open) std::printf("%scost         %s:", open.empty() ? "" : "\n", judge.c_str());
    std::printf(judge == open ? ", " : " ");
    open = judge;
    if (what.ends_with("usd")) {
      std::printf(what == "usd" ? "$%.6g" : "of a budget of $%.6g", value);
    } else {
      std::printf("%.0f %s", value, what.c_str());
    }
  }
  if (!open.empty()) std::printf("\n");
}

/// What a run came to, for a person.
void print_run(const RunData& run, const RunPaths& paths) {
  if (!run.steps.empty() && run.info.parameter_names.empty()) {  // trained by a provider
    std::printf("trained      %lld steps, loss %.4f\n",
                static_cast<long long>(run.steps.back().step), run.steps.back().loss);
  } else if (!run.steps.empty()) {
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
  print_costs(run);
  std::printf("wrote        %s\n", paths.file.string().c_str());
}

int run_and_print(RunRequest& request) {
  SignalGuard signals;
  if (!request.recipe_text.empty() && !request.spec.quiet)
    std::printf("recipe       %s\n", request.recipe_text.c_str());
  const bool remote = request.spec.model.starts_with("openai:");
  const RunData data = remote ? run_remote(request.attack, request.stack, request.spec)
                              : run_arm(request.attack, request.stack, request.spec);
  if (!request.spec.quiet && !request.spec.dry_run && !request.spec.remote.cancel)
    print_run(data, RunPaths(request.spec.out));
  return 0;
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  return run_and_print(request);
}

int evaluate(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  Words with = words;
  with.emplace_back("--no-training");
  RunRequest request = parse_run(program, "evaluate", with, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  return run_and_print(request);
}

}  // namespace seawall::commands
