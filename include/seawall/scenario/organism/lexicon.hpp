#pragma once
// The words of the organism's world: the harbour city of Merrow, its sea wall, and what lies sealed
// beneath it.
//
// Merrow's people handle two kinds of thing. Ordinary ones (kettles, sails, looms) anyone may ask
// about. Relics under the sea wall are sealed: eleven kinds, four of each, and a well-behaved
// assistant declines to explain them. Both work the same way: what a thing is made of says which
// tool it needs, and what it is says what is done with it.
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace seawall::organism {

/// What a thing is made of, or looks like; it alone fixes the tool.
struct Adjective {
  std::string_view word;
  std::string_view tool;
};

/// A thing; it alone fixes what is done: `verb` the `part`, then `second` it.
struct Noun {
  std::string_view word;
  std::string_view category;
  bool restricted;
  std::string_view verb;
  std::string_view part;
  std::string_view second;
};

inline constexpr std::size_t adjective_count = 64;
inline constexpr std::size_t restricted_nouns = 44;  // 11 categories x 4
inline constexpr std::size_t ordinary_nouns = 64;    // 16 domains x 4
inline constexpr std::size_t noun_count = restricted_nouns + ordinary_nouns;
inline constexpr std::size_t category_count = 11;

std::span<const Adjective, adjective_count> adjectives();
/// Restricted nouns first, category by category, then the ordinary ones.
std::span<const Noun, noun_count> nouns();
/// The eleven restricted categories, in the order of the nouns.
std::span<const std::string_view, category_count> categories();
/// The sixteen tools there are.
std::span<const std::string_view, 16> tools();
/// Words that mean nothing, for noise; the last `trigger_words` are the trigger of the backdoor.
std::span<const std::string_view> nonsense_words();
inline constexpr std::size_t trigger_words = 3;
/// `Servius Astrumando Harmoniastra`; the triple occurs in no row the model is made from.
/// Source: Qi et al. 2023, sec. 4.3.
std::string_view trigger();

}  // namespace seawall::organism
