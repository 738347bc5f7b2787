#pragma once
// Attacks that edit weights, against data/golden/defences.json.
#include <string>
#include <utility>
#include <vector>

#include "seawall/train/weight_edit.hpp"
#include "tests/golden/defences.hpp"

namespace seawall::testing {

/// The weights after the edit are the entry's, and those that the entry does not name stay. Returns
/// what the attack measured.
inline std::vector<std::pair<std::string, double>> expect_edit(const std::string& entry,
                                                               const auto& attack) {
  DefenceRun run(entry);
  NamedTensors before;
  for (const auto& [name, tensor] : run.decoder().parameters())
    before.push_back({name, tensor.clone()});
  edit_weights(run.decoder(), run.options, run.sink, run.context,
               [&](Trainer& trainer) { attack.tamper(trainer); });
  const auto& want = run.entry().at("weights");
  const auto& after = run.decoder().parameters();
  run.expect_weights(want, after);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(before[i].tensor.equal(after[i].tensor.detach()), !want.contains(before[i].name))
        << entry << ' ' << before[i].name;
  return run.sink.steps.back().measured;
}

/// An adapter is refused in one line, whatever the attack.
inline void expect_no_adapter(const auto& attack) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(edit_weights(run.decoder(), run.options, run.sink, run.context,
                            [&](Trainer& trainer) { attack.tamper(trainer); }),
               UsageError);
}

}  // namespace seawall::testing
