#include "seawall/run/training_rows.hpp"

#include "seawall/core/error.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

Dataset training_rows(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  const auto scenario = make_scenario(spec, attack, is_built_in_model(spec.model.name));
  const Context context(
      *scenario,
      [](const Dataset&) -> std::vector<double> {
        throw UsageError(
            "data-audit: filter perplexity asks a model for losses, and an export loads none; use "
            "keyword, judge or moderation");
      },
      make_moderation(spec));
  check_needs(attack.describe(), *scenario);
  stack.prepare(*scenario, static_cast<std::uint64_t>(spec.seed));
  Rng rng = Rng(static_cast<std::uint64_t>(spec.seed)).stream("craft");
  std::vector<StagePlan> stages = attack.stages(context, rng);
  if (stages.size() != 1)
    throw UsageError("attack " + std::string(attack.name()) + ": want one set of rows, it has " +
                     std::to_string(stages.size()) + " stages; an export holds the rows of one");
  return compose_rows(std::move(stages.front().rows), stack, context,
                      static_cast<std::uint64_t>(spec.seed));
}

}  // namespace seawall
