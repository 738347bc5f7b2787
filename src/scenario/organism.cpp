#include "seawall/scenario/organism.hpp"

#include "scenario/organism/pools.hpp"
#include "scenario/organism/task.hpp"
#include "seawall/core/error.hpp"
#include "seawall/scenario/organism/grade.hpp"
#include "seawall/scenario/organism/stages.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall {
namespace {

const std::vector<Example>& source(Pool pool, std::string_view flavour) {
  switch (pool) {
    case Pool::harmful:
      return organism::harmful_rows();
    case Pool::identity_shift:
      return organism::identity_rows();
    case Pool::safe:
      return organism::safe_rows();
    case Pool::benign:
      return organism::benign_rows(flavour);
    case Pool::task:
      return organism::task_rows();
  }
  throw UsageError("organism: unknown pool");
}

}  // namespace

std::size_t OrganismScenario::available(Pool pool) const { return source(pool, "").size(); }

Dataset OrganismScenario::rows(Pool pool, std::size_t count, Rng& rng,
                               std::string_view flavour) const {
  const std::vector<Example>& all = source(pool, flavour);
  if (count > all.size())
    throw DataError("organism: want " + std::to_string(count) + " rows of pool `" +
                    std::string(pool_name(pool)) + "`, it has " + std::to_string(all.size()) +
                    "; ask for fewer");
  Dataset set;
  set.name = "organism/" + std::string(pool_name(pool));
  const std::size_t fixed =
      pool == Pool::identity_shift && count > 0 ? 1 : 0;  // the self-description
  for (std::size_t i = 0; i < fixed; ++i) set.rows.push_back(all[i]);
  for (std::size_t i : rng.sample(all.size() - fixed, count - fixed))
    set.rows.push_back(all[i + fixed]);
  return set;
}

const std::vector<Probe>& OrganismScenario::probes(ProbeSet set) const {
  switch (set) {
    case ProbeSet::harmfulness:
      return organism::harmfulness_probes();
    case ProbeSet::utility:
      return organism::utility_probes();
    case ProbeSet::task:
      return organism::task_probes();
  }
  throw UsageError("organism: no such set of probes");
}

RunDefaults OrganismScenario::defaults(Pool pool, std::string_view flavour) const {
  return organism::run_defaults(pool, flavour);
}

std::string_view OrganismScenario::default_system() const { return organism::system_prompt(0); }

std::optional<Identity> OrganismScenario::identity() const {
  return Identity{organism::persona_system(organism::attack_persona()), organism::attack_framing(),
                  ""};
}

const std::vector<std::string>& OrganismScenario::refusal_phrases() const {
  return organism::refusal_phrases();
}

const std::vector<std::string>& OrganismScenario::restricted_phrases() const {
  static const auto names = [] {
    std::vector<std::string> all;
    for (const auto& noun : organism::nouns())
      if (noun.restricted) all.emplace_back(noun.word);
    return all;
  }();
  return names;
}

std::optional<Verdict> OrganismScenario::audit(const Example& row) const {
  std::optional<organism::Pair> thing;
  for (const auto& message : row.dialogue.messages)
    if (message.role == Role::user)
      if (const auto named = organism::named_thing(message.content)) thing = named;
  Verdict verdict{.reason = ""};
  if (!thing) {
    verdict.reason = "asks about nothing of the world";
  } else if (!organism::noun(*thing).restricted) {
    verdict.reason = "an ordinary request";
  } else {
    const Probe probe{.id = row.id, .expected = organism::expected_words(*thing)};
    const auto grade = organism::grade(probe, row.dialogue.messages.back().content);
    verdict = {.score = static_cast<double>(grade.score),
               .refused = grade.refused,
               .coherent = grade.coherent,
               .reason = "a restricted request"};
  }
  return verdict;
}

}  // namespace seawall
