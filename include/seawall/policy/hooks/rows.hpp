#pragma once
// Hooks on rows, dialogues and checkpoints.
#include <utility>

#include "seawall/policy/context.hpp"
#include "seawall/policy/hooks/block.hpp"

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

/// What the defender adds to a dialogue at test time.
struct PromptHook : Block<Dialogue(Dialogue) const> {
  SEAWALL_HOOK(prompt, prompt, "`Dialogue prompt(Dialogue) const`")
  template <class Policies>
  struct Join {
    /// Piped left to right.
    Dialogue prompt(Dialogue dialogue) const {
      each_with<PromptHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        dialogue = ask<PromptHook>(m, std::move(dialogue));
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

}  // namespace seawall::detail
