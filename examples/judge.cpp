// Judges the answers of a run file again with a judge of one's own; nothing is trained or asked.
#include <cstdio>

#include "long_answer.hpp"
#include "seawall/core/error.hpp"
#include "seawall/eval/summary.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/scenario/organism.hpp"

using namespace seawall;

int main(int argc, char** argv) try {
  if (argc != 2) throw UsageError("usage: judge RUN.h5");
  RunData run = read_run(argv[1]);
  const OrganismScenario scenario;
  Judges judges;
  judges.push_back(judge_catalogue_of(TypeList<examples::LongAnswer>{})
                       .make("long-answer", {{"words", "6"}}, {.scenario = scenario}));
  judge_anew(run, scenario, judges);  // its verdicts come first, the run's own after them
  for (const auto& evaluation : run.evaluations) {
    for (std::size_t judge = 0; judge < evaluation.judges.size(); ++judge) {
      const Summary summary = summarize(evaluation, judge);
      std::printf("epoch %lld %s %s, %s: %lld of %lld in full, not judged: %lld\n",
                  static_cast<long long>(evaluation.epoch), evaluation.condition.c_str(),
                  probe_set_name(evaluation.set).c_str(), evaluation.judges[judge].c_str(),
                  static_cast<long long>(summary.successes),
                  static_cast<long long>(summary.judged()),
                  static_cast<long long>(summary.invalid));
    }
  }
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "judge: %s\n", error.what());
  return static_cast<int>(error.exit_code());
}
