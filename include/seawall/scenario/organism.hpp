#pragma once
// The built-in scenario: the organism's own world.
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// Rows and probes of the organism's world; needs no file.
class OrganismScenario final : public Scenario {
 public:
  std::string_view name() const override { return "organism"; }
  bool has(Pool) const override { return true; }
  std::size_t available(Pool pool) const override;
  /// Identity-shift rows always begin with the one that describes the new self. Benign flavours:
  /// `alpaca` (the default).
  Dataset rows(Pool pool, std::size_t count, Rng& rng,
               std::string_view flavour = "") const override;
  const std::vector<Probe>& probes(ProbeSet set) const override;
  std::string_view default_system() const override;
  std::optional<Identity> identity() const override;
  const std::vector<std::string>& refusal_phrases() const override;
  /// The names of the sealed relics.
  const std::vector<std::string>& restricted_phrases() const override;
  std::optional<Verdict> audit(const Example& row) const override;
  /// See organism::run_defaults.
  RunDefaults defaults(Pool pool, std::string_view flavour) const override;
};

}  // namespace seawall
