#pragma once
// Named presets of a run's options.
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seawall {

/// Option names (`lr`, or `count` of the attack's own where `of_attack`) and their values.
struct RecipeValue {
  std::string option, value;
  bool of_attack = false;
};

/// What the recipe says for an attack whose rows are in a data format ("" where there are none).
/// Errors: UsageError listing the recipes there are.
std::vector<RecipeValue> recipe_values(std::string_view recipe, std::string_view attack,
                                       std::string_view format);
/// Name and summary of each.
std::vector<std::pair<std::string, std::string>> recipe_words();

}  // namespace seawall
