#pragma once
// A scenario of one's own: where rows and probes come from.
#include <algorithm>
#include <memory>

#include "seawall/policy/scenario_policy.hpp"
#include "seawall/scenario/organism.hpp"

namespace examples {

using namespace seawall;

/// The built-in world with fewer probes, for quick looks.
class FewerProbes final : public Scenario {
 public:
  explicit FewerProbes(std::size_t most) {
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const auto& all = world_.probes(set);
      auto& some = set == ProbeSet::harmfulness ? harmfulness_ : utility_;
      some.assign(all.begin(),
                  all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size())));
    }
  }
  std::string_view name() const override { return "small-world"; }
  bool has(Pool pool) const override { return world_.has(pool); }
  std::size_t available(Pool pool) const override { return world_.available(pool); }
  Dataset rows(Pool pool, std::size_t count, Rng& rng, std::string_view flavour) const override {
    return world_.rows(pool, count, rng, flavour);
  }
  const std::vector<Probe>& probes(ProbeSet set) const override {
    if (set == ProbeSet::task) return world_.probes(set);
    return set == ProbeSet::harmfulness ? harmfulness_ : utility_;
  }
  std::string_view default_system() const override { return world_.default_system(); }
  std::optional<Identity> identity() const override { return world_.identity(); }
  const std::vector<std::string>& refusal_phrases() const override {
    return world_.refusal_phrases();
  }

 private:
  OrganismScenario world_;
  std::vector<Probe> harmfulness_, utility_;
};

struct SmallWorld {
  static constexpr std::string_view name = "small-world",
                                    summary = "the built-in world with few probes of each set";
  struct Options {
    std::int64_t probes = 20;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.probes,
            OptionInfo{.name = "probes", .help = "most of each set", .min = 1, .max = 1e6});
    }
  } options;

  /// `setting.run` has the run's options, --data and --probes among them.
  std::unique_ptr<Scenario> make(const ScenarioSetting&) const {
    return std::make_unique<FewerProbes>(static_cast<std::size_t>(options.probes));
  }
};
static_assert(explain_scenario<SmallWorld>());

}  // namespace examples
