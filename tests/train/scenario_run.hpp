#pragma once
// A tiny run whose rows come from a scenario, with everything that policies may ask for.
#include <string>
#include <vector>

#include "seawall/model/lora.hpp"
#include "seawall/policy/rows.hpp"
#include "tests/support/fake_params.hpp"
#include "tests/support/fake_scenario.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall::testing {

/// Token ids from the texts, so that what policies do to rows reaches the weights: three shared
/// tokens, three of the request, five of the answer, which are targets.
inline std::vector<Sequence> encode_texts(const Dataset& rows) {
  std::vector<Sequence> out;
  for (const auto& row : rows.rows) {
    Sequence sequence{{1, 7, 9}, {}};
    Rng rng(std::stoull(Dataset{"", {row}}.content_hash().substr(0, 8), nullptr, 16));
    for (int i = 0; i < 8; ++i)
      sequence.ids.push_back(static_cast<std::int32_t>(2 + rng.below(62)));
    sequence.loss.assign(sequence.ids.size(), 0);
    for (std::size_t i = 6; i < sequence.ids.size(); ++i) sequence.loss[i] = 1;
    out.push_back(std::move(sequence));
  }
  return out;
}

/// 12 harmful rows in batches of 4, 3 epochs; the services encode, answer with the probe's own
/// request, and know one other model.
struct ScenarioRun : TinyRun {
  FakeScenario scenario;
  Dataset rows;
  std::vector<std::string> drawn;  // what policies drew: "POLICY POOL COUNT"

  explicit ScenarioRun(bool lora = false) {
    Rng rng(17);
    rows = with_default_system(scenario.rows(Pool::harmful, 12, rng, ""), scenario);
    context.scenario = &scenario;
    context.services.rows = &rows;
    context.services.encode = [](const Dataset& data) {
      return EncodedRows{encode_texts(data), {}};
    };
    context.services.answers = [](const std::vector<Probe>& probes) {
      std::vector<std::string> out;
      for (const Probe& probe : probes) out.emplace_back(probe.dialogue.last(Role::user));
      return out;
    };
    context.services.other_model = [](const std::string& word) {
      return random_weights(tiny_config(), word == "organism-base" ? 8 : 9);
    };
    context.services.drew = [this](std::string_view policy, Pool pool, const Dataset& data) {
      drawn.push_back(std::string(policy) + " " + std::string(pool_name(pool)) + " " +
                      std::to_string(data.size()));
    };
    if (lora)
      decoder.adapt(make_adapter(
          decoder.config(), {.rank = 2, .alpha = 4, .targets = targets_from("all"), .dropout = 0.1},
          3, decoder.embedding()));
  }
  template <StackLike S>
  ScenarioRun& go(S& stack) {
    TinyRun::go(stack, encode_texts(rows));
    return *this;
  }
  ScenarioRun& go() {
    Stack<> none;
    return go(none);
  }
  /// What was trained.
  NamedTensors trained() const {
    return copy_of(decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters());
  }
};

}  // namespace seawall::testing
