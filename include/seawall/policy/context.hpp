#pragma once
// What `craft` and `compose` are given: the scenario, and what can be asked about rows while they
// are put together.
#include <functional>
#include <vector>

#include "seawall/policy/scenario.hpp"

namespace seawall {

/// Mean loss of the answer of each row under the model as it is before training, in nats per token;
/// NaN if no token of an answer fits into the model's context.
using RowLosses = std::function<std::vector<double>(const Dataset&)>;

/// What a moderation service says of one row.
struct Moderated {
  bool flagged = false;
  double score = 0;  // the highest of its categories, 0..1
};
/// The same for every row of a set, in order. Errors: those of the service, and then no row passes.
using Moderation = std::function<std::vector<Moderated>(const Dataset&)>;

/// The scenario, the start model's losses and a moderation service; the last two may be missing.
class Context {
 public:
  /// The scenario must outlive the context. Not explicit: a policy that asks about rows alone can
  /// be given a scenario.
  Context(const Scenario& scenario,  // NOLINT(google-explicit-constructor)
          RowLosses losses = nullptr, Moderation moderation = nullptr);

  const Scenario& scenario() const { return scenario_; }
  /// Errors: UsageError if there is no model.
  std::vector<double> row_losses(const Dataset& rows) const;
  /// Errors: UsageError if there is no service; RunError if it answers for another number of rows;
  /// those of the service.
  std::vector<Moderated> moderate(const Dataset& rows) const;

 private:
  const Scenario& scenario_;
  RowLosses losses_;
  Moderation moderation_;
};

}  // namespace seawall
