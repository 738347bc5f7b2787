#pragma once
// Which part of a prompt each of its tokens belongs to.
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "seawall/text/chat_template.hpp"

namespace seawall {

/// Parts of a prompt that attention is counted on: its first token (where attention goes that has
/// nothing to do); the contents of messages by role; what the template writes; and, of a query, the
/// token itself, which is in no other part.
inline constexpr std::array<std::string_view, 6> attention_spans = {
    "sink", "system", "user", "assistant", "template", "self"};
/// Those that tokens are in.
inline constexpr std::int64_t token_spans = 5;

/// For each token of a dialogue's prompt (ChatTemplate::encode_prompt), its place in
/// attention_spans. Contents are where the template, given other words, has these; a token with
/// letters of a content and of others is the content's. Empty if the template changes a content, or
/// the tokenizer its letters, so that none of this can be told.
std::vector<std::int64_t> prompt_spans(const ChatTemplate& chat, const Dialogue& dialogue,
                                       const TokenIds& ids, const Tokenizer& tokenizer);
/// The same of a prompt that is plain text: all but the first token are the user's.
std::vector<std::int64_t> plain_spans(std::size_t tokens);

}  // namespace seawall
