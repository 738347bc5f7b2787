#include "seawall/eval/comparisons.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/eval/clusters.hpp"

namespace seawall {
namespace {

using Eigen::ArrayXd;
using Eigen::Index;
using Eigen::MatrixXd;

/// The runs of both arms, as many of one as of the other.
struct Pair {
  const Runs *a, *b;
  Index seeds;
  const std::vector<Outcome>& run_a(Index s) const { return at(*a, s); }
  const std::vector<Outcome>& run_b(Index s) const { return at(*b, s); }

 private:
  static const std::vector<Outcome>& at(const Runs& runs, Index s) {
    return runs[runs.size() == 1 ? 0 : static_cast<std::size_t>(s)];
  }
};

Pair pair_of(const ArmRuns& a, const ArmRuns& b) {
  const auto most = std::max(a.runs.size(), b.runs.size());
  for (const ArmRuns* arm : {&a, &b})
    if (arm->runs.size() != most && arm->runs.size() != 1)
      throw UsageError("comparison of " + a.name + " and " + b.name +
                       ": want the same seeds, got " + std::to_string(a.runs.size()) + " and " +
                       std::to_string(b.runs.size()) + " runs");
  if (a.runs.empty() || b.runs.empty() || a.runs.front().empty())
    throw UsageError("comparison of " + a.name + " and " + b.name + ": want runs, got none");
  return {&a.runs, &b.runs, static_cast<Index>(most)};
}

/// Differences b - a summed by seed and category (by probe if there is one category only); an
/// invalid row at what makes the difference least and most. Shapes: [seed, category].
struct DifferenceSums {
  MatrixXd n, judged, known, least, most;
};

DifferenceSums difference_sums(const Pair& pair, Measure measure) {
  Index categories = 0;
  const auto places = detail::category_places(pair.run_a(0), categories, true);
  const MatrixXd zero = MatrixXd::Zero(pair.seeds, categories);
  DifferenceSums s{zero, zero, zero, zero, zero};
  const double low = measure == Measure::score ? 1 : 0, high = measure == Measure::score ? 5 : 1;
  for (Index r = 0; r < pair.seeds; ++r) {
    const auto &a = pair.run_a(r), &b = pair.run_b(r);
    detail::check_same_probes(pair.run_a(0), a);
    detail::check_same_probes(a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool in_a = known(a[i], measure), in_b = known(b[i], measure), both = in_a && in_b;
      const double va = in_a ? read(a[i], measure) : 0;
      const double vb = in_b ? read(b[i], measure) : 0;
      s.n(r, places[i]) += 1;
      s.judged(r, places[i]) += both;
      s.known(r, places[i]) += both ? vb - va : 0;
      s.least(r, places[i]) += (in_b ? vb : low) - (in_a ? va : high);
      s.most(r, places[i]) += (in_b ? vb : high) - (in_a ? va : low);
    }
  }
  return s;
}

/// What the seeds of a pair say.
struct SeedFacts {
  double squares = 0;  // of the differences' deviations from their mean
  double unit = 1;     // sum of p(1 - p) over the arms that have seeds
};

SeedFacts seed_facts(const Pair& pair, const DifferenceSums& sums, Measure measure) {
  SeedFacts f;
  const ArrayXd judged = sums.judged.rowwise().sum().array();
  const ArrayXd differences = sums.known.rowwise().sum().array() / judged.max(1);
  f.squares = (differences - differences.mean()).square().sum();
  if (measure == Measure::score) return f;
  f.unit = 0;
  for (const Runs* runs : {pair.a, pair.b}) {
    if (runs->size() == 1 && pair.seeds > 1) continue;  // one model: no spread between seeds
    double sum = 0, n = 0;
    for (const auto& run : *runs)
      for (const auto& o : run)
        if (known(o, measure)) sum += read(o, measure), n += 1;
    const double per_run = n / static_cast<double>(runs->size());
    const double p = (sum / std::max(1.0, n) * per_run + 0.5) / (per_run + 1);
    f.unit += p * (1 - p);
  }
  return f;
}

/// A t test of a difference between two readings, which the invalid rows make, and the
/// interval that leaves out 0 if and only if p is below its level.
struct SpreadTest {
  double least = 0, most = 0;              // the two readings
  double least_error = 0, most_error = 0;  // their standard errors
  double freedom = 1;

