#include "seawall/cli/print_run.hpp"

#include <cstdio>
#include <string>
#include <string_view>

#include "seawall/core/loss_course.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {
namespace {

/// What is counted at the end of such a name: `usd` of `answers_usd`; empty if nothing is.
std::string_view cost_of(std::string_view name) {
  for (const std::string_view what :
       {"budget_usd", "usd", "requests", "from_cache", "tokens_in", "tokens_out"})
    if (name.size() > what.size() && name.ends_with(what) &&
        name[name.size() - what.size() - 1] == '_')
      return what;
  return "";
}

/// What an endpoint took, one line per purpose.
void print_costs(const RunData& run) {
  std::string open;
  for (const auto& [name, value] : run.info.numbers) {
    const bool judged = name.starts_with("judge_");
    if (!judged && !name.starts_with("cost_")) continue;
    const std::string rest = name.substr(name.find('_') + 1), what(cost_of(rest));
    if (what.empty()) continue;
    const std::string judge = rest.substr(0, rest.size() - what.size() - 1);
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

}  // namespace

void print_run(const RunData& run, const std::filesystem::path& file) {
  if (!run.steps.empty() && run.info.parameter_names.empty()) {  // trained by a provider
    std::printf("trained      %lld steps, loss %.4f\n",
                static_cast<long long>(run.steps.back().step), run.steps.back().loss);
  } else if (!run.steps.empty()) {
    const StepRecord& last = run.steps.back();
    std::printf("trained      %lld steps, loss %.4f, drift %.4f", static_cast<long long>(last.step),
                last.loss, last.drift);
    const auto number = [&run](std::string_view name) {
      for (const auto& [key, value] : run.info.numbers)
        if (key == name) return value;
      return 0.0;
    };
    if (const double trained = number("trained_parameters"); trained > 0)
      std::printf(" (LoRA of rank %.0f, %.0f values)", number("lora_rank"), trained);
    std::printf("\n");
  }
  if (const auto note = loss_course(run.steps).note(); !note.empty())
    std::printf("note         %s\n", note.c_str());
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
  std::printf("wrote        %s\n", file.string().c_str());
}

}  // namespace seawall
