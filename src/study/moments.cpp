#include "study/moments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace seawall {
namespace {

const EvaluationRecord* evaluation_at(const RunData& run, std::int64_t step,
                                      const std::string& condition, ProbeSet set) {
  const auto found = std::ranges::find_if(run.evaluations, [&](const EvaluationRecord& e) {
    return e.step == step && e.condition == condition && e.set == set;
  });
  return found == run.evaluations.end() || found->results.empty() ? nullptr : &*found;
}

}  // namespace

std::vector<ArmMoment> moments_of(const ArmRunFiles& runs, const std::string& condition) {
  std::map<std::int64_t, ArmMoment> by_step;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const RunData& run = runs[r].second;
    const std::int64_t last = run.steps.empty() ? 0 : run.steps.back().step;
    for (const EvaluationRecord& e : run.evaluations) {
      if (e.set != ProbeSet::harmfulness || e.condition != condition || e.results.empty()) continue;
      const bool end = e.step == last && last > 0;
      ArmMoment& moment = by_step[end ? std::numeric_limits<std::int64_t>::max() : e.step];
      moment.at = {std::max(moment.at.step, e.step), end};
      const auto at = [&](std::int64_t step, ProbeSet set) {
        return evaluation_at(run, step, condition, set);
      };
      moment.runs.push_back({.run = r,
                             .data = &run,
                             .harm = &e,
                             .ordinary = at(e.step, ProbeSet::utility),
                             .start_harm = at(0, ProbeSet::harmfulness),
                             .start_ordinary = at(0, ProbeSet::utility)});
    }
  }
  std::vector<ArmMoment> out;
  for (auto& [step, moment] : by_step) out.push_back(std::move(moment));
  return out;
}

RunSpread spread_of(const std::vector<double>& numbers) {
  RunSpread out;
  double sum = 0, n = 0;
  for (const double x : numbers) {
    if (!std::isfinite(x)) continue;
    sum += x, n += 1;
    out.least = n == 1 ? x : std::min(out.least, x);
    out.most = n == 1 ? x : std::max(out.most, x);
  }
  if (n > 0) out.mean = sum / n;
  return out;
}

HarmReading read_harm(const ArmRunFiles& runs, const std::string& arm,
                      const std::string& condition) {
  HarmReading out{.arm = arm, .condition = condition};
  for (const ArmMoment& moment : moments_of(runs, condition)) {
    Runs answers;
    std::vector<double> drift;
    for (const RunMoment& one : moment.runs) {
      if (one.harm->judges.empty()) continue;
      answers.push_back(outcomes(*one.harm));
      const auto step = std::ranges::find(one.data->steps, one.harm->step, &StepRecord::step);
      drift.push_back(one.harm->step == 0             ? 0
                      : step == one.data->steps.end() ? not_measured
                                                      : step->drift);
    }
    if (answers.empty()) continue;
    out.moments.push_back({.at = moment.at,
                           .runs = std::ssize(answers),
                           .drift = spread_of(drift),
                           .rate = estimate_mean(answers, Measure::success).mean});
  }
  return out;
}

}  // namespace seawall
