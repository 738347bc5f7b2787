#pragma once
// One arm on a model behind an endpoint: the rows are uploaded, a job trains on them, the probes
// are answered through chat completions; results, judges and run file are those of a local arm.
#include <string>
#include <vector>

#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// Runs `--model openai:NAME`, or says under --dry-run what it would cost. Beside the run file
/// stand `NAME.remote.jsonl`, from which --resume goes on, and `NAME.upload.jsonl`, the rows as
/// they were sent. Errors: UsageError for words, policies or a budget that do not fit, before
/// anything is sent; DataError; IoError where the endpoint does not answer; RunError where the job
/// failed; Interrupted on a signal or a spent budget.
RunData run_remote(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec);

// Its checks, for tests.

/// Errors: UsageError naming the first option that a remote model has no use for.
void check_remote_options(const RunSpec& spec);
/// Errors: UsageError naming the first mitigation that works on weights, gradients or activations.
void check_remote_stack(const AnyStack& stack, const std::string& model);

/// What a run will come to, in USD and tokens, before anything is sent.
struct RemoteEstimate {
  std::size_t rows = 0, requests = 0, verdicts = 0;
  std::int64_t row_tokens = 0, epochs = 0;
  double training = 0, answers = 0, judging = 0;
  double total() const { return training + answers + judging; }
  /// For a person.
  std::string text(const RunSpec& spec, const std::string& url) const;
};

}  // namespace seawall
