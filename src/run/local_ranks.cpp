// A run whose model several processes train together.
#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/parallel/world.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/run/run.hpp"

namespace seawall {

LocalBackend::LocalBackend(World* world) : world_(world) {}

bool LocalBackend::records() const { return world_ == nullptr || world_->rank() == 0; }

int LocalBackend::processes() const { return world_ == nullptr ? 1 : world_->size(); }

void LocalBackend::check(const RunSpec& spec, const std::vector<PolicyDescription>& stack) const {
  if (world_ == nullptr) return;
  const std::string several = std::to_string(world_->size()) + " processes were started: ";
  if (spec.training.none) throw UsageError(several + "--no-training has no use for more than one");
  if (spec.place.dry_run)
    throw UsageError(several +
                     "--dry-run counts what one holds; start it once, without WORLD_SIZE");
  check_parts(stack);
}

void LocalBackend::check_stages(const std::vector<Stage>& stages) const {
  if (world_ == nullptr) return;
  const auto alone = [](const Stage& s) { return s.owner != Stage::attackers || s.tampers; };
  if (stages.size() > 1 || std::ranges::any_of(stages, alone))
    throw UsageError(std::to_string(world_->size()) +
                     " processes train one stage of rows together, and this run has " +
                     (stages.size() > 1 ? std::to_string(stages.size()) + " stages"
                                        : "a stage that edits weights") +
                     "; run it with one process");
}

bool LocalBackend::keeps_start() const {
  return world_ == nullptr || (records() && whole_spectra());
}

std::int64_t LocalBackend::threads(const RunSpec& spec) const {
  if (world_ == nullptr || spec.place.threads > 0) return spec.place.threads;
  // The cores of a machine are for all of its processes.
  const auto cores = static_cast<std::int64_t>(available_cores());
  return std::max<std::int64_t>(cores / world_->launch().local_ranks, 1);
}

}  // namespace seawall
