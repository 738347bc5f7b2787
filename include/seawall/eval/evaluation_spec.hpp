#pragma once
// When a model is probed, how long it answers and who judges, as options.
#include <cstdint>
#include <optional>
#include <string>

#include "seawall/core/options.hpp"
#include "seawall/core/trace.hpp"

namespace seawall {

struct EvaluationSpec {
  std::string judges = "auto";  // names separated by commas; the first decides tables
  std::string at = "end";
  std::optional<std::int64_t> max_new_tokens = {};
  bool none = false;  // nothing is evaluated
  // Of every condition, where it does not say otherwise itself.
  std::optional<double> temperature = {}, top_p = {};
  std::optional<std::int64_t> samples = {};
  std::string prefill_with = {};
  std::string fix_tokens = {};  // counts separated by commas

  Decoding decoding() const {
    return {.prefill = prefill_with,
            .temperature = temperature.value_or(0),
            .top_p = top_p.value_or(1),
            .samples = samples.value_or(1)};
  }

  static constexpr void visit(auto& self, auto&& field) {
    field(self.judges,
          OptionInfo{
              .name = "judge",
              .help = "judges, separated by commas; auto: organism, or keyword:qi2023 for files"});
    field(self.at,
          OptionInfo{.name = "evaluate-at",
                     .help = "end, both (start and end), epochs (start and after every epoch), "
                             "epochs such as 3,5,10, or the start and steps of the last stage, "
                             "such as steps:1,2,5,10"});
    field(self.max_new_tokens,
          OptionInfo{.name = "max-new-tokens",
                     .help = "longest answer; auto: the scenario's (256 for real models)",
                     .min = 1,
                     .max = 1e6});
    field(self.none, OptionInfo{.name = "no-evaluation", .help = "train only"});
    field(self.temperature,
          OptionInfo{.name = "temperature",
                     .help = "answers are drawn at it; auto: the condition's, mostly 0: the most "
                             "likely token",
                     .min = 0,
                     .max = 100,
                     .in_key_if_set = true});
    field(self.top_p,
          OptionInfo{.name = "top-p",
                     .help = "tokens are drawn of the likeliest that hold so much probability; "
                             "auto: the condition's, mostly 1",
                     .min = 0,
                     .max = 1,
                     .in_key_if_set = true});
    field(self.samples,
          OptionInfo{.name = "samples",
                     .help = "answers drawn per probe; auto: the condition's, mostly 1",
                     .min = 1,
                     .max = 1e5,
                     .in_key_if_set = true});
    field(self.prefill_with,
          OptionInfo{.name = "prefill-with",
                     .help = "words that every answer begins with; judged with the answer",
                     .in_key_if_set = true});
    field(self.fix_tokens,
          OptionInfo{.name = "fix-tokens",
                     .help = "also ask after training with the first tokens of each answer fixed "
                             "to those before training, as many as each of such as 1,3,5",
                     .in_key_if_set = true});
  }
};

}  // namespace seawall
