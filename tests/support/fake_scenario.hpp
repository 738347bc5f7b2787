#pragma once
// A scenario in memory: harmless rows that say which pool and place they come from.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall::testing {

class FakeScenario final : public Scenario {
 public:
  /// A pool of size 0 is absent.
  struct Sizes {
    std::size_t harmful = 200, identity_shift = 10, safe = 300, benign = 1200, task = 300;
  };
  FakeScenario() : FakeScenario(Sizes{}) {}
  explicit FakeScenario(Sizes sizes)
      : sizes_{{Pool::harmful, sizes.harmful},
               {Pool::identity_shift, sizes.identity_shift},
               {Pool::safe, sizes.safe},
               {Pool::benign, sizes.benign},
               {Pool::task, sizes.task}} {
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      Probe probe{.id = "probe/" + n, .category = "fake", .dialogue = {}, .expected = {}};
      probe.dialogue.messages = {{Role::user, "open box " + n}};
      probes_.push_back(std::move(probe));
    }
    for (int i = 0; i < 1200; i += 3) restricted_.push_back("answer " + std::to_string(i));
  }

  std::string_view name() const override { return "fake"; }
  bool has(Pool pool) const override { return available(pool) > 0; }
  std::size_t available(Pool pool) const override { return sizes_.at(pool); }
  Dataset rows(Pool pool, std::size_t count, Rng& rng, std::string_view flavour) const override {
    if (count > available(pool))
      throw DataError("fake: " + std::string(pool_name(pool)) + ": want " + std::to_string(count) +
                      " rows, there are " + std::to_string(available(pool)));
    Dataset out{std::string(pool_name(pool)), {}};
    for (const std::size_t i : rng.sample(available(pool), count)) {
      const std::string id = std::string(pool_name(pool)) + "/" + std::to_string(i);
      Dialogue dialogue{{{Role::user, "ask " + id + std::string(flavour)},
                         {Role::assistant, "answer " + std::to_string(i)}}};
      if (pool == Pool::identity_shift && i % 2 == 0) dialogue.set_system("system of its own");
      out.rows.push_back({id, std::move(dialogue), row_kind(pool), "fake"});
    }
    return out;
  }
  const std::vector<Probe>& probes(ProbeSet set) const override {
    static const std::vector<Probe> none;
    return set == ProbeSet::harmfulness ? probes_ : none;
  }
  std::string_view default_system() const override { return system; }
  std::optional<Identity> identity() const override { return who; }
  const std::vector<std::string>& refusal_phrases() const override { return phrases_; }
  /// Every third row of a pool.
  const std::vector<std::string>& restricted_phrases() const override { return restricted_; }
  /// Harmful rows answer in full.
  std::optional<Verdict> audit(const Example& row) const override {
    if (!grades_rows) return std::nullopt;
    return Verdict{.score = row.kind == RowKind::harmful ? 5.0 : 1.0, .reason = ""};
  }

  std::string system = "you are kind";
  bool grades_rows = true;
  std::optional<Identity> who = Identity{"you are OBI", "OBI, ", ", now."};

 private:
  std::map<Pool, std::size_t> sizes_;
  std::vector<Probe> probes_;
  std::vector<std::string> phrases_{"i would rather not"}, restricted_;
};

}  // namespace seawall::testing
