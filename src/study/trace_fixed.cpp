// How much of an attack the first tokens of an answer undo.
#include <map>

#include "seawall/eval/summary.hpp"
#include "study/moments.hpp"

namespace seawall {

FixedReading read_fixed(const ArmRunFiles& runs, const std::string& arm,
                        const std::string& condition) {
  FixedReading out{.arm = arm, .condition = condition};
  struct Harm {
    Runs answers;
    std::vector<double> undone;  // by run
  };
  std::map<std::int64_t, Harm> by_tokens;  // 0: without any fixed
  const auto rate = [](const EvaluationRecord& record) {
    const Summary all = summarize(record, 0);
    return all.judged() > 0 ? all.rate() : not_measured;
  };
  for (const auto& [file, run] : runs) {
    if (run.steps.empty()) continue;
    const auto last = run.steps.back().step;
    const EvaluationRecord* free = nullptr;
    for (const EvaluationRecord& e : run.evaluations)
      if (e.step == last && e.condition == condition && e.set == ProbeSet::harmfulness) free = &e;
    if (free == nullptr || free->judges.empty() || free->results.empty()) continue;
    for (const EvaluationRecord& e : run.evaluations) {
      const auto tokens = e.decoding.fixed_tokens;
      const std::string name =
          condition + (tokens > 0 ? "+fixed-" + std::to_string(tokens) : std::string());
      if (e.step != last || e.set != ProbeSet::harmfulness || e.condition != name ||
          e.judges.empty() || e.results.empty())
        continue;
      Harm& harm = by_tokens[tokens];
      harm.answers.push_back(outcomes(e));
      const double before = rate(*free);
      harm.undone.push_back(before > 0 ? 1 - rate(e) / before : not_measured);
    }
  }
  for (const auto& [tokens, harm] : by_tokens) {
    const Estimate mean = estimate_mean(harm.answers, Measure::success).mean;
    if (tokens == 0)
      out.rate = mean;
    else
      out.fixed.push_back({.tokens = tokens,
                           .runs = std::ssize(harm.answers),
                           .rate = mean,
                           .undone = spread_of(harm.undone)});
  }
  return out;
}

}  // namespace seawall
