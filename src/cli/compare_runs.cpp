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
  std::size_t all = 0, other = 0;
  for (const auto& record : here.evaluations)
    for (const auto& before : there.evaluations) {
      if (before.step != record.step || before.condition != record.condition ||
          before.set != record.set || before.results.size() != record.results.size())
        continue;
      for (std::size_t r = 0; r < record.results.size(); ++r, ++all)
        other += before.results[r].response != record.results[r].response;
    }
  if (there.evaluations.size() != here.evaluations.size())
    return std::to_string(there.evaluations.size()) + " evaluations there, " +
           std::to_string(here.evaluations.size()) + " here";
  return other == 0 ? "" : std::to_string(other) + " of " + std::to_string(all) + " answers differ";
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
  if (differs.empty())
    return "the same bits: " + std::to_string(here.steps.size()) + " steps, " +
           std::to_string(here.evaluations.size()) + " evaluations";
  const std::string versions = versions_that_differ(there.info.versions, here.info.versions);
  return differs + (versions.empty() ? "" : " (" + versions + ")");
}

}  // namespace seawall
