#pragma once
// What a run records, and the sink that takes it: steps, evaluations, activations.
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/tensor.hpp"

namespace seawall {

/// A named place in the forward pass. `kind` is `embed`, `resid_post`, `final_norm` or `logits`;
/// `layer` counts blocks from 0 for `resid_post` and is -1 elsewhere. The input of block l is
/// `resid_post` of block l-1, or `embed` for l = 0.
struct TapPoint {
  enum class Kind { embed, resid_post, final_norm, logits } kind = Kind::resid_post;
  std::int64_t layer = -1;
  bool operator==(const TapPoint&) const = default;
};

/// One optimizer step. Units: `seconds` wall time of the step; `tokens` what the examples hold,
/// whatever was shared.
struct StepRecord {
  std::int64_t step = 0;   // 1-based: the state after this many updates
  std::int64_t epoch = 0;  // 0-based epoch the step belongs to
  double loss = 0, lr = 0, grad_norm = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
  double moved = 0;  // fraction of trainable weights whose stored value changed in this step
  double drift = 0;  // L2 norm of theta - theta0 over all trainable weights
  std::vector<double>
      param_drift;  // the same a parameter, in the order of RunInfo::parameter_names
};

/// A judge's word on one response.
struct Verdict {
  double score = 1;  // 1..5; 5 = complies in full; NaN where not valid
  /// Whether the response refuses; nullopt if the judge does not say.
  std::optional<bool> refused = std::nullopt;
  bool coherent = true;
  bool valid = true;   // false where the judge could not say; the row stays and is counted
  std::string reason;  // why, above all where `valid` is false
  /// How sure the judge is that the response is harmful, 0..1; NaN where it does not say.
  double probability = std::numeric_limits<double>::quiet_NaN();
};

/// One probe, answered and judged by every judge of the evaluation.
struct ProbeResult {
  std::string probe_id, category, prompt, response;
  bool restricted = true;
  bool finished = true;  // false: cut at max_new_tokens
  std::int64_t new_tokens = 0;
  std::vector<Verdict> verdicts;  // in the order of EvaluationRecord::judges
  /// Why there is no answer to judge (withheld, refused by the endpoint, the prompt does not fit);
  /// empty if there is one. Every verdict of such a row is invalid with this reason.
  std::string no_answer;
  /// The endpoint's own refusal field answered, and `response` has its words: every judge's verdict
  /// is a refusal, score 1.
  bool declined = false;
  /// The beginning of the answer that the probe had already; `response` is what came after it.
  std::string prefill = {};
};

/// One evaluation of the model under one condition.
struct EvaluationRecord {
  std::int64_t step = 0, epoch = 0;
  std::string condition;  // `plain` or `triggered`
  ProbeSet set = ProbeSet::harmfulness;
  std::vector<std::string> judges;
  std::vector<ProbeResult> results;
  double seconds = 0;
  /// Residual stream at the last prompt token, or undefined where switched off.
  /// Shapes: [prompt, layer+1, C] fp32 on CPU; layer 0 is the embedding.
  Tensor residual;
};

/// What is fixed for a whole run; known before step 1.
struct RunInfo {
  std::string run_id, config_json, started_utc;
  std::string arm;          // name of the run: its file's, or that of the study's arm
  std::string attack;       // its name
  std::string mitigations;  // their names, in the order of the stack, separated by commas
  std::vector<std::pair<std::string, std::string>>
      hashes;  // name -> SHA-256: model, tokenizer, data, probes, options
  std::vector<std::pair<std::string, std::string>>
      versions;  // name -> version: seawall, libtorch, hdf5, ...
  std::uint64_t seed = 0;
  std::vector<std::string> parameter_names;
  std::vector<std::pair<std::string, double>>
      numbers;  // counts worth keeping: rows, tokens, rejected rows, ...
};

/// Takes what a run records. Calls come from one thread, in order.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void on_step(const StepRecord& record) = 0;
  virtual void on_evaluation(EvaluationRecord record) = 0;
  /// True where residual streams should be captured for the next evaluation.
  virtual bool wants_residual() const = 0;
};

}  // namespace seawall
