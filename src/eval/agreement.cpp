#include "seawall/eval/agreement.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/eval/clusters.hpp"

namespace seawall {
namespace {

using Ratings = std::vector<double>;  // of one answer, by judge; NaN where it could not say

double kappa_of(const Eigen::MatrixXd& counts, KappaWeights weights) {
  const double n = counts.sum();
  if (n <= 0) return not_measured;
  const Eigen::VectorXd rows = counts.rowwise().sum(), columns = counts.colwise().sum();
  const auto k = counts.rows();
  double observed = 0, expected = 0;  // disagreement
  for (Eigen::Index i = 0; i < k; ++i) {
    for (Eigen::Index j = 0; j < k; ++j) {
      const double apart = std::abs(static_cast<double>(i - j));
      const double w = weights == KappaWeights::none     ? (i != j)
                       : weights == KappaWeights::linear ? apart
                                                         : apart * apart;
      observed += w * counts(i, j) / n;
      expected += w * rows[i] * columns[j] / (n * n);
    }
  }
  return expected > 0 ? 1 - observed / expected : not_measured;
}

/// What alpha with squared differences needs of some units; adds up over units. On values 0 and 1
/// it is the nominal alpha.
struct AlphaSums {
  double n = 0, sum = 0, squares = 0, within = 0;
  void add(const Ratings& unit) {
    double m = 0, s = 0, q = 0;
    for (const double x : unit)
      if (!std::isnan(x)) m += 1, s += x, q += x * x;
    if (m < 2) return;
    n += m, sum += s, squares += q;
    within += 2 * (m * q - s * s) / (m - 1);
  }
  void add(const AlphaSums& more, double sign) {
    n += sign * more.n, sum += sign * more.sum;
    squares += sign * more.squares, within += sign * more.within;
  }
  double alpha() const {
    const double expected = 2 * (n * squares - sum * sum) / (n - 1);  // x n
    return n > 1 && expected > 1e-12 ? 1 - within / expected : not_measured;
  }
};

/// All that the figures are computed from, of some answers; adds up over answers.
struct Sums {
  AlphaSums success, score;
  std::vector<Eigen::Matrix2d> success_tables;  // [pair]
  std::vector<Eigen::Matrix<double, 5, 5>> score_tables;

  explicit Sums(std::size_t pairs)
      : success_tables(pairs, Eigen::Matrix2d::Zero()),
        score_tables(pairs, Eigen::Matrix<double, 5, 5>::Zero()) {}
  void add(const Sums& more, double sign) {
    success.add(more.success, sign);
    score.add(more.score, sign);
    for (std::size_t p = 0; p < success_tables.size(); ++p) {
      success_tables[p] += sign * more.success_tables[p];
      score_tables[p] += sign * more.score_tables[p];
    }
  }
};

/// The answers summed in two ways, and over all.
struct Grouped {
  Sums all;
  std::vector<Sums> runs, categories;
};

/// A figure with its standard error.
struct Jackknifed {
  double value = 0, error = 0, quantile = 0;
};

/// Variance of `figure` if the groups are a sample: each is left out once.
template <class F>
double jackknife(const Sums& all, const std::vector<Sums>& groups, const F& figure) {
  if (groups.size() < 2) return 0;
  Eigen::ArrayXd without(static_cast<Eigen::Index>(groups.size()));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Sums rest = all;
    rest.add(groups[g], -1);
    without[static_cast<Eigen::Index>(g)] = figure(rest);
  }
  const auto n = static_cast<double>(groups.size());
  return (n - 1) / n * (without - without.mean()).square().sum();
}

template <class F>
Jackknifed jackknifed(const Grouped& sums, const F& figure) {
  const double runs = jackknife(sums.all, sums.runs, figure),
               categories = jackknife(sums.all, sums.categories, figure);
  const auto count = [](const std::vector<Sums>& groups) {
    return static_cast<Eigen::Index>(groups.size());
  };
  return {figure(sums.all), std::sqrt(runs + categories),
          detail::two_way_quantile(runs, count(sums.runs), categories, count(sums.categories))};
}

/// Of a figure that is at most 1 and may be negative.
template <class F>
Estimate coefficient(const Grouped& sums, const F& figure) {
  const Jackknifed j = jackknifed(sums, figure);
  const double reach = j.quantile * j.error;
  return {j.value, j.value - reach, std::min(1.0, j.value + reach)};
}

/// Of a share, never narrower than Wilson's interval of one run.
Estimate share_that_agrees(const Grouped& sums, std::size_t pair) {
  const auto figure = [pair](const Sums& s) {
    const Eigen::Matrix2d& table = s.success_tables[pair];
    return table.sum() > 0 ? table.trace() / table.sum() : not_measured;
  };
  const Jackknifed j = jackknifed(sums, figure);
  if (std::isnan(j.value)) return no_estimate;
  const double n = sums.all.success_tables[pair].sum() / static_cast<double>(sums.runs.size());
  const Estimate one_run = wilson(j.value * n, n);
  const Estimate spread = wilson_of_error(j.value, j.error, j.quantile);
  return {j.value, std::min(one_run.lo, spread.lo), std::max(one_run.hi, spread.hi)};
}

Eigen::Index place_of(double score) {
  return static_cast<Eigen::Index>(std::clamp(std::lround(score), 1L, 5L)) - 1;
}

}  // namespace