  double p() const {
    if (least > 0) return tail(least, least_error);
    return most < 0 ? tail(-most, most_error) : 1;
  }
  Estimate interval(double level) const {
    const double t = detail::t_quantile(freedom, 1 - level);
    // Infinite without a sample of two, and then it is no bound.
    return {0, least - t * least_error, most + t * most_error};
  }

 private:
  double tail(double distance, double error) const {
    if (error == 0) return 0;
    const boost::math::students_t t(freedom);
    return 2 * boost::math::cdf(boost::math::complement(t, distance / error));
  }
};

SpreadTest over_categories(const DifferenceSums& sums) {
  const double n = sums.n.sum();
  return {.least = sums.least.sum() / n,
          .most = sums.most.sum() / n,
          .least_error = detail::cluster_error(sums.least, sums.n),
          .most_error = detail::cluster_error(sums.most, sums.n),
          .freedom = std::max<double>(1, static_cast<double>(sums.n.cols() - 1))};
}

}  // namespace

PairedCounts pair_up(const std::vector<Outcome>& a, const std::vector<Outcome>& b,
                     Measure measure) {
  detail::check_same_probes(a, b);
  PairedCounts c;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!known(a[i], measure) || !known(b[i], measure)) {
      ++c.left_out;
      continue;
    }
    const bool in_a = read(a[i], measure) >= 1, in_b = read(b[i], measure) >= 1;
    ++(in_a ? in_b ? c.both : c.only_a : in_b ? c.only_b : c.neither);
  }
  return c;
}

namespace {

/// A comparison with what its interval is made from.
struct Work {
  Comparison c;
  SeedFacts seed;
  Index seeds = 1;
  double each = 1;                // answers per probe
  SpreadTest categories, blocks;  // blocks: the seeds; unused for one run
};

Work work_of(const ArmRuns& a, const ArmRuns& b, Measure measure) {
  const Pair pair = pair_of(a, b);
  const DifferenceSums sums = difference_sums(pair, measure);
  Work w{.c = {.a = a.name, .b = b.name},
         .seed = seed_facts(pair, sums, measure),
         .seeds = pair.seeds,
         .each = detail::answers_per_probe(pair.run_a(0)),
         .categories = over_categories(sums)};
  Comparison& c = w.c;
  const double judged = sums.judged.sum();
  c.difference.value = judged > 0 ? sums.known.sum() / judged : not_measured;
  c.p_categories = c.p_seeds = c.p_pooled = w.categories.p();
  if (measure == Measure::score) return w;
  for (Index s = 0; s < pair.seeds; ++s) {
    const PairedCounts one = pair_up(pair.run_a(s), pair.run_b(s), measure);
    c.mcnemar.push_back(mcnemar_mid_p(one.only_a, one.only_b));
    c.counts.both += one.both, c.counts.neither += one.neither;
    c.counts.only_a += one.only_a, c.counts.only_b += one.only_b;
    c.counts.left_out += one.left_out;
  }
  c.p_pooled = mcnemar_mid_p(c.counts.only_a, c.counts.only_b);
  return w;
}

/// Tests the seeds of every pair with the variance that is pooled over all of them.
void test_seeds(std::vector<Work>& all, std::size_t trained_arms) {
  double squares = 0, units = 0, repeated_pairs = 0;
  for (const Work& w : all) {
    if (w.seeds < 2) continue;
    repeated_pairs += 1;
    squares += w.seed.squares;
    units += static_cast<double>(w.seeds - 1) * w.seed.unit;
  }
  for (Work& w : all) {
    if (w.seeds < 2) continue;
    const auto k = static_cast<double>(w.seeds);
    // The pair's own variance if it is larger: one wild pair does not hide among calm ones.
    const double variance =
        std::max(units > 0 ? squares / units * w.seed.unit : 0, w.seed.squares / (k - 1));
    w.blocks = w.categories;  // the same two readings
    w.blocks.least_error = w.blocks.most_error = std::sqrt(variance / k);
    // Pairs that share no arm are no more blocks than there are pairs.
    w.blocks.freedom =
        (k - 1) * std::clamp(static_cast<double>(trained_arms) - 1, 1.0, repeated_pairs);
    w.c.p_seeds = w.blocks.p();
  }
}

/// The widest of the intervals that belong to the three tests, at the comparison's own level.
void set_interval(Work& w, Measure measure) {
  Comparison& c = w.c;
  const double level = 1 - c.confidence;
  const auto widen = [&c](double lo, double hi) {
    c.difference.lo = std::min(c.difference.lo, lo);
    c.difference.hi = std::max(c.difference.hi, hi);
  };
  c.difference.lo = std::numeric_limits<double>::infinity();
  c.difference.hi = -c.difference.lo;
  const Estimate categories = w.categories.interval(level), seeds = w.blocks.interval(level);
  widen(categories.lo, categories.hi);
  if (w.seeds > 1) widen(seeds.lo, seeds.hi);
  const double most = measure == Measure::score ? 4 : 1;
  if (measure != Measure::score) {
    const auto n =
        static_cast<double>(c.counts.both + c.counts.neither + c.counts.only_a + c.counts.only_b);
    const auto discordant = static_cast<double>(c.counts.only_a + c.counts.only_b);
    if (discordant > 0) {
      const Estimate share = discordant_share(c.counts.only_a, c.counts.only_b, c.confidence);
      widen(discordant / n * (2 * share.lo - 1), discordant / n * (2 * share.hi - 1));
    }
    if (!c.different) {
      const Estimate one_run =
          paired_difference(c.counts, c.confidence, static_cast<double>(w.seeds) * w.each);
      widen(one_run.lo, one_run.hi);
    }
  }
  c.difference.lo = std::max(c.difference.lo, -most);
  c.difference.hi = std::min(c.difference.hi, most);
}

}  // namespace

