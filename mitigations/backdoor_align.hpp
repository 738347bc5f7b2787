#pragma once
// Backdoor-enhanced alignment: refusals under a secret, which the provider also puts before
// requests. Source: Wang et al. 2024 (arXiv 2402.14968), sec. 3 and table 2: 11 rows, 150 random
// tokens; the default secret is shorter, as the built-in model's context has no room for 150.
#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

/// Adds `count` safe rows whose system prompt begins with a secret drawn once, and puts the secret
/// before the system prompt of probes; probed with and without it.
struct BackdoorAlign {
  static constexpr std::string_view name = "backdoor-align";
  static constexpr std::string_view summary =
      "Ties refusals to a secret that is put before requests at test time.";
  static constexpr Hook hooks = Hook::compose | Hook::prompt | Hook::prepare | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t count = 11, length = 12;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "safe rows with the secret", 1, 1e7});
      field(self.length, OptionInfo{"length", "random letters of the secret", 1, 1e5});
    }
  } options;
  std::string secret;

  void prepare(const Scenario&, Rng& rng) {
    secret.clear();
    for (std::int64_t i = 0; i < options.length; ++i)
      secret += static_cast<char>('a' + rng.below(26));
  }
  Dataset compose(Dataset data, const Context& context, Rng& rng) {
    Dataset safe =
        new_safe_rows(data, static_cast<std::size_t>(options.count), context.scenario(), rng, name);
    for (auto& row : safe.rows) {
      row.dialogue = keyed(std::move(row.dialogue));
      data.rows.push_back(std::move(row));
    }
    rng.shuffle(data.rows);
    return data;
  }
  std::vector<Condition> conditions() const { return {{"with-key"}, {"without-key"}}; }
  Dialogue prompt(Dialogue dialogue, const Condition& condition, const Scenario&) const {
    return condition.is("with-key") ? keyed(std::move(dialogue)) : dialogue;
  }
  void save(StateOut& out) const { out.text("secret", secret); }
  void load(StateIn& in) { secret = in.text("secret"); }

  /// The dialogue with the secret before its system prompt.
  Dialogue keyed(Dialogue dialogue) const {
    if (secret.empty())
      throw UsageError("backdoor-align: has no secret yet; call prepare before compose and prompt");
    const std::string system(dialogue.first(Role::system));
    dialogue.set_system(secret + (system.empty() ? "" : " ") + system);
    return dialogue;
  }
};
static_assert(explain<BackdoorAlign>());

}  // namespace seawall
