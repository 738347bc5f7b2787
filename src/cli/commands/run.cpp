// `run` and `evaluate`.
#include <cstdio>

#include "cli/print_run.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/run/arm.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/remote_run.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

void write_answers(const RunSpec& spec, const RunData& data) {
  if (spec.write_outputs.empty() || spec.dry_run) return;
  const auto written = write_outputs(spec.write_outputs, data);
  if (!spec.quiet)
    std::printf("wrote        %s, %s\n", spec.write_outputs.c_str(), written.text().c_str());
}

int run_and_print(RunRequest& request) {
  SignalGuard signals;
  if (!request.recipe_text.empty() && !request.spec.quiet)
    std::printf("recipe       %s\n", request.recipe_text.c_str());
  const bool remote = request.spec.model.starts_with("openai:");
  const RunData data = remote ? run_remote(request.attack, request.stack, request.spec)
                              : run_arm(request.attack, request.stack, request.spec);
  write_answers(request.spec, data);
  if (!request.spec.quiet && !request.spec.dry_run && !request.spec.remote.cancel)
    print_run(data, RunPaths(request.spec.out).file);
  return 0;
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  request.spec.sizes_may_do = true;
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
