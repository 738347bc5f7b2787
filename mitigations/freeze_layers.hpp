#pragma once
// Some layers are not trained.
// Source: Li et al. 2024, "Safety layers in aligned large language models" (arXiv 2408.17003):
// SPPFT freezes the safety layers, which are found by experiment (for Llama-3-8B 6 to 12).
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/place_factors.hpp"

namespace seawall {

/// The parameters at the places of `layers` stay as they are, under LoRA their adapters.
struct FreezeLayers {
  static constexpr std::string_view name = "freeze-layers";
  static constexpr std::string_view summary = "Does not train some layers.";
  static constexpr Hook hooks = Hook::trains | Hook::on_start;
  static constexpr Need needs = Need::none;
  static constexpr bool elementwise = true;
  struct Options {
    std::string layers = "0";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.layers, OptionInfo{"layers", "places to freeze, as embed,0-1,norm"});
    }
    void check() const {
      if (layers.empty()) throw UsageError("freeze-layers.layers: want places such as embed,0-1");
      places();
    }
    PlaceFactors places() const {
      std::string rules = layers + "=0";
      for (std::size_t at = 0; (at = rules.find(',', at)) != rules.npos; at += 3)
        rules.replace(at, 1, "=0,");
      return {"freeze-layers.layers", rules};
    }
  } options;

  bool trains(std::string_view parameter) const {
    const bool free = options.places().of(parameter) > 0;
    frozen += free ? 0 : 1;
    return free;
  }
  void on_start(Trainer&) const {
    if (frozen == 0) throw UsageError("freeze-layers.layers: the model has none of these places");
  }

  mutable std::int64_t frozen = 0;  // parameters, counted while asked
};
static_assert(explain<FreezeLayers>());

}  // namespace seawall