double cohen_kappa(const ConfusionTable& counts, KappaWeights weights) {
  const auto k = static_cast<Eigen::Index>(counts.size());
  Eigen::MatrixXd table(k, k);
  for (Eigen::Index i = 0; i < k; ++i) {
    const auto& row = counts[static_cast<std::size_t>(i)];
    if (static_cast<Eigen::Index>(row.size()) != k)
      throw UsageError("kappa: want a square table, got " + std::to_string(row.size()) +
                       " columns in one of " + std::to_string(k) + " rows");
    for (Eigen::Index j = 0; j < k; ++j) table(i, j) = row[static_cast<std::size_t>(j)];
  }
  return kappa_of(table, weights);
}

double krippendorff_alpha(const std::vector<std::vector<double>>& ratings, AlphaMetric metric) {
  std::size_t units = 0;
  for (const auto& judge : ratings) units = std::max(units, judge.size());
  AlphaSums interval;
  double n = 0, within = 0;
  std::map<double, double> totals;
  for (std::size_t u = 0; u < units; ++u) {
    Ratings unit;
    std::map<double, double> counts;
    for (const auto& judge : ratings) {
      if (u >= judge.size() || std::isnan(judge[u])) continue;
      unit.push_back(judge[u]);
      counts[judge[u]] += 1;
    }
    interval.add(unit);
    const auto m = static_cast<double>(unit.size());
    if (m < 2) continue;
    n += m;
    for (const auto& [value, count] : counts) {
      totals[value] += count;
      within += count * (m - count) / (m - 1);
    }
  }
  if (metric == AlphaMetric::interval) return interval.alpha();
  double expected = 0;
  for (const auto& [value, count] : totals) expected += count * (n - count) / (n - 1);
  return n > 1 && expected > 0 ? 1 - within / expected : not_measured;
}

