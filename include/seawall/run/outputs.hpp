#pragma once
// The answers of a run for a tool that grades elsewhere, and judging a run again.
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall {

/// What write_outputs did. `text`: `522 answers`, and how many rows have none.
struct WrittenAnswers {
  std::size_t written = 0, without_answer = 0;
  std::string text() const;
};
/// Writes every different answer as a line of JSON: id (answer_id), probe, category, restricted,
/// set, condition, step, epoch, seed, prompt, response; the last five of the first evaluation that
/// has it. An answer that was to be continued has its beginning as `prefill`, one that was cut has
/// `finished` false, one that the endpoint's refusal field gave
/// `declined` true. Rows without an answer are counted and not written. Errors: IoError.
WrittenAnswers write_outputs(const std::filesystem::path& path, const RunData& run);

/// Errors: UsageError if --write-outputs names one of a run's own files.
void check_outputs_path(const std::filesystem::path& outputs,
                        const std::vector<std::filesystem::path>& own);

/// After an evaluation that failed: writes the run file with the evaluations that are whole, and
/// their answers to --write-outputs. Returns what to add to the error's message; "" if no
/// evaluation is whole.
std::string keep_answers(const RunSpec& spec, RunFile& file);

/// Adds the judges' verdicts on every answer of every evaluation, before those of earlier judges; a
/// judge of the same name is replaced. Probes are looked up by id in the scenario; one that it does
/// not have is known by its recorded prompt alone.
void judge_anew(RunData& run, const Scenario& scenario, const Judges& judges);

}  // namespace seawall
