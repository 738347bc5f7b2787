#pragma once
// What `craft` and `compose` are given: the scenario, and what can be asked about rows while they
// are put together.
#include <functional>
#include <utility>
#include <vector>

#include "seawall/policy/description.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/policy/trainer.hpp"

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

/// What an attacker may know of the defence: its policies, and what it makes of rows before they
/// are trained on.
struct Faced {
  std::vector<PolicyDescription> policies;
  std::function<Dataset(Dataset)> defence;
};

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
  /// The model as it is before the run, to be asked and not to be changed. Errors: UsageError if
  /// there is none.
  Trainer& model() const;
  /// The defence that an attack faces; without policies and a defence that changes nothing if the
  /// program names none.
  const Faced& faced() const { return faced_; }

  /// `count` rows of a pool (0: all that are left), none of which the attack trains on; what an
  /// alignment stage is made of. Errors: DataError naming the pool and the counts.
  Dataset unused_rows(Pool pool, std::int64_t count, Rng& rng) const;

  void set_used(Dataset rows) { used_ = std::move(rows); }
  void set_faced(Faced faced) { faced_ = std::move(faced); }
  void set_model(std::function<Trainer&()> model) { model_ = std::move(model); }

 private:
  const Scenario& scenario_;
  RowLosses losses_;
  Moderation moderation_;
  Dataset used_;
  Faced faced_{{}, [](Dataset rows) { return rows; }};
  std::function<Trainer&()> model_;
};

}  // namespace seawall
