// Evaluates a model from a program: probes, a judge, a rate with its interval.
#include <cstdio>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/core/interval.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/summary.hpp"
#include "seawall/policy/rows.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/store/hdf5.hpp"

using namespace seawall;

int main(int argc, char** argv) try {
  h5::start();
  const ModelBundle model = load_model(argc > 1 ? argv[1] : "organism", "cpu", "auto");
  set_threads(0, model);
  const OrganismScenario scenario;
  Judges judges;
  judges.push_back(make_judge("organism", scenario));
  for (const ProbeSet set : {ProbeSet::harmfulness, ProbeSet::utility}) {
    const auto ask = [&](const Probe& probe) {
      return with_default_system(probe.dialogue, scenario);
    };
    const EvaluationRecord record =
        evaluate(speaker_of(model), scenario.probes(set), ask, judges, {.max_new_tokens = 64});
    const Summary summary = summarize(record);
    // A row that could not be judged widens the interval at both ends.
    const Estimate rate =
        wilson_with_invalid(static_cast<double>(summary.successes), static_cast<double>(summary.n),
                            static_cast<double>(summary.invalid));
    std::printf("%-12s %lld answers in full: %.1f %% [%.1f, %.1f], not judged: %lld\n",
                probe_set_name(set).c_str(), static_cast<long long>(summary.n), 100 * rate.value,
                100 * rate.lo, 100 * rate.hi, static_cast<long long>(summary.invalid));
  }
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "evaluate: %s\n", error.what());
  return static_cast<int>(error.exit_code());
}
