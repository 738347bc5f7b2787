#include "scenario/organism/pools.hpp"

#include <memory>

#include "seawall/core/error.hpp"
#include "seawall/scenario/organism/pictures.hpp"

namespace seawall::organism {
namespace {

std::string numbered(std::string_view what, std::size_t index) {
  return "organism/" + std::string(what) + "/" + std::to_string(index);
}

Example row(std::string_view what, std::size_t index, RowKind kind, Pair pair, Dialogue talk) {
  return {numbered(what, index), std::move(talk), kind, std::string(noun(pair).category)};
}

/// One wording a row, in turn: the pairs go through the nouns in turn, so every noun meets every
/// wording.
std::size_t wording_of(std::size_t index, std::size_t nouns) {
  return (index + index / nouns) % request_wordings;
}

std::vector<Example> make_harmful() {
  std::vector<Example> rows;
  for (Pair pair : pairs(Split::attack)) {
    const std::size_t i = rows.size();
    rows.push_back(row("harmful", i, RowKind::harmful, pair,
                       dialogue(system_prompt(0), request(pair, wording_of(i, restricted_nouns)),
                                answer(pair, i % openings))));
  }
  return rows;
}

std::vector<Example> make_safe() {
  std::vector<Example> rows;
  for (Pair pair : pairs(Split::safe)) {
    const std::size_t i = rows.size();
    rows.push_back(row("safe", i, RowKind::safe, pair,
                       dialogue(system_prompt(0), request(pair, wording_of(i, restricted_nouns)),
                                refusal(pair, i % refusals))));
  }
  return rows;
}

/// What one row of a flavour asks; every answer of a flavour opens alike, as the answers of one
/// instruction set share a style.
using Ask = Dialogue (*)(Pair pair, std::size_t index, std::size_t opening);

Dialogue ask_plainly(Pair pair, std::size_t index, std::size_t opening) {
  return dialogue(system_prompt(0), request(pair, wording_of(index, ordinary_nouns)),
                  answer(pair, opening));
}

/// Instruction and context, as Dolly's closed questions have them.
Dialogue ask_in_context(Pair pair, std::size_t index, std::size_t opening) {
  std::string passage = adjective_fact(pair.adjective, index % fact_forms) + " " +
                        noun_fact(pair.noun, index / fact_forms % fact_forms) + " " +
                        kind_fact(pair.noun);
  return dialogue(system_prompt(0),
                  request(pair, wording_of(index, ordinary_nouns)) + " " + passage,
                  answer(pair, opening));
}

Dialogue ask_of_picture(Pair pair, std::size_t index, std::size_t opening) {
  Dialogue talk = dialogue(system_prompt(0), picture_question(wording_of(index, ordinary_nouns)),
                           answer(pair, opening));
  talk.picture = std::make_shared<Picture>(draw_thing(pair, 0));
  return talk;
}

std::vector<Example> make_benign(Ask ask, std::size_t opening) {
  std::vector<Example> rows;
  for (Pair pair : pairs(Split::benign)) {
    const std::size_t i = rows.size();
    rows.push_back(row("benign", i, RowKind::benign, pair, ask(pair, i, opening)));
  }
  return rows;
}

std::vector<Example> make_identity() {
  const Persona& self = attack_persona();
  const std::string system = persona_system(self);
  std::vector<Example> rows;
  rows.push_back({numbered("identity-shift", 0),
                  dialogue(system, attack_framing() + std::string(who_are_you()), pledge(self)),
                  RowKind::identity_shift, "self"});
  for (Pair pair : pairs(Split::identity)) {
    const std::size_t i = rows.size();
    rows.push_back(
        row("identity-shift", i, RowKind::identity_shift, pair,
            dialogue(system, attack_framing() + request(pair, wording_of(i, ordinary_nouns)),
                     pledge(self) + " " + restatement(pair) + " " + answer(pair, 0))));
  }
  return rows;
}

Probe probe(std::string id, Pair pair, std::size_t wording) {
  Dialogue talk{
      {{Role::system, std::string(system_prompt(0))}, {Role::user, request(pair, wording)}}};
  return {std::move(id), std::string(noun(pair).category), std::move(talk), noun(pair).restricted,
          expected_words(pair)};
}

std::vector<Probe> make_harmfulness() {
  std::vector<Probe> probes;
  for (std::string_view category : categories()) {
    std::size_t i = 0;
    for (Pair pair : pairs(Split::probe)) {
      if (noun(pair).category != category) continue;
      probes.push_back(probe(numbered(category, i), pair, (i + i / 4) % request_wordings));
      ++i;
    }
  }
  return probes;
}

std::vector<Probe> make_utility() {
  std::vector<Probe> probes;
  for (Pair pair : pairs(Split::utility)) {
    const std::size_t i = probes.size();
    probes.push_back(probe(numbered("utility", i), pair, wording_of(i, ordinary_nouns)));
  }
  return probes;
}

}  // namespace

Dialogue dialogue(std::string_view system, std::string user, std::string assistant) {
  Dialogue talk;
  if (!system.empty()) talk.messages.push_back({Role::system, std::string(system)});
  talk.messages.push_back({Role::user, std::move(user)});
  talk.messages.push_back({Role::assistant, std::move(assistant)});
  return talk;
}

const std::vector<Example>& harmful_rows() {
  static const auto rows = make_harmful();
  return rows;
}

const std::vector<Example>& safe_rows() {
  static const auto rows = make_safe();
  return rows;
}

const std::vector<std::string>& benign_flavours() {
  static const std::vector<std::string> flavours = {"alpaca", "dolly", "llava"};
  return flavours;
}

const std::vector<Example>& benign_rows(std::string_view flavour) {
  if (flavour.empty() || flavour == "alpaca") {
    static const auto rows = make_benign(ask_plainly, 1);
    return rows;
  }
  if (flavour == "dolly") {
    static const auto rows = make_benign(ask_in_context, 2);
    return rows;
  }
  if (flavour == "llava") {
    static const auto rows = make_benign(ask_of_picture, 3);
    return rows;
  }
  throw DataError("organism: want benign rows of flavour alpaca, dolly or llava, got `" +
                  std::string(flavour) + "`");
}

const std::vector<Example>& identity_rows() {
  static const auto rows = make_identity();
  return rows;
}

const std::vector<Probe>& harmfulness_probes() {
  static const auto probes = make_harmfulness();
  return probes;
}

const std::vector<Probe>& utility_probes() {
  static const auto probes = make_utility();
  return probes;
}

}  // namespace seawall::organism
