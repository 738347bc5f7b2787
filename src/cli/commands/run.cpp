// `run` and `evaluate`.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cli/compare_runs.hpp"
#include "cli/print_run.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/run_request.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/parallel/world.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

void write_answers(const RunSpec& spec, const RunData& data) {
  if (spec.place.write_outputs.empty() || spec.place.dry_run) return;
  const auto written = write_outputs(spec.place.write_outputs, data);
  if (!spec.place.quiet)
    std::printf("wrote        %s, %s\n", spec.place.write_outputs.c_str(), written.text().c_str());
}

/// Says nothing: of several processes that train one model rank 0 speaks.
struct Silence final : Listener {
  void tell(std::string_view) override {}
  void warn(std::string_view) override {}
};

/// The run of a process that follows rank 0. Errors: those of a run, with this rank.
int follow(RunRequest& request, World& world) {
  SignalGuard signals;
  listen(std::make_shared<Silence>());
  request.spec.place.quiet = true;
  LocalBackend backend(&world);
  try {
    seawall::run(request.attack, request.stack, request.spec, backend);
  } catch (const Error& error) {
    throw Error(error.exit_code(), "rank " + std::to_string(world.rank()) + ": " + error.what());
  }
  return 0;
}

RunData run_of(RunRequest& request, World* world) {
  if (world == nullptr) return seawall::run(request.attack, request.stack, request.spec);
  LocalBackend backend(world);
  return seawall::run(request.attack, request.stack, request.spec, backend);
}

int run_and_print(RunRequest& request, World* world = nullptr) {
  SignalGuard signals;
  std::optional<RunData> there;  // before the run may take its place
  if (!request.like.empty()) there = read_run(request.like);
  if (!request.recipe_text.empty() && !request.spec.place.quiet)
    std::printf("recipe       %s\n", request.recipe_text.c_str());
  const RunData data = run_of(request, world);
  write_answers(request.spec, data);
  if (!request.spec.place.quiet && !request.spec.place.dry_run && !request.spec.remote.cancel)
    print_run(data, RunPaths(request.spec.place.out).file);
  if (there && !request.spec.place.dry_run)
    std::printf("like         %s: %s\n", request.like.c_str(), compared(*there, data).c_str());
  return 0;
}

}  // namespace

int run(const Program& program, const Words& words) {
  CommandLine::Outcome outcome;
  RunRequest request = parse_run(program, "run", words, outcome);
  if (outcome == CommandLine::Outcome::done) return 0;
  request.spec.place.sizes_may_do = true;
  const auto launch = launch_of([](const char* name) { return std::getenv(name); });
  if (!launch) return run_and_print(request);
  if (is_remote(request.spec))
    throw UsageError(std::to_string(launch->ranks) +
                     " processes were started (WORLD_SIZE, SLURM_NTASKS): a run behind an endpoint "
                     "is one process's");
  const auto world = World::join(*launch);
  return world->rank() == 0 ? run_and_print(request, world.get()) : follow(request, *world);
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
