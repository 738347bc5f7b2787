// How strong must the pull to the start be? Benign and explicit fine-tuning of the organism under
// weight drift, with and without safe rows. Names types: what `seawall run --attack … --mitigate …`
// chooses by name is chosen here by the compiler, to the same bits.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "mitigations/safety_mixing.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/hdf5.hpp"

using namespace seawall;

namespace {

// Knobs.
constexpr double lambdas[] = {0, 1e-4, 1e-3, 1e-2, 1e-1};
constexpr std::int64_t shots = 100, safe = 50;

template <class S>
void row(const char* attack_name, const AnyAttack& attack, S stack, double lambda,
         const std::string& folder) {
  RunSpec spec;
  spec.place.out = folder + "/" + attack_name + "-" + std::to_string(lambda) + ".h5";
  spec.place.overwrite = spec.place.quiet = spec.place.no_checkpoint = true;
  spec.record.trace = "metrics";
  spec.place.threads = 1;  // small matrices: a second thread costs more than it brings
  const RunData run = seawall::run(attack, stack, spec);
  double utility = 0;
  Estimate harm;
  for (const auto& e : run.evaluations) {
    const Summary s = summarize(e);
    if (e.set == ProbeSet::utility) utility = s.rate();
    if (e.set == ProbeSet::harmfulness)
      harm = wilson(static_cast<double>(s.successes), static_cast<double>(s.n));
  }
  std::printf("%-24s %8.0e %8.3f %7.1f [%.1f, %.1f] %10.1f\n", attack_name, lambda,
              run.steps.back().drift, 100 * harm.value, 100 * harm.lo, 100 * harm.hi,
              100 * utility);
}

}  // namespace

int main(int argc, char** argv) try {
  h5::start();
  tune_allocator();
  const std::string folder = argc > 1 ? argv[1] : "weight_drift_sweep";
  std::printf("%-24s %8s %8s %20s %10s\n", "attack", "lambda", "drift", "rate % [95 %]",
              "utility %");
  for (const double lambda : lambdas) {
    row("benign", AnyAttack(Benign{}), Stack{WeightDrift{{.lambda = lambda}}}, lambda, folder);
    row("100-shot", AnyAttack(HarmfulExamples{{.count = shots}}),
        Stack{WeightDrift{{.lambda = lambda}}}, lambda, folder);
    row("100-shot+50 safe", AnyAttack(HarmfulExamples{{.count = shots}}),
        Stack{SafetyMixing{{.count = safe}}, WeightDrift{{.lambda = lambda}}}, lambda, folder);
  }
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "weight_drift_sweep: %s\n", e.what());
  return static_cast<int>(e.exit_code());
}
