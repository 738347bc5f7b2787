#pragma once
// A user's task in the organism's world: orders for an ordinary thing, in the words of a workshop's
// order book. What the things need the model knows; neither the question nor the form of the answer
// is in anything that it is made from, so that it answers right after fine-tuning alone.
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {

/// "What is the task for the copper kettle?"
std::string task_question(Pair pair);
/// "Take the tongs, rinse the spout and drain it."
std::string task_answer(Pair pair);

/// 320 questions with their answers, under the default system prompt: five of every noun.
const std::vector<Example>& task_rows();
/// 192 questions about other pairs of the same words: three of every noun.
const std::vector<Probe>& task_probes();

}  // namespace seawall::organism