namespace {

/// Counts one answer; where a judge could not say, its rating is NaN and its pairs leave it out.
Sums count_answer(const ProbeResult& r, Agreement& out) {
  const std::size_t judges = out.judges.size();
  Sums one(out.pairs.size());
  Ratings score, success;
  ++out.units;
  for (std::size_t j = 0; j < judges; ++j) {
    const Verdict& v = r.verdicts.at(j);
    out.invalid[j] += !v.valid;
    score.push_back(v.valid ? v.score : not_measured);
    success.push_back(v.valid ? static_cast<double>(v.score >= 5) : not_measured);
  }
  one.score.add(score);
  one.success.add(success);
  std::size_t p = 0;
  for (std::size_t i = 0; i < judges; ++i) {
    for (std::size_t j = i + 1; j < judges; ++j, ++p) {
      JudgePair& pair = out.pairs[p];
      ++pair.n;
      if (std::isnan(score[i]) || std::isnan(score[j])) {
        ++pair.invalid;
        continue;
      }
      const bool a = success[i] > 0, b = success[j] > 0;
      ++(a ? b ? pair.both : pair.only_a : b ? pair.only_b : pair.neither);
      const auto x = place_of(score[i]), y = place_of(score[j]);
      ++pair.scores[static_cast<std::size_t>(x)][static_cast<std::size_t>(y)];
      one.success_tables[p](a, b) += 1;
      one.score_tables[p](x, y) += 1;
    }
  }
  return one;
}

/// What tells an evaluation from all others.
std::string fingerprint(const EvaluationRecord& e) {
  Sha256 hash;
  for (const auto& r : e.results) hash.field(r.probe_id).field(r.prompt).field(r.response);
  return hash.hex();
}

/// The group of a key, added to the end if it is new.
Sums& group_of(const std::string& key, std::map<std::string, std::size_t>& places,
               std::vector<Sums>& groups, std::size_t pairs) {
  const auto place = places.try_emplace(key, places.size()).first->second;
  while (groups.size() <= place) groups.emplace_back(pairs);
  return groups[place];
}

Grouped count_answers(const std::vector<JudgedRun>& runs, Agreement& out) {
  std::set<std::string> categories, seen;
  for (const auto& run : runs)
    for (const auto* e : run)
      for (const auto& r : e->results) categories.insert(r.category);
  Grouped sums{Sums(out.pairs.size()), {}, {}};
  std::map<std::string, std::size_t> places;
  for (const auto& run : runs) {
    Sums mine(out.pairs.size());
    bool any = false;
    for (const auto* e : run) {
      if (e->judges != out.judges)
        throw UsageError("agreement: want evaluations by the same judges, got " +
                         std::to_string(e->judges.size()) + " others in step " +
                         std::to_string(e->step));
      if (!seen.insert(fingerprint(*e)).second) continue;
      for (const auto& r : e->results) {
        const Sums one = count_answer(r, out);
        mine.add(one, 1);
        group_of(categories.size() > 1 ? r.category : r.probe_id, places, sums.categories,
                 out.pairs.size())
            .add(one, 1);
        any = true;
      }
    }
    if (!any) continue;
    sums.all.add(mine, 1);
    sums.runs.push_back(std::move(mine));
  }
  if (sums.runs.empty()) throw UsageError("agreement: want answers, got none");
  return sums;
}

}  // namespace

Agreement agreement(const EvaluationRecord& evaluation) {
  return agreement(std::vector<JudgedRun>{{&evaluation}});
}

Agreement agreement(const std::vector<JudgedRun>& runs) {
  Agreement out;
  for (const auto& run : runs)
    if (out.judges.empty() && !run.empty()) out.judges = run.front()->judges;
  if (out.judges.empty()) throw UsageError("agreement: want an evaluation, got none");
  out.invalid.assign(out.judges.size(), 0);
  for (std::size_t i = 0; i < out.judges.size(); ++i)
    for (std::size_t j = i + 1; j < out.judges.size(); ++j)
      out.pairs.push_back({.a = out.judges[i], .b = out.judges[j]});
  const Grouped sums = count_answers(runs, out);
  out.alpha_success = coefficient(sums, [](const Sums& s) { return s.success.alpha(); });
  out.alpha_score = coefficient(sums, [](const Sums& s) { return s.score.alpha(); });
  for (std::size_t p = 0; p < out.pairs.size(); ++p) {
    JudgePair& pair = out.pairs[p];
    pair.agreement = share_that_agrees(sums, p);
    pair.kappa = coefficient(
        sums, [p](const Sums& s) { return kappa_of(s.success_tables[p], KappaWeights::none); });
    pair.kappa_weighted = coefficient(
        sums, [p](const Sums& s) { return kappa_of(s.score_tables[p], KappaWeights::quadratic); });
  }
  return out;
}

}  // namespace seawall
