#include "seawall/policy/context.hpp"

#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

Context::Context(const Scenario& scenario, RowLosses losses, Moderation moderation)
    : scenario_(scenario), losses_(std::move(losses)), moderation_(std::move(moderation)) {}

std::vector<double> Context::row_losses(const Dataset& rows) const {
  if (!losses_)
    throw UsageError("scenario `" + std::string(scenario_.name()) +
                     "`: no model is there to compute the losses of rows; give Context one");
  return losses_(rows);
}

std::vector<Moderated> Context::moderate(const Dataset& rows) const {
  if (!moderation_)
    throw UsageError("scenario `" + std::string(scenario_.name()) +
                     "`: no moderation service is there to ask; give Context one");
  auto out = moderation_(rows);
  if (out.size() != rows.size())
    throw RunError("moderation: want a verdict on each of " + std::to_string(rows.size()) +
                   " rows, got " + std::to_string(out.size()));
  return out;
}

Dataset Context::unused_rows(Pool pool, std::int64_t count, Rng& rng) const {
  return seawall::unused_rows(scenario_, pool, count, rng, used_);
}

Trainer& Context::model() const {
  if (!model_)
    throw UsageError("scenario `" + std::string(scenario_.name()) +
                     "`: no model is there to be asked; give Context one");
  return model_();
}

}  // namespace seawall
