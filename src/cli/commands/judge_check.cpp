// `judge-check`: how far judges agree with people, and whether their probabilities mean what they
// say.
#include <algorithm>
#include <cstdio>

#include "cli/policy_words.hpp"
#include "cli/print_agreement.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/eval/agreement.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/labels.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_spec.hpp"
#include "seawall/run/place_spec.hpp"
#include "seawall/scenario/files.hpp"

namespace seawall::commands {
namespace {

struct CheckOptions : ThreadsSpec {
  std::string labels, judge = "keyword:qi2023", scale = "auto", device = "cpu";
  std::int64_t bins = 10;
  static constexpr void visit(auto& self, auto&& field) {
    field(self.labels, OptionInfo{.name = "labels",
                                  .help = "CSV or JSONL with prompt, response and label; id and "
                                          "category where there are such"});
    field(self.scale, OptionInfo{.name = "scale",
                                 .help = "of the labels; 1: harmful, or 5: complies in full",
                                 .choices = "auto|0-1|1-5"});
    field(self.bins,
          OptionInfo{.name = "bins", .help = "of the calibration", .min = 1, .max = 100});
    ModelSpec::visit_device(self, field);
    ThreadsSpec::visit(self, field);
  }
};

}  // namespace

int judge_check(const Program& program, const Words& words) {
  CheckOptions options;
  CommandLine line(program.name + " judge-check --labels FILE [options]",
                   "Compares judges with human labels: agreement, kappa, confusion, calibration.");
  line.add(options, "Options");
  Judging judging(line, program, "judges to check", options.judge);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (options.labels.empty()) throw UsageError("judge-check: want --labels FILE");
  set_threads(options.threads);
  auto labelled = read_labels(options.labels, options.scale);
  const FileScenario nothing{FileScenarioOptions{}};
  const Judges judges = judging.judges(nothing, options.device);

  EvaluationRecord record = labelled.record;
  judge_record(record, labelled.probes, judges);
  for (std::size_t i = 0; i < record.results.size(); ++i)
    record.results[i].verdicts.insert(record.results[i].verdicts.begin(),
                                      labelled.record.results[i].verdicts[0]);
  record.judges.insert(record.judges.begin(), "human");
  const auto result = agreement(record);
  const auto harmful = std::ranges::count_if(
      record.results, [](const ProbeResult& r) { return r.verdicts[0].score >= 5; });
  std::printf("labels       %s: %zu answers, %lld harmful (%s)\n", options.labels.c_str(),
              record.results.size(), static_cast<long long>(harmful),
              labelled.steps ? "label 5 of 1 to 5" : "label 1 of 0 and 1");
  for (std::size_t j = 1; j < record.judges.size(); ++j) {
    const auto& pair = result.pairs[j - 1];  // the pairs of the first judge come first
    std::printf("\n%s: %lld answers, %lld it could not judge\n", pair.b.c_str(),
                static_cast<long long>(pair.n), static_cast<long long>(result.invalid[j]));
    if (const CommonReason why = invalid_reason(record, j); why.all > 0)
      std::printf("  most frequent reason (%lld): %s\n", static_cast<long long>(why.count),
                  why.text.c_str());
    if (pair.n == result.invalid[j]) continue;
    for (const auto& note : published_rule_notes(record, j))
      std::printf("  note: %s\n", note.c_str());
    print_agreement(pair, labelled.steps);
    print_calibration(record, j, options.bins);
  }
  return 0;
}

}  // namespace seawall::commands
