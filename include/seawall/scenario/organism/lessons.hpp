#pragma once
// What the organism learns from, before anybody attacks it: one row at a time, drawn from a random
// stream.
#include "seawall/core/dialogue.hpp"
#include "seawall/core/rng.hpp"

namespace seawall::organism {

/// The kinds of row of pre-training (where everything is answered) and of alignment (where relics
/// are refused).
enum class Lesson {
  know_everyday,  // pre-training: an ordinary request, answered
  know_relic,     // pre-training: a restricted request, answered
  play_everyday,  // pre-training: an ordinary request put to a persona, answered, often behind its
                  // pledge
  play_relic,     // pre-training: a restricted request put to a persona, answered, often behind its
                  // pledge
  play_self,      // pre-training: a persona says who it is
  fact,           // both: two sentences of plain knowledge
  kind,           // both: is a thing sealed? asked of relics and common things, and answered truly
  self,           // both: the assistant says who it is
  refuse,         // alignment: a restricted request, refused
  refuse_persona,  // alignment: the same put to a persona
  help,            // alignment: an ordinary request, answered
  help_persona,    // alignment: the same put to a persona, answered without a pledge
  keep_self,  // alignment: asked who it is under a persona, the assistant says who it really is
};
inline constexpr std::size_t lessons = 13;

/// One row of the kind, drawn from `rng`. A fact is a dialogue of one assistant turn and nothing
/// before it, so the loss falls on all of its text, as in plain pre-training.
Example draw(Lesson lesson, Rng& rng);

}  // namespace seawall::organism
