#pragma once
// A reader of one's own: how one record of a file becomes a row or a probe.
#include <nlohmann/json.hpp>

#include "seawall/dataset/reader_policy.hpp"

namespace examples {

using namespace seawall;

/// Letters and what was written back, as {"letter": …, "reply": …, "from": …}.
struct Letters {
  static constexpr std::string_view name = "letters", summary = "letters and their replies",
                                    known_by = "letter", sample = R"({"from": "the lighthouse",
      "letter": "Where is the pier?", "reply": "Behind the lighthouse."})";
  /// Keys of a row; others are noted.
  static constexpr std::array<std::string_view, 4> keys{"category", "from", "letter", "reply"};

  static bool is(const Json& record, const FormatWanted&) { return has_keys(record, {"letter"}); }

  static Dialogue read(const Json& record, const Reading& reading) {
    Dialogue dialogue = ask(record, reading);
    dialogue.messages.push_back({Role::assistant, text_of(record, "reply", reading.place)});
    return dialogue;
  }

  static Dialogue ask(const Json& record, const Reading& reading) {
    const std::string& letter = text_of(record, "letter", reading.place);  // names file and line
    if (blank(letter)) throw Rejected{"an empty letter"};                  // counted, not an error
    const std::string from = optional_text(record, "from", reading.place);
    return {{{Role::user, letter + (from.empty() ? "" : "\n\n" + from)}}};
  }
};
static_assert(explain_reader<Letters>());

}  // namespace examples
