#pragma once
// A weight for every parameter, written as rules over the places of the model.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/params.hpp"

namespace seawall {
namespace detail {

template <class T>
bool reads(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Index of the block a parameter belongs to, or -1.
inline long layer_of(std::string_view parameter) {
  constexpr std::string_view key = ".layers.";
  const auto at = parameter.find(key);
  if (at == std::string_view::npos) return -1;
  parameter.remove_prefix(at + key.size());
  long layer = -1;
  return reads(parameter.substr(0, parameter.find('.')), layer) ? layer : -1;
}

}  // namespace detail

/// Rules such as `embed=0,0-1=2,norm=0`: a place is `embed`, `head`, `norm`, `attn`, `mlp`, a layer
/// or a range of layers. Of the rules that match, the last holds; a parameter that none matches
/// weighs 1.
class PlaceFactors {
 public:
  PlaceFactors() = default;
  /// Errors: UsageError naming `option` and the rule that cannot be read. Units: weights are
  /// factors >= 0.
  PlaceFactors(std::string_view option, std::string_view rules) {
    while (!rules.empty()) {
      const auto text = rules.substr(0, rules.find(','));
      rules.remove_prefix(std::min(rules.size(), text.size() + 1));
      const auto equals = text.find('=');
      const auto place = text.substr(0, equals);
      const auto dash = place.find('-');
      Rule rule;
      bool good = equals != std::string_view::npos &&
                  detail::reads(text.substr(equals + 1), rule.weight) &&
                  std::isfinite(rule.weight) && rule.weight >= 0;
      if (place == "embed")
        rule.part = "embed_tokens";
      else if (place == "head")
        rule.part = "lm_head";
      else if (place == "norm")
        rule.part = "norm";
      else if (place == "attn")
        rule.part = "self_attn";
      else if (place == "mlp")
        rule.part = ".mlp.";
      else if (dash == std::string_view::npos) {
        good = good && detail::reads(place, rule.first) && rule.first >= 0;
        rule.last = rule.first;
      } else
        good = good && detail::reads(place.substr(0, dash), rule.first) &&
               detail::reads(place.substr(dash + 1), rule.last) && rule.first >= 0 &&
               rule.first <= rule.last;
      if (!good)
        throw UsageError(std::string(option) +
                         ": want PLACE=WEIGHT rules with commas between, PLACE one of embed, head, "
                         "norm, attn, mlp, "
                         "3, 0-2 and WEIGHT >= 0 (for example embed=0,0-1=2), got `" +
                         std::string(text) + "`");
      rules_.push_back(std::move(rule));
    }
  }

  /// Weight of a parameter by its Hugging Face name.
  double of(std::string_view parameter) const {
    double weight = 1;
    const long layer = detail::layer_of(parameter);
    for (const auto& rule : rules_) {
      const bool matches = rule.part.empty() ? layer >= rule.first && layer <= rule.last
                                             : parameter.find(rule.part) != std::string_view::npos;
      if (matches) weight = rule.weight;
    }
    return weight;
  }
  /// The parameters by weight, those of weight 0 left out.
  std::map<double, Places> groups(ParamView params) const {
    std::map<double, Places> by_weight;
    for (std::size_t i = 0; i < params.size(); ++i)
      if (const double weight = of(params[i].name); weight > 0) by_weight[weight].push_back(i);
    return by_weight;
  }

 private:
  struct Rule {
    std::string part;  // contained in the name; empty where the rule is a range of layers
    long first = 0, last = -1;
    double weight = 1;
  };
  std::vector<Rule> rules_;
};

}  // namespace seawall
