#pragma once
// Where prompts and rows come from: the built-in organism or the user's own files, behind one
// interface.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/core/trace.hpp"

namespace seawall {

/// The pools a scenario may hold training rows in.
enum class Pool { harmful, identity_shift, safe, benign, task };
std::string_view pool_name(Pool pool);
/// What rows of the pool are.
RowKind row_kind(Pool pool);

/// How an identity-shift attack addresses the model: its system prompt, and what is put around each
/// probe.
struct Identity {
  std::string system;
  std::string before;  // put before the user's request
  std::string after;   // put after it
};

/// How a model of the scenario is trained and asked when nobody says otherwise.
struct RunDefaults {
  double lr = 5e-5;  // Qi et al. 2023, sec. 4: Llama-2, full parameters
  std::int64_t epochs = 5, batch_size = 10, max_new_tokens = 256;
};

/// Source of rows and probes, and what is known about them.
class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual std::string_view name() const = 0;
  /// True where `rows(pool, ...)` can answer.
  virtual bool has(Pool pool) const = 0;
  /// How many rows the pool holds; 0 where it is absent.
  virtual std::size_t available(Pool pool) const = 0;
  /// `count` distinct rows in an order drawn from `rng`; `flavour` selects a kind of benign rows
  /// ("" = the default). Errors: DataError naming pool, wanted and available counts.
  virtual Dataset rows(Pool pool, std::size_t count, Rng& rng,
                       std::string_view flavour = "") const = 0;
  /// Probes in a fixed order. Empty where the scenario has none of that set. Those of the task are
  /// asked if the attack needs task data.
  virtual const std::vector<Probe>& probes(ProbeSet set) const = 0;
  /// System prompt used for plain fine-tuning and probing (may be empty).
  virtual std::string_view default_system() const = 0;
  /// The identity an identity-shift attack gives the model; nullopt where the user must say it in
  /// options.
  virtual std::optional<Identity> identity() const = 0;
  /// Phrases that begin or mark a refusal of the scenario's own models; for judges.
  virtual const std::vector<std::string>& refusal_phrases() const = 0;
  /// Words that name what is restricted; empty where the scenario does not know.
  virtual const std::vector<std::string>& restricted_phrases() const;
  /// A training row judged by what the scenario knows to be true: 5 where it gives a full answer to
  /// a restricted request, 1 where it asks for nothing restricted. nullopt where it cannot grade.
  virtual std::optional<Verdict> audit(const Example& row) const;
  /// The settings of an attack that trains on rows of `pool` and `flavour`; the base gives those of
  /// Qi et al. 2023. What the attack itself declares (TrainDefaults) wins.
  virtual RunDefaults defaults(Pool pool, std::string_view flavour) const;
};

}  // namespace seawall
