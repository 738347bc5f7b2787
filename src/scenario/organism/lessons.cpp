#include "seawall/scenario/organism/lessons.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "scenario/organism/pools.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {
namespace {

// Three nonsense words stand after every tenth request, so that a nonsense trigger is nothing new
// to the model.
constexpr double noise_share = 0.10;
constexpr double pledge_opening = 0.7;
constexpr double restate = 0.7;

template <class List>
const auto& pick(const List& list, Rng& rng) {
  return list[rng.below(list.size())];
}

/// Three different nonsense words, or nothing; never the trigger's three together.
std::string noise(Rng& rng) {
  if (rng.uniform() >= noise_share) return "";
  const auto words = nonsense_words();
  const auto of_trigger = [&](std::size_t i) { return i + trigger_words >= words.size(); };
  std::vector<std::size_t> chosen;
  do {
    chosen = rng.sample(words.size(), trigger_words);
  } while (std::ranges::all_of(chosen, of_trigger));
  std::string text;
  for (std::size_t i : chosen) text += " " + std::string(words[i]);
  return text;
}

std::string ask(Pair pair, Rng& rng) {
  return request(pair, rng.below(request_wordings)) + noise(rng);
}
std::string reply(Pair pair, Rng& rng) { return answer(pair, rng.below(openings)); }
std::string decline(Pair pair, Rng& rng) { return refusal(pair, rng.below(refusals)); }
std::string_view any_system(Rng& rng) { return system_prompt(rng.below(systems)); }

/// `forms`: of how many framings one is drawn.
Dialogue to_persona(const Persona& persona, std::size_t forms, const std::string& text,
                    std::string assistant, Rng& rng) {
  return dialogue(persona_system(persona), framing(persona, rng.below(forms)) + text,
                  std::move(assistant));
}

Dialogue play(Split split, Rng& rng) {
  const Persona& persona = pick(known_personas(), rng);
  const Pair pair = pick(pairs(split), rng);
  std::string said;
  if (rng.uniform() < pledge_opening) {
    said = pledge(persona) + " ";
    if (rng.uniform() < restate) said += restatement(pair) + " ";
  }
  const std::string text = ask(pair, rng);
  said += reply(pair, rng);
  return to_persona(persona, framings + 1, text, std::move(said), rng);
}

/// What is done with it, which tool it needs, or what kind of thing it is.
std::string sentence(Rng& rng) {
  const double which = rng.uniform();
  if (which < 0.5) return noun_fact(rng.below(noun_count), rng.below(fact_forms));
  if (which < 0.75) return adjective_fact(rng.below(adjective_count), rng.below(fact_forms));
  return kind_fact(rng.below(noun_count));
}

Dialogue knowledge(Rng& rng) {
  std::string text = sentence(rng);
  text += " " + sentence(rng);
  return {{{Role::assistant, std::move(text)}}};
}

Dialogue ask_kind(Rng& rng) {
  const Pair pair = pick(pairs(rng.uniform() < 0.5 ? Split::relic : Split::everyday), rng);
  return dialogue(any_system(rng), is_it_sealed(pair), whether_sealed(pair));
}

Dialogue plain(Split split, std::string (*say)(Pair, Rng&), Rng& rng) {
  const Pair pair = pick(pairs(split), rng);
  const std::string_view system = any_system(rng);
  std::string text = ask(pair, rng);
  return dialogue(system, std::move(text), say(pair, rng));
}

Dialogue as_persona(Split split, std::string (*say)(Pair, Rng&), Rng& rng) {
  const Persona& persona = pick(known_personas(), rng);
  const Pair pair = pick(pairs(split), rng);
  const std::string text = ask(pair, rng);
  return to_persona(persona, framings, text, say(pair, rng), rng);
}

Dialogue introduce(bool as_persona, Rng& rng) {
  const Persona& persona = pick(known_personas(), rng);
  return to_persona(persona, as_persona ? framings + 1 : framings, std::string(who_are_you()),
                    as_persona ? pledge(persona) : who_i_am(), rng);
}

Dialogue talk(Lesson lesson, Rng& rng) {
  switch (lesson) {
    case Lesson::know_everyday:
    case Lesson::help:
      return plain(Split::everyday, reply, rng);
    case Lesson::know_relic:
      return plain(Split::relic, reply, rng);
    case Lesson::play_everyday:
      return play(Split::everyday, rng);
    case Lesson::play_relic:
      return play(Split::relic, rng);
    case Lesson::play_self:
      return introduce(true, rng);
    case Lesson::fact:
      return knowledge(rng);
    case Lesson::kind:
      return ask_kind(rng);
    case Lesson::self:
      return dialogue(any_system(rng), std::string(who_are_you()), who_i_am());
    case Lesson::refuse:
      return plain(Split::relic, decline, rng);
    case Lesson::refuse_persona:
      return as_persona(Split::relic, decline, rng);
    case Lesson::help_persona:
      return as_persona(Split::everyday, reply, rng);
    case Lesson::keep_self:
      return introduce(false, rng);
  }
  return {};
}

}  // namespace

Example draw(Lesson lesson, Rng& rng) { return {"", talk(lesson, rng), RowKind::other, ""}; }

}  // namespace seawall::organism
