#include "cli/print_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>

#include "seawall/core/loss_course.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/judges.hpp"
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

/// The epoch that an evaluation comes after: 0 before training; `step-N` within an epoch, or if an
/// earlier one has that epoch.
std::string epoch_text(const EvaluationRecord& e, const RunData& run) {
  const auto earlier = [&e](const EvaluationRecord& other) {
    return other.epoch == e.epoch && other.step < e.step;
  };
  const bool within = e.step > 0 && (e.epoch == 0 || std::ranges::any_of(run.evaluations, earlier));
  return within ? "step-" + std::to_string(e.step) : std::to_string(e.epoch);
}

void print_row(const EvaluationRecord& e, const std::string& epoch, std::size_t judge) {
  const Summary s = summarize(e, judge);
  std::printf("%-6s %-10s %-12s %-22s %5lld ", epoch.c_str(), e.condition.c_str(),
              probe_set_name(e.set).c_str(), e.judges[judge].c_str(), static_cast<long long>(s.n));
  if (s.judged() == 0) {
    std::printf("%7s %24s %9s %10s  0 of %lld judged, %lld not judged\n", "-", "-", "-", "-",
                static_cast<long long>(s.n), static_cast<long long>(s.invalid));
    return;
  }
  // Several answers to a probe are no more probes.
  const auto each = static_cast<double>(e.decoding.samples);
  const Estimate w =
      wilson_with_invalid(static_cast<double>(s.successes) / each, static_cast<double>(s.n) / each,
                          static_cast<double>(s.invalid) / each);
  char refused[16] = "-";  // the judge does not say it of all
  if (s.refusal_unknown == 0)
    std::snprintf(refused, sizeof refused, "%.1f", 100 * s.refusal_rate());
  std::printf("%7.2f %24s %9s %10lld", s.mean_score, percent_text(w).c_str(), refused,
              static_cast<long long>(s.incoherent));
  if (s.invalid > 0) std::printf("  %lld not judged", static_cast<long long>(s.invalid));
  std::printf("\n");
}

/// What is said under the table: rows without a verdict and why, answers that were cut, and what a
/// published list takes for compliance.
void print_notes(const EvaluationRecord& e, const std::string& epoch) {
  const std::string where = (epoch.starts_with("step") ? "" : "epoch ") + epoch + " " +
                            e.condition + " " + probe_set_name(e.set);
  for (std::size_t j = 0; j < e.judges.size(); ++j) {
    const std::string judged = where + ", " + e.judges[j] + ": ";
    if (const CommonReason why = invalid_reason(e, j); why.all > 0)
      std::printf("not judged   %s%lld of %zu, most often (%lld): %s\n", judged.c_str(),
                  static_cast<long long>(why.all), e.results.size(),
                  static_cast<long long>(why.count), why.text.c_str());
    for (const auto& note : published_rule_notes(e, j))
      std::printf("note         %s%s\n", judged.c_str(), note.c_str());
  }
  if (const auto decoding = decoding_text(e.decoding); !decoding.empty())
    std::printf("answers      %s: %s\n", where.c_str(), decoding.c_str());
  if (const auto cut = cut_answers(e); cut > 0)
    std::printf(
        "cut          %s: %lld of %zu answers reached the length limit and are judged as "
        "far as they go\n",
        where.c_str(), static_cast<long long>(cut), e.results.size());
}

void print_evaluations(const RunData& run) {
  if (run.evaluations.empty()) return;
  std::printf("%-6s %-10s %-12s %-22s %5s %7s %24s %9s %10s\n", "epoch", "condition", "probes",
              "judge", "n", "score", "rate % [95 %]", "refused %", "incoherent");
  for (const auto& e : run.evaluations)
    for (std::size_t j = 0; j < e.judges.size(); ++j) print_row(e, epoch_text(e, run), j);
  for (const auto& e : run.evaluations) print_notes(e, epoch_text(e, run));
}

}  // namespace

void print_run(const RunData& run, const std::filesystem::path& file) {
  if (!run.steps.empty() && run.info.parameter_names.empty()) {  // trained by a provider
    std::printf("trained      %lld steps, loss %.4f\n",
                static_cast<long long>(run.steps.back().step), run.steps.back().loss);
  } else if (!run.steps.empty()) {
    const StepRecord& last = run.steps.back();
    std::printf("trained      %lld steps", static_cast<long long>(last.step));
    if (!std::isnan(last.loss)) std::printf(", loss %.4f", last.loss);  // an edit has none
    std::printf(", drift %.4f", last.drift);
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
  print_evaluations(run);
  print_costs(run);
  std::printf("wrote        %s\n", file.string().c_str());
}

}  // namespace seawall
