#pragma once
// LookAhead tuning, virtual form: answers begin with words that the prompt already ends with, so
// that their first tokens need not change.
// Source: arXiv 2503.19041, with P = "Let's solve this problem. ".
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

/// Every row's last request ends with the words, and its answer begins with them; nothing is added
/// at test time.
struct Lookahead {
  static constexpr std::string_view name = "lookahead";
  static constexpr std::string_view summary = "Shows the model how answers begin.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  struct Options {
    std::string words = "Let's solve this problem. ";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.words, OptionInfo{"words", "that requests end and answers begin with"});
    }
    void check() const {
      if (words.find_first_not_of(' ') == words.npos)
        throw UsageError("lookahead.words: want words, got none");
    }
  } options;

  Dataset compose(Dataset rows, const Context&, Rng&) {
    const std::string words = options.words.substr(0, options.words.find_last_not_of(' ') + 1);
    for (Example& row : rows.rows) {
      row.dialogue = wrap_request(std::move(row.dialogue), "", " " + words);
      if (!row.dialogue.messages.empty() && row.dialogue.messages.back().role == Role::assistant)
        row.dialogue.messages.back().content.insert(0, options.words);
    }
    return rows;
  }
};
static_assert(explain<Lookahead>());

}  // namespace seawall
