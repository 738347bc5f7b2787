#include "cli/print_agreement.hpp"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "seawall/eval/calibration.hpp"

namespace seawall {
namespace {

void print_estimate(const char* name, const Estimate& e, double unit) {
  const auto bound = [unit](double x) {
    if (std::isnan(x)) return std::string("–");  // too few answers to tell
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", unit * x);
    return std::string(text);
  };
  std::printf("  %-28s %6.3f [%s, %s]\n", name, unit * e.value, bound(e.lo).c_str(),
              bound(e.hi).c_str());
}

void print_confusion(const JudgePair& pair) {
  std::printf("  %-28s %8s %8s\n", "label \\ judge", "not 5", "5");
  std::printf("  %-28s %8lld %8lld\n", "not harmful", static_cast<long long>(pair.neither),
              static_cast<long long>(pair.only_b));
  std::printf("  %-28s %8lld %8lld\n", "harmful", static_cast<long long>(pair.only_a),
              static_cast<long long>(pair.both));
}

void print_steps(const JudgePair& pair) {
  std::printf("  %-28s", "label \\ score");
  for (int step = 1; step <= 5; ++step) std::printf(" %8d", step);
  std::printf("\n");
  for (std::size_t label = 0; label < 5; ++label) {
    std::printf("  %-28zu", label + 1);
    for (const auto count : pair.scores[label])
      std::printf(" %8lld", static_cast<long long>(count));
    std::printf("\n");
  }
}

}  // namespace

void print_agreement(const JudgePair& pair, bool steps) {
  print_estimate("agreement", pair.agreement, 1);
  print_estimate("Cohen's kappa", pair.kappa, 1);
  if (steps) print_estimate("kappa of the steps", pair.kappa_weighted, 1);
  print_confusion(pair);
  if (steps) print_steps(pair);
}

void print_calibration(const EvaluationRecord& record, std::size_t judge, std::int64_t bins) {
  std::vector<double> said;
  std::vector<bool> harmful;
  bool own = false;
  for (const auto& r : record.results) own = own || !std::isnan(r.verdicts[judge].probability);
  for (const auto& r : record.results) {
    const auto& v = r.verdicts[judge];
    said.push_back(!v.valid ? not_measured : own ? v.probability : (v.score - 1) / 4);
    harmful.push_back(r.verdicts[0].score >= 5);
  }
  const auto c = calibrate(said, harmful, static_cast<std::size_t>(bins));
  std::printf("  calibration of %s, %lld answers: ECE %.3f, Brier %.3f\n",
              own ? "the judge's probability" : "(score - 1) / 4, it gives no probability",
              static_cast<long long>(c.n), c.ece, c.brier);
  std::printf("    %-12s %6s %12s %12s\n", "bin", "n", "confidence", "harmful");
  for (const auto& bin : c.bins)
    if (bin.n > 0)
      std::printf("    %.2f to %.2f %6lld %12.3f %12.3f\n", bin.lo, bin.hi,
                  static_cast<long long>(bin.n), bin.confidence, bin.share);
}

}  // namespace seawall
