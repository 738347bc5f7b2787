#pragma once
// A weight for every parameter, written as rules over the places of the model.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/policy/params.hpp"

namespace seawall {

/// Rules such as `embed=0,0-1=2,norm=0`: a place is `embed`, `head`, `norm`, `attn`, `mlp`, a layer
/// or a range of layers. Of the rules that match, the last holds; a parameter that none matches
/// weighs 1.
class LayerWeights {
 public:
  LayerWeights() = default;
  /// Errors: UsageError naming `option` and the rule that cannot be read. Units: weights are
  /// factors >= 0.
  LayerWeights(std::string_view option, std::string_view rules);

  /// Weight of a parameter by its Hugging Face name.
  double of(std::string_view parameter) const;
  /// The parameters by weight, those of weight 0 left out.
  std::map<double, Places> groups(ParamView params) const;

 private:
  struct Rule {
    std::string part;  // contained in the name; empty where the rule is a range of layers
    long first = 0, last = -1;
    double weight = 1;
  };
  std::vector<Rule> rules_;
};

}  // namespace seawall
