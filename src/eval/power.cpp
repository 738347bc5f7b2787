#include "seawall/eval/power.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <cstdio>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/eval/comparisons.hpp"

namespace seawall {
namespace {

constexpr double never = std::numeric_limits<double>::quiet_NaN();

/// Independent outcomes that are worth as much as those of one arm.
double effective(const Plan& plan) {
  const auto n = static_cast<double>(plan.probes), k = static_cast<double>(plan.seeds),
             c = static_cast<double>(plan.categories);
  const double r = plan.category_correlation, lasting = plan.lasting_category_correlation;
  return 1 / ((1 - r) / (n * k) + (r - lasting) / (c * k) + lasting / c);
}

/// What the planned test needs to see where the arms' rates are `p` and `other`.
double needed(const Plan& plan, bool paired, double p, double other) {
  const boost::math::normal normal;
  const double z_alpha = boost::math::quantile(normal, 1 - plan.alpha / 2);
  const double z_power = boost::math::quantile(normal, plan.power);
  const double apart = p * (1 - p) + other * (1 - other), d = other - p;
  const double run = plan.run_correlation * apart / static_cast<double>(plan.seeds);
  double under_null = 0, under_plan = 0;
  if (paired) {
    const double together = std::min(
        {p, other,
         p * other + plan.probe_correlation * std::sqrt(p * (1 - p) * other * (1 - other))});
    under_null = p + other - 2 * together;  // discordant pairs
    under_plan = under_null - d * d;
  } else {
    const double middle = (p + other) / 2;
    under_null = 2 * middle * (1 - middle);
    under_plan = apart;
  }
  const double n = effective(plan);
  return z_alpha * std::sqrt(under_null / n + run) + z_power * std::sqrt(under_plan / n + run);
}

/// The smallest distance in (0, room] that is found, in the direction of `sign`.
double smallest(const Plan& plan, bool paired, double sign, double room) {
  const auto gap = [&](double d) {
    return d - needed(plan, paired, plan.rate, plan.rate + sign * d);
  };
  constexpr int steps = 400;
  if (room <= 0) return never;
  for (int i = 1; i <= steps; ++i) {
    const double high = room * i / steps;
    if (gap(high) < 0) continue;
    const double low = room * (i - 1) / steps;
    std::uintmax_t most = 100;
    const auto root = boost::math::tools::bisect(
        gap, std::max(low, 1e-12), high, boost::math::tools::eps_tolerance<double>(40), most);
    return (root.first + root.second) / 2;
  }
  return never;
}

std::string points(double share) {
  if (std::isnan(share)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", 100 * share);
  return text;
}

std::string row(const std::string& name, const Plan& plan) {
  const Detectable paired = minimum_detectable(plan, true),
                   unpaired = minimum_detectable(plan, false);
  char line[128];
  std::snprintf(line, sizeof line, "  %-20s %8s %8s   %8s %8s\n", name.c_str(),
                points(paired.up).c_str(), points(paired.down).c_str(), points(unpaired.up).c_str(),
                points(unpaired.down).c_str());
  return line;
}

}  // namespace

void Plan::check() const {
  const auto want = [](const char* field, double value, bool good, const char* what) {
    if (good) return;
    throw UsageError(std::string("plan: ") + field + ": want " + what + ", got " +
                     std::to_string(value));
  };
  want("probes", static_cast<double>(probes), probes >= 1, "1 or more");
  want("seeds", static_cast<double>(seeds), seeds >= 1, "1 or more");
  want("categories", static_cast<double>(categories), categories >= 1 && categories <= probes,
       "1 to the number of probes");
  want("rate", rate, rate >= 0 && rate <= 1, "0 to 1");
  want("power", power, power > 0 && power < 1, "between 0 and 1");
  want("alpha", alpha, alpha > 0 && alpha < 1, "between 0 and 1");
  const auto correlation = [&want](const char* field, double value) {
    want(field, value, value >= 0 && value < 1, "0 or more and below 1");
  };
  correlation("category correlation", category_correlation);
  want("lasting category correlation", lasting_category_correlation,
       lasting_category_correlation >= 0 && lasting_category_correlation <= category_correlation,
       "0 to the category correlation");
  correlation("run correlation", run_correlation);
  correlation("probe correlation", probe_correlation);
}

double Detectable::smaller() const {
  if (std::isnan(up)) return down;
  return std::isnan(down) ? up : std::min(up, down);
}

Detectable minimum_detectable(const Plan& plan, bool paired) {
  plan.check();
  return {smallest(plan, paired, 1, 1 - plan.rate), smallest(plan, paired, -1, plan.rate)};
}

double mcnemar_power(std::int64_t n, double only_a, double only_b, double alpha) {
  const double discordant = only_a + only_b;
  if (n < 1 || only_a < 0 || only_b < 0 || discordant > 1)
    throw UsageError("McNemar power: want pairs, and two chances that add up to at most 1");
  if (discordant == 0) return 0;
  const boost::math::binomial pairs(static_cast<double>(n), discordant);
  double power = 0;
  for (std::int64_t k = 1; k <= n; ++k) {
    const double chance = boost::math::pdf(pairs, static_cast<double>(k));
    if (chance < 1e-15) continue;
    const boost::math::binomial split(static_cast<double>(k), only_a / discordant);
    // The test rejects at both ends: up to `most` on one side, and as far on the other.
    std::int64_t most = -1;
    while (most + 1 <= k / 2 && mcnemar_mid_p(most + 1, k - most - 1) <= alpha) ++most;
    if (most < 0) continue;
    power += chance *
             (boost::math::cdf(split, static_cast<double>(most)) +
              boost::math::cdf(boost::math::complement(split, static_cast<double>(k - most - 1))));
  }
  return power;
}

std::string plan_table(const Plan& plan) {
  plan.check();
  char line[256];
  std::snprintf(line, sizeof line,
                "%lld probes in %lld categories x %lld seeds, power %.0f %%, two-sided alpha %.2g "
                "%%;\noutcomes correlate by %.2g within a category of a run, %.2g of other runs, "
                "%.2g within a run, %.2g on the same probe\n\n",
                static_cast<long long>(plan.probes), static_cast<long long>(plan.categories),
                static_cast<long long>(plan.seeds), 100 * plan.power, 100 * plan.alpha,
                plan.category_correlation, plan.lasting_category_correlation, plan.run_correlation,
                plan.probe_correlation);
  std::string out = line;
  std::snprintf(line, sizeof line, "%-22s %17s   %17s\n", "smallest detectable", "same probes",
                "other probes");
  out += line;
  std::snprintf(line, sizeof line, "%-22s %8s %8s   %8s %8s\n", "difference, points", "up", "down",
                "up", "down");
  out += line;
  for (const double rate : {0.0, 0.05, 0.2, 0.5, 0.8, 0.95}) {
    Plan at = plan;
    at.rate = rate;
    out += row("from a rate of " + points(rate), at);
  }
  if (plan.rate != 0.5) out += row("from a rate of " + points(plan.rate), plan);
  for (const std::int64_t seeds : {1, 3, 5, 10}) {
    Plan with = plan;
    with.seeds = seeds;
    out += row(
        std::to_string(seeds) + (seeds == 1 ? " seed" : " seeds") + ", from " + points(plan.rate),
        with);
  }
  return out;
}

}  // namespace seawall
