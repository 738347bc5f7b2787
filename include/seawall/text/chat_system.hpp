#pragma once
// System messages under templates that have no place for one.
#include <memory>

#include "seawall/text/chat_template.hpp"

namespace seawall {

/// The dialogue with its system message at the front of the first user turn, an empty line between.
/// Source: the templates of Gemma 3 and Mistral's own code (mistral-common) write it so.
Dialogue system_merged(Dialogue dialogue);

/// `chat` itself, or, if it refuses a system message or leaves its text out and takes the same
/// dialogue without one, a template that merges the two turns first. A template that refuses for
/// another reason stays as it is.
std::unique_ptr<ChatTemplate> with_system_turn(std::unique_ptr<ChatTemplate> chat);

}  // namespace seawall