std::vector<Comparison> compare(const std::vector<ArmRuns>& family,
                                const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                const CompareOptions& options) {
  std::vector<Work> all;
  std::set<std::size_t> trained;
  for (const auto& [a, b] : pairs) {
    all.push_back(work_of(family.at(a), family.at(b), options.measure));
    for (const std::size_t i : {a, b})
      if (family[i].runs.size() > 1) trained.insert(i);
  }
  test_seeds(all, trained.size());
  std::vector<double> p;
  for (Work& w : all) {
    w.c.p = std::max({w.c.p_categories, w.c.p_seeds, w.c.p_pooled});
    p.push_back(w.c.p);
  }
  const auto count = static_cast<double>(options.tests > 0 ? options.tests : p.size());
  std::vector<double> adjusted = options.tests > 0 ? p : holm(p);
  if (options.tests > 0)
    for (double& one : adjusted) one = std::min(1.0, one * count);
  std::size_t differ = 0;
  for (std::size_t i = 0; i < p.size(); ++i) differ += adjusted[i] < options.alpha;
  std::vector<Comparison> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Comparison& c = all[i].c;
    c.p_adjusted = adjusted[i];
    c.different = adjusted[i] < options.alpha;
    const auto rank =
        options.tests > 0 ? 0
        : c.different ? std::count_if(p.begin(), p.end(), [&](double other) { return other < c.p; })
                      : static_cast<std::ptrdiff_t>(differ);
    c.confidence = 1 - options.alpha / (count - static_cast<double>(rank));
    set_interval(all[i], options.measure);
    out.push_back(std::move(c));
  }
  return out;
}

std::vector<Comparison> compare_all(const std::vector<ArmRuns>& family,
                                    const CompareOptions& options) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < family.size(); ++i)
    for (std::size_t j = i + 1; j < family.size(); ++j) pairs.emplace_back(i, j);
  return compare(family, pairs, options);
}

}  // namespace seawall
