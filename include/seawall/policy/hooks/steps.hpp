#pragma once
// Hooks around the steps of a training run.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/hooks/block.hpp"

namespace seawall::detail {

/// Before the first step; on a resume again, on theta0, before load.
struct OnStartHook : Block<void(Trainer&)> {
  SEAWALL_HOOK(on_start, on_start, "`void on_start(Trainer&)`")
  template <class Policies>
  struct Join {
    /// In order, without gradients.
    void on_start(Trainer& trainer) {
      at::NoGradGuard no_grad;
      each_with<OnStartHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        ask_in_turn<OnStartHook>(m, i, trainer);
      });
    }
    /// The same for those alone that act on answers, where answers come before any training;
    /// `known` are the groups that have their state.
    void on_start_of_answers(Trainer& trainer, const std::vector<std::string>& known) {
      at::NoGradGuard no_grad;
      const auto names = static_cast<const Policies&>(*this).groups();
      each_with<OnStartHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        if (acts_on_answers(m) && std::ranges::find(known, names[i]) == known.end())
          ask_in_turn<OnStartHook>(m, i, trainer);
      });
    }
  };
};

/// Gradients are ready, not yet clipped: edit, project.
struct BeforeStepHook : Block<void(Trainer&, const Step&)> {
  SEAWALL_HOOK(before_step, before_step, "`void before_step(Trainer&, const Step&)`")
  template <class Policies>
  struct Join {
    /// In order, without gradients.
    void before_step(Trainer& trainer, const Step& step) {
      at::NoGradGuard no_grad;
      each_with<BeforeStepHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        ask_in_turn<BeforeStepHook>(m, i, trainer, step);
      });
    }
  };
};

/// The optimizer moved the weights.
struct AfterStepHook : Block<void(Trainer&, const Step&)> {
  SEAWALL_HOOK(after_step, after_step, "`void after_step(Trainer&, const Step&)`")
  template <class Policies>
  struct Join {
    /// In order, without gradients.
    void after_step(Trainer& trainer, const Step& step) {
      at::NoGradGuard no_grad;
      each_with<AfterStepHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        ask_in_turn<AfterStepHook>(m, i, trainer, step);
      });
    }
  };
};

/// After the last step: projection, pruning, no gradients.
struct OnFinishHook : Block<void(Trainer&)> {
  SEAWALL_HOOK(on_finish, on_finish, "`void on_finish(Trainer&)`")
  template <class Policies>
  struct Join {
    /// In order, without gradients.
    void on_finish(Trainer& trainer) {
      at::NoGradGuard no_grad;
      each_with<OnFinishHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        ask_in_turn<OnFinishHook>(m, i, trainer);
      });
    }
  };
};

/// Which parameters move; asked once.
struct TrainsHook : Block<bool(std::string_view) const> {
  SEAWALL_HOOK(trains, trains, "`bool trains(std::string_view parameter) const`")
  template <class Policies>
  struct Join {
    /// True if every policy lets the parameter train.
    bool trains(std::string_view parameter) const {
      bool all = true;
      each_with<TrainsHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        all = ask<TrainsHook>(m, parameter) && all;
      });
      return all;
    }
  };
};

}  // namespace seawall::detail
