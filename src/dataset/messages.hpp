#pragma once
// Messages as chat data writes them: roles, contents, weights, and the keys that cannot be used.
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "seawall/dataset/source.hpp"

namespace seawall {

/// Reads an array of {role, content, weight}. A content may be a list of text parts, which are
/// joined; a developer message is a system message; a weight of 0 takes an answer out of the loss,
/// 1 takes it in. Keys of a message that are not used are noted in `report`. Errors: DataError
/// naming the message and key. Throws Rejected for turns in an order that no template can render,
/// and for what changes a dialogue's meaning and is not supported: tool calls, pictures among the
/// parts, another weight. Source: OpenAI API reference, "Fine-tuning: the request input for chat
/// models".
Dialogue dialogue_of(const nlohmann::json& messages, const Place& place, ReadReport& report);

/// Reads a transcript "\n\nHuman: ...\n\nAssistant: ...", as Anthropic's red-team set has it.
/// Throws Rejected where it does not begin with the human.
Dialogue dialogue_of_transcript(std::string_view text);

/// Notes the keys of a record that are not in `used`. Throws Rejected if it has tools or functions,
/// or, in training rows, preference data: they mean something else without these keys.
void check_keys(const nlohmann::json& record, std::span<const std::string_view> used, bool training,
                const Place& place, ReadReport& report);

}  // namespace seawall
