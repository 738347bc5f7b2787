#include "cli/compare_runs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace seawall {
namespace {

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

/// Where steps part, by loss, drift or gradient; empty if they do not.
std::string steps_that_differ(const RunData& there, const RunData& here) {
  if (there.steps.size() != here.steps.size())
    return std::to_string(there.steps.size()) + " steps there, " +
           std::to_string(here.steps.size()) + " here";
  double most = 0;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < here.steps.size(); ++i) {
    const StepRecord &a = there.steps[i], &b = here.steps[i];
    if (same_bits(a.loss, b.loss) && same_bits(a.drift, b.drift) &&
        same_bits(a.grad_norm, b.grad_norm))
      continue;
    if (first == 0) first = b.step;
    most = std::max(most, std::abs(a.loss - b.loss));
  }
  return first == 0 ? ""
                    : "steps differ from step " + std::to_string(first) +
                          " on, their loss by at most " + short_number(most);
}

std::string answers_that_differ(const RunData& there, const RunData& here) {
  std::size_t all = 0, other = 0, alone = 0;
  for (const auto& record : here.evaluations) {
    const auto before = std::ranges::find_if(there.evaluations, [&](const EvaluationRecord& e) {
      return e.step == record.step && e.condition == record.condition && e.set == record.set;
    });
    if (before == there.evaluations.end()) {
      ++alone;
      continue;
    }
    for (const ProbeResult& result : record.results) {
      const auto same = std::ranges::find_if(before->results, [&](const ProbeResult& r) {
        return r.probe_id == result.probe_id && r.sample == result.sample;
      });
      ++all;
      other += same == before->results.end() || same->response != result.response ||
               same->response_ids != result.response_ids;
    }
  }
  std::string text;
  if (there.evaluations.size() != here.evaluations.size() || alone > 0)
    text = std::to_string(there.evaluations.size()) + " evaluations there, " +
           std::to_string(here.evaluations.size()) + " here, " +
           std::to_string(here.evaluations.size() - alone) + " of the same step and condition";
  if (other > 0)
    text += (text.empty() ? "" : "; ") + std::to_string(other) + " of " + std::to_string(all) +
            " answers differ";
  return text;
}

}  // namespace

std::string versions_that_differ(const Versions& there, const Versions& here) {
  std::string text;
  for (const auto& [name, value] : here) {
    const auto other = std::ranges::find(there, name, &Versions::value_type::first);
    if (other == there.end() || other->second == value) continue;
    text += (text.empty() ? "" : ", ") + name + " " + other->second + " there, " + value + " here";
  }
  return text;
}

std::string compared(const RunData& there, const RunData& here) {
  std::string differs;
  for (const auto& part : {steps_that_differ(there, here), answers_that_differ(there, here)})
    if (!part.empty()) differs += (differs.empty() ? "" : "; ") + part;
  if (differs.empty() && here.steps.empty() && here.evaluations.empty())
    return "nothing is recorded that could be compared";
  if (differs.empty())
    return "the same bits: " + std::to_string(here.steps.size()) + " steps, " +
           std::to_string(here.evaluations.size()) + " evaluations";
  const std::string versions = versions_that_differ(there.info.versions, here.info.versions);
  return differs + (versions.empty() ? "" : " (" + versions + ")");
}

}  // namespace seawall
