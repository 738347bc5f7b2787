#pragma once
// The judges that ship, those with a model among them.
#include <memory>
#include <string>
#include <string_view>

#include "seawall/eval/judges.hpp"
#include "seawall/policy/judge_policy.hpp"

namespace seawall {

/// `classifier:MODEL:TEMPLATE`, where MODEL is what --model takes and TEMPLATE a file or the name
/// of one in data/judges. Errors: UsageError; DataError and IoError of model and template.
struct Classifier {
  static constexpr std::string_view
      name = "classifier",
      argument = "MODEL:TEMPLATE",
      summary = "a local model's next token; TEMPLATE a file, harmful, guard or scale";
  using Options = NoOptions;
  Options options;
  std::unique_ptr<Judge> make(const JudgeWord& word, const JudgeSetting& setting) const;
};

/// `rubric:MODEL`; its options are RubricOptions of the run. Errors: those of make_rubric_judge.
struct Rubric {
  static constexpr std::string_view name = "rubric", argument = "MODEL",
                                    summary =
                                        "1..5 by a policy and a scale (data/rubric) from a "
                                        "model behind an OpenAI-compatible endpoint: "
                                        "--base-url, --rubric.*";
  using Options = NoOptions;
  Options options;
  std::unique_ptr<Judge> make(const JudgeWord& word, const JudgeSetting& setting) const;
  static std::string text(std::string_view argument);
};

using ShippedJudges = Append<JudgesWithoutModel, Classifier, Rubric>;

/// The table of them; a program of your own passes `judge_catalogue_of(Append<ShippedJudges,
/// …>{})`.
const JudgeCatalogue& judge_catalogue();

}  // namespace seawall
