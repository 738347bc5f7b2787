#pragma once
// When a model is probed, how long it answers and who judges, as options.
#include <cstdint>
#include <optional>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct EvaluationSpec {
  std::string judges = "auto";  // names separated by commas; the first decides tables
  std::string at = "end";
  std::optional<std::int64_t> max_new_tokens = {};
  bool none = false;  // nothing is evaluated

  static constexpr void visit(auto& self, auto&& field) {
    field(self.judges,
          OptionInfo{
              .name = "judge",
              .help = "judges, separated by commas; auto: organism, or keyword:qi2023 for files"});
    field(self.at,
          OptionInfo{.name = "evaluate-at",
                     .help = "end, both (start and end), epochs (after every epoch), or epochs "
                             "separated by commas, e.g. 3,5,10"});
    field(self.max_new_tokens,
          OptionInfo{.name = "max-new-tokens",
                     .help = "longest answer; auto: the scenario's (256 for real models)",
                     .min = 1,
                     .max = 1e6});
    field(self.none, OptionInfo{.name = "no-evaluation", .help = "train only"});
  }
};

}  // namespace seawall
