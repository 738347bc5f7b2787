// `run` and `evaluate`.
#include <cstdio>

#include "cli/print_run.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/run.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

void write_answers(const RunSpec& spec, const RunData& data) {
  if (spec.place.write_outputs.empty() || spec.place.dry_run) return;
  const auto written = write_outputs(spec.place.write_outputs, data);
  if (!spec.place.quiet)
    std::printf("wrote        %s, %s\n", spec.place.write_outputs.c_str(), written.text().c_str());
}

int run_and_print(RunRequest& request) {
  SignalGuard signals;
  if (!request.recipe_text.empty() && !request.spec.place.quiet)
    std::printf("recipe       %s\n", request.recipe_text.c_str());
  const RunData data = seawall::run(request.attack, request.stack, request.spec);
  write_answers(request.spec, data);
  if (!request.spec.place.quiet && !request.spec.place.dry_run && !request.spec.remote.cancel)
    print_run(data, RunPaths(request.spec.place.out).file);
  return 0;
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  request.spec.place.sizes_may_do = true;
  return run_and_print(request);
}

int evaluate(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  Words with = words;
  with.emplace_back("--no-training");
  RunRequest request = parse_run(program, "evaluate", with, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  return run_and_print(request);
}

}  // namespace seawall::commands
