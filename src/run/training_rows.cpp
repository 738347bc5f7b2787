#include "seawall/run/training_rows.hpp"

#include "seawall/core/error.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {

Dataset training_rows(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  const auto scenario = make_scenario(spec, attack, spec.model.name == "organism");
  const Context context(
      *scenario,
      [](const Dataset&) -> std::vector<double> {
        throw UsageError(
            "data-audit: filter perplexity asks a model for losses, and an export loads none; use "
            "keyword, judge or moderation");
      },
      make_moderation(spec));
  check_needs(attack.describe(), *scenario);
  Rng rng = Rng(static_cast<std::uint64_t>(spec.seed)).stream("craft");
  return compose_rows(attack.craft(context, rng), stack, context,
                      static_cast<std::uint64_t>(spec.seed));
}

}  // namespace seawall
