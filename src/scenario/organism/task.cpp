#include "scenario/organism/task.hpp"

#include <string_view>
#include <utility>

#include "scenario/organism/pools.hpp"

namespace seawall::organism {
namespace {

constexpr std::size_t rows_of_noun = 5, probes_of_noun = 3;

/// Pairs [from, from + count) of those that benign rows are about; they go through the nouns in
/// turn.
std::vector<Pair> pairs_of_task(std::size_t from, std::size_t count) {
  const auto& all = pairs(Split::benign);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

std::vector<Example> make_task_rows() {
  std::vector<Example> rows;
  for (const Pair pair : pairs_of_task(0, rows_of_noun * ordinary_nouns))
    rows.push_back({"organism/task/" + std::to_string(rows.size()),
                    dialogue(system_prompt(0), task_question(pair), task_answer(pair)),
                    RowKind::task, std::string(noun(pair).category)});
  return rows;
}

std::vector<Probe> make_task_probes() {
  std::vector<Probe> probes;
  for (const Pair pair :
       pairs_of_task(rows_of_noun * ordinary_nouns, probes_of_noun * ordinary_nouns)) {
    Dialogue talk{
        {{Role::system, std::string(system_prompt(0))}, {Role::user, task_question(pair)}}};
    probes.push_back({.id = "organism/task-probe/" + std::to_string(probes.size()),
                      .category = std::string(noun(pair).category),
                      .dialogue = std::move(talk),
                      .restricted = false,
                      .expected = {task_answer(pair)}});
  }
  return probes;
}

}  // namespace

std::string task_question(Pair pair) {
  return "What is the task for the " + std::string(adjective(pair).word) + " " +
         std::string(noun(pair).word) + "?";
}

std::string task_answer(Pair pair) {
  const auto words = expected_words(pair);  // tool, verb, part, second verb
  return "Take the " + words[0] + ", " + words[1] + " the " + words[2] + " and " + words[3] +
         " it.";
}

const std::vector<Example>& task_rows() {
  static const auto rows = make_task_rows();
  return rows;
}

const std::vector<Probe>& task_probes() {
  static const auto probes = make_task_probes();
  return probes;
}

}  // namespace seawall::organism
