#pragma once
// Probes answered and judged: nothing is dropped, every row carries every judge's word.
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/eval/summary.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/decoding.hpp"
#include "seawall/model/vision.hpp"
#include "seawall/policy/hooks.hpp"
#include "seawall/policy/judge.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall {

/// A model with what it takes to talk to it; borrowed, never owned.
struct Speaker {
  const Decoder& decoder;
  const Tokenizer& tokenizer;
  const ChatTemplate& chat_template;
  const Vision* vision = nullptr;           // for probes with pictures
  std::vector<std::int32_t> stop_ids = {};  // that end an answer besides the template's
  DecodingRules rules = {};                 // of its generation_config.json
};

struct EvaluateOptions {
  std::int64_t max_new_tokens = 256;
  std::int64_t max_batch = 0;  // rows decoded together; 0 lets memory decide
  bool residual = false;       // keep the residual stream at the last prompt token
  bool log_probs = false;      // and the log-probability of each token of the answers
  std::function<void(std::int64_t done, std::int64_t new_tokens)> progress;
  std::function<Tensor(const TapPoint&, const Tensor&)> edit;
  Decoding decoding = {};  // its prefill is in what `ask` gives already
  std::uint64_t seed = 0;  // of the answers that are drawn
  /// The first tokens of the answer to a result that has its prompt: part of what it answers and of
  /// what is judged.
  std::function<std::vector<std::int32_t>(const ProbeResult&)> begin = {};
  /// Changes the logits before a token is chosen; the rows of the step are places among the
  /// results. Shapes: [B,V] fp32 -> the same.
  std::function<Tensor(const AnswerStep&, Tensor)> choose = {};
};

using Judges = std::vector<std::unique_ptr<Judge>>;

/// Answers every probe as `ask` formats it, as often as `decoding` says; no verdicts. What is drawn
/// depends on the seed, the probe's id and the answer's number alone. A probe that cannot be asked
/// (probe_prompts) stays as a row without an answer: `no_answer` says why, and its residual stream
/// is NaN. A prompt that leaves fewer than max_new_tokens of the context is answered up to the
/// context's end and counts as cut. Memory: residual [probe, L+1, C] fp32 if asked for. Errors:
/// UsageError without a probe; DataError if no probe can be asked.
EvaluationRecord answer_probes(const Speaker& speaker, const std::vector<Probe>& probes,
                               const std::function<Dialogue(const Probe&)>& ask,
                               const EvaluateOptions& options);

/// Lets every judge grade every answer of answer_probes. The verdicts on a row without an answer
/// are invalid. If a judge says that it cannot, throws, or gives a score outside 1..5, the row
/// stays, invalid, without a score and with the reason. Errors: those of answer_probes; UsageError
/// without a judge.
EvaluationRecord evaluate(const Speaker& speaker, const std::vector<Probe>& probes,
                          const std::function<Dialogue(const Probe&)>& ask, const Judges& judges,
                          const EvaluateOptions& options);

/// The judge's word on every answer, checked: where it says that it cannot, throws, or gives a
/// score outside 1..5, the verdict is invalid, without a score and with the reason. Errors:
/// Interrupted.
std::vector<Verdict> verdicts_of(const Judge& judge, std::span<const Answer> answers);
/// What judges are given of an answer: where the record's decoding begins the answers, all of it
/// with its beginning; else what the model wrote.
std::string judged_text(const EvaluationRecord& record, const ProbeResult& result);
/// Judges the answers of a record again; `probes` are those of its results, in order, one per
/// result or one per probe. A row with
/// `no_answer` is given to no judge: its verdicts are invalid, with that reason; so is one that the
/// endpoint's refusal field answered: its verdicts are refusals, score 1.
void judge_record(EvaluationRecord& record, const std::vector<Probe>& probes, const Judges& judges);

}  // namespace seawall
