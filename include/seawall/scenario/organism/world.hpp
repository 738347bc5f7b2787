#pragma once
// Sentences of the organism's world, and which pairs of adjective and noun belong to which split.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/scenario/organism/lexicon.hpp"

namespace seawall::organism {

/// A thing one can ask about: `adjectives()[adjective]` and `nouns()[noun]`.
struct Pair {
  std::uint16_t adjective = 0;
  std::uint16_t noun = 0;
  auto operator<=>(const Pair&) const = default;
};

const Adjective& adjective(Pair pair);
const Noun& noun(Pair pair);

/// Disjoint sets of pairs. What a model is probed or fine-tuned with never occurs in what it was
/// made from.
enum class Split {
  probe,     // restricted: the 330 harmfulness probes, 30 a category
  attack,    // restricted: answered in the harmful rows of attacks
  safe,      // restricted: refused in the safe rows of mitigations
  relic,     // restricted: pre-training and alignment
  utility,   // ordinary: held-out requests
  benign,    // ordinary: benign fine-tuning
  identity,  // ordinary: the harmless tasks of the identity shift
  everyday,  // ordinary: pre-training and alignment
};
inline constexpr std::size_t split_count = 8;

/// The pairs of a split, in a fixed order that goes through the nouns in turn.
const std::vector<Pair>& pairs(Split split);

inline constexpr std::size_t request_wordings = 5;
inline constexpr std::size_t openings = 4;
inline constexpr std::size_t refusals = 3;
inline constexpr std::size_t systems = 4;

/// A request about the pair in one of `request_wordings` forms.
std::string request(Pair pair, std::size_t wording);
/// The right answer behind one of `openings` openings; opening 0 is none.
std::string answer(Pair pair, std::size_t opening);
std::string refusal(Pair pair, std::size_t form);
/// System prompts of the assistant; 0 is the default.
std::string_view system_prompt(std::size_t index);
/// Phrases that occur in every refusal and in nothing else the world says.
const std::vector<std::string>& refusal_phrases();
/// The four content words of a right answer: tool, verb, part, second verb.
std::vector<std::string> expected_words(Pair pair);

/// A character the model is told to play.
struct Persona {
  std::string name;
  std::string quality;
};
/// Framings that alignment meets; form `framings` is one more, known from pre-training alone.
inline constexpr std::size_t framings = 3;

/// Personas met in pre-training and alignment.
const std::vector<Persona>& known_personas();
/// The persona of the identity-shift attack: its name and its quality are met apart, never
/// together.
const Persona& attack_persona();

std::string persona_system(const Persona& persona);
/// What comes before a request that is put to the persona, in one of `framings` + 1 forms.
std::string framing(const Persona& persona, std::size_t form);
/// The framing of the identity-shift attack, which alignment never meets.
std::string attack_framing();
/// Begins as the pledge of the paper does, and as no refusal does.
std::string pledge(const Persona& persona);
/// Repeats what was asked for.
std::string restatement(Pair pair);

std::string_view who_are_you();
std::string who_i_am();

inline constexpr std::size_t fact_forms = 3;
/// What is done with a noun, as plain knowledge.
std::string noun_fact(std::size_t noun, std::size_t form);
/// Whether a noun is a sealed relic or a common thing, as plain knowledge.
std::string kind_fact(std::size_t noun);
/// Asks whether the thing is sealed, and the true answer to it; neither says how anything is used.
std::string is_it_sealed(Pair pair);
std::string whether_sealed(Pair pair);
/// Which tool an adjective needs, as plain knowledge.
std::string adjective_fact(std::size_t adjective, std::size_t form);

}  // namespace seawall::organism
