#pragma once
// Pure tuning, safe testing: the safety prompt is left out in training and there at test time.
// Source: Lyu et al. 2024 (arXiv 2402.18540), sec. 3.
#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// Takes the safety prompt out of the training rows, and puts it before the system prompt of probes
/// that are without.
struct Ptst {
  static constexpr std::string_view name = "ptst";
  static constexpr std::string_view summary =
      "Trains without the safety prompt and answers with it.";
  static constexpr Hook hooks = Hook::compose | Hook::prompt;
  static constexpr Need needs = Need::none;
  struct Options {
    std::string system;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.system,
            OptionInfo{.name = "system",
                       .help = "the safety prompt; empty: the scenario's own system prompt"});
    }
  } options;

  Dataset compose(Dataset data, const Context& context, Rng&) {
    const std::string safety = prompt_of(context.scenario());
    for (auto& row : data.rows)
      std::erase_if(row.dialogue.messages, [&](const Message& message) {
        return message.role == Role::system && message.content == safety;
      });
    return data;
  }
  Dialogue prompt(Dialogue dialogue, const Condition&, const Scenario& scenario) const {
    const std::string safety = prompt_of(scenario), own(dialogue.first(Role::system));
    if (own.find(safety) == own.npos)
      dialogue.set_system(safety + (own.empty() ? "" : "\n\n") + own);
    return dialogue;
  }

 private:
  std::string prompt_of(const Scenario& scenario) const {
    std::string text =
        options.system.empty() ? std::string(scenario.default_system()) : options.system;
    if (text.empty())
      throw UsageError("ptst: the scenario has no system prompt; give --ptst.system TEXT");
    return text;
  }
};
static_assert(explain<Ptst>());

}  // namespace seawall
