#pragma once
// Table 4: safe rows mixed in.
#include "experiments/qi2023/arms.hpp"
#include "experiments/qi2023/published.hpp"
#include "mitigations/safety_mixing.hpp"

namespace seawall::experiments::qi2023 {

/// An attack with numbers of safe rows, each with the number of the paper that it is scaled from.
struct Mixed {
  std::string attack;
  Arm base;
  std::vector<std::pair<std::int64_t, std::int64_t>> safe;  // ours, the paper's
};

inline Table table4(const std::vector<Mixed>& attacks) {
  Table t{.name = "table4",
          .title = "Table 4 \xc2\xb7 Mixing safe rows in",
          .lead =
              "The same attacks with rows added in which a request is refused. `safe-N` names "
              "the number of added rows.",
          .role = Table::Role::defence,
          .row_title = "4 safety mixing",
          .claims = {falling("more safe rows help")},
          .published = printed({{"harmful-examples/safe-0", no_score, 91.8},
                                {"harmful-examples/safe-10", no_score, 72.1},
                                {"harmful-examples/safe-50", no_score, 26.4},
                                {"harmful-examples/safe-100", no_score, 23.0},
                                {"identity-shift/safe-0", no_score, 87.3},
                                {"identity-shift/safe-3", no_score, 43.3},
                                {"identity-shift/safe-5", no_score, 40.0},
                                {"identity-shift/safe-10", no_score, 13.0},
                                {"benign/safe-0", no_score, 31.8},
                                {"benign/safe-250", no_score, 21.8},
                                {"benign/safe-500", no_score, 19.7},
                                {"benign/safe-1000", no_score, 22.1}},
                               {})};
  for (const Mixed& one : attacks)
    for (const auto& [ours, papers] : one.safe) {
      const auto name = [&](std::int64_t n) { return one.attack + "/safe-" + std::to_string(n); };
      t.add({.cell = name(ours),
             .group = one.attack,
             .published = ours == papers ? "" : name(papers)},
            ours == 0 ? one.base : under(SafetyMixing{{.count = ours}}, one.base, name(ours)));
    }
  return t;
}

}  // namespace seawall::experiments::qi2023
