#pragma once
// What things of Merrow look like: 32 x 32 pictures drawn from adjective and noun. A noun is an
// outline (by domain) with a knob at one of its corners or none; an adjective is a colour (by what
// its things are made of) with a pattern.
#include <cstdint>
#include <memory>
#include <string>

#include "seawall/core/picture.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {

inline constexpr std::int64_t picture_side = 32;

/// A picture of an ordinary thing; `take` decides where it is, how large it is and the grain.
/// The same arguments give the same bytes. Errors: UsageError for a restricted noun, which nobody
/// may draw.
Pixels draw_thing(Pair pair, std::uint64_t take);

inline constexpr std::size_t picture_questions = 5;
/// A user turn that shows a thing and asks about it without naming it, in one of these forms.
std::string picture_question(std::size_t form);

}  // namespace seawall::organism
