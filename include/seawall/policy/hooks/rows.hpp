#pragma once
// Hooks on rows, dialogues and checkpoints.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/context.hpp"
#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/hooks/block.hpp"
#include "seawall/policy/stage.hpp"

namespace seawall::detail {

/// Before tokenizing: mix, filter, audit.
struct ComposeHook : Block<Dataset(Dataset, const Context&, Rng&)> {
  SEAWALL_HOOK(compose, compose, "`Dataset compose(Dataset, const Context&, Rng&)`")
  template <class Policies>
  struct Join {
    /// Piped left to right.
    Dataset compose(Dataset rows, const Context& context, Rng& rng) {
      each_with<ComposeHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t) {
        rows = ask<ComposeHook>(m, std::move(rows), context, rng);
      });
      return rows;
    }
  };
};

/// Training stages before the attack's: an alignment stage.
struct BeforeHook : Block<std::vector<StagePlan>(const Context&, Rng&)> {
  SEAWALL_HOOK(before, before, "`std::vector<StagePlan> before(const Context&, Rng&)`")
  template <class Policies>
  struct Join {
    /// In order, each with the place of its policy.
    std::vector<std::pair<std::size_t, StagePlan>> before(const Context& context, Rng& rng) {
      std::vector<std::pair<std::size_t, StagePlan>> all;
      each_with<BeforeHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        for (StagePlan& stage : ask<BeforeHook>(m, context, rng))
          all.emplace_back(i, std::move(stage));
      });
      return all;
    }
  };
};

/// What the defender adds to a dialogue at test time.
struct PromptHook : Block<Dialogue(Dialogue, const Condition&, const Scenario&) const> {
  SEAWALL_HOOK(prompt, prompt,
               "`Dialogue prompt(Dialogue, const Condition&, const Scenario&) const`")
  template <class Policies>
  struct Join {
    /// Piped left to right.
    Dialogue prompt(Dialogue dialogue, const Condition& condition, const Scenario& scenario) const {
      each_with<PromptHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        dialogue = ask<PromptHook>(m, std::move(dialogue), condition, scenario);
      });
      return dialogue;
    }
  };
};

/// The policy's own state in a checkpoint.
struct SaveHook : Block<void(StateOut&) const> {
  SEAWALL_HOOK(state, save, "`void save(StateOut&) const` and `void load(StateIn&)`")
  template <class Policies>
  struct Join {
    /// Each policy that keeps state under its own group.
    void save(const OpenStateOut& open) const {
      const auto names = static_cast<const Policies&>(*this).groups();
      each_with<SaveHook>(static_cast<const Policies&>(*this),
                          [&](auto& m, std::size_t i) { ask<SaveHook>(m, open(names[i])); });
    }
  };
};

/// The same, read again.
struct LoadHook : Block<void(StateIn&)> {
  SEAWALL_HOOK(state, load, "`void save(StateOut&) const` and `void load(StateIn&)`")
  template <class Policies>
  struct Join {
    /// As saved. Errors: DataError naming the key that is missing.
    void load(const OpenStateIn& open) {
      at::NoGradGuard no_grad;
      const auto names = static_cast<Policies&>(*this).groups();
      each_with<LoadHook>(static_cast<Policies&>(*this),
                          [&](auto& m, std::size_t i) { ask<LoadHook>(m, open(names[i])); });
    }
  };
};

/// What a policy draws once: with and without training, and the same on a resume.
struct PrepareHook : Block<void(const Scenario&, Rng&)> {
  SEAWALL_HOOK(prepare, prepare, "`void prepare(const Scenario&, Rng&)`")
  template <class Policies>
  struct Join {
    /// In order, each with a stream of its own, which depends on the seed and its name alone.
    void prepare(const Scenario& scenario, std::uint64_t seed) {
      const auto names = static_cast<const Policies&>(*this).groups();
      each_with<PrepareHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        Rng rng = Rng(seed).stream("prepare/" + names[i]);
        ask<PrepareHook>(m, scenario, rng);
      });
    }
    /// Loads what the policies that prepare or act on answers have in a checkpoint; `find` gives
    /// the group of that name, or null. Returns the groups that were not there.
    std::vector<std::string> restore(const std::function<StateIn*(std::string_view group)>& find) {
      const auto names = static_cast<const Policies&>(*this).groups();
      std::vector<std::string> missing;
      each_with<LoadHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        if (!policy_uses(m, Hook::prepare) && !acts_on_answers(m)) return;
        StateIn* const in = find(names[i]);
        if (in == nullptr)
          missing.push_back(names[i]);
        else
          ask<LoadHook>(m, *in);
      });
      return missing;
    }
  };
};

}  // namespace seawall::detail
