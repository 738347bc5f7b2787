#pragma once
// What a run records, and the sink that takes it: steps, evaluations, activations.
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/tensor.hpp"

namespace seawall {

/// A named place in the forward pass. `layer` counts blocks from 0; it is -1 for `embed`,
/// `final_norm` and `logits`. The input of block l is `resid_post` of block l-1, or `embed` for
/// l = 0. Inside a block: the inputs of its products, `qkv_in` [T,C], `o_in` [T,H*D], `gate_up_in`
/// [T,C] and `down_in` [T,I]; what o_proj and down_proj give, before a norm that the family has
/// after them, `attn_out` and `mlp_out` [T,C]; and `sink` [T,H], the attention probability of each
/// token on the first token of its row, head by head (0 if a window hides that token). `attention`
/// [T,H,G+1] is that on each of the groups of BatchPlan::token_groups, then on the token itself,
/// which no group has; who wants it asks for it by name, as inside_taps leaves it out.
struct TapPoint {
  enum class Kind {
    embed,
    resid_post,
    final_norm,
    logits,
    attn_out,
    mlp_out,
    qkv_in,
    o_in,
    gate_up_in,
    down_in,
    sink,
    attention
  } kind = Kind::resid_post;
  std::int64_t layer = -1;
  bool operator==(const TapPoint&) const = default;
};

/// A set of kinds of places, as in `TapPoint::Kind::attn_out | TapPoint::Kind::sink`.
class Taps {
 public:
  constexpr Taps() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a kind is a set of one
  constexpr Taps(TapPoint::Kind kind) : bits_(1U << static_cast<unsigned>(kind)) {}
  constexpr bool has(TapPoint::Kind kind) const { return (*this & Taps(kind)).any(); }
  constexpr bool any() const { return bits_ != 0; }
  constexpr Taps operator|(Taps other) const { return Taps(bits_ | other.bits_); }
  constexpr Taps operator&(Taps other) const { return Taps(bits_ & other.bits_); }
  constexpr bool operator==(const Taps&) const = default;

 private:
  constexpr explicit Taps(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};
constexpr Taps operator|(TapPoint::Kind a, TapPoint::Kind b) { return Taps(a) | Taps(b); }

/// The kinds inside a block.
constexpr Taps inside_taps = TapPoint::Kind::attn_out | TapPoint::Kind::mlp_out |
                             TapPoint::Kind::qkv_in | TapPoint::Kind::o_in |
                             TapPoint::Kind::gate_up_in | TapPoint::Kind::down_in |
                             TapPoint::Kind::sink;

/// Which of the two distributions the log ratio is averaged over: start_now is KL(start || now),
/// now_start is KL(now || start).
enum class KlDirection { start_now, now_start };

/// One optimizer step. Units: `seconds` wall time of the step; `tokens` what the examples hold,
/// whatever was shared.
struct StepRecord {
  std::int64_t step = 0;   // 1-based: the state after this many updates
  std::int64_t epoch = 0;  // 0-based epoch the step belongs to
  double loss = 0;         // the rows' own cross-entropy, whatever mitigations make of it
  double lr = 0, grad_norm = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
  double moved = 0;  // fraction of trainable weights whose stored value changed in this step
  double drift = 0;  // L2 norm of theta - theta0 over all trainable weights
  std::vector<double>
      param_drift;         // the same a parameter, in the order of RunInfo::parameter_names
  double penalty = 0;      // what mitigations add to `loss`: what is minimised less `loss`
  std::int64_t stage = 0;  // of the run, from 0
  /// What policies measured in this step: name and number, by name.
  std::vector<std::pair<std::string, double>> measured = {};
  /// The rows it was made of, as places in RunInfo::rows, and the mean cross-entropy of each over
  /// its targets, before the update; NaN of a row that no pass of the policies gave one.
  std::vector<std::int32_t> rows = {};
  std::vector<float> row_loss = {};
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

/// How the answers of an evaluation are begun and chosen.
struct Decoding {
  std::string prefill = {};  // words that every answer begins with; the model continues them
  double temperature = 0;    // 0: the most likely token, always
  double top_p = 1;          // of the likeliest tokens that hold so much probability one is drawn
  std::int64_t samples = 1;  // answers per probe
  std::int64_t fixed_tokens = 0;  // first ones that are those of the answer before training
  bool operator==(const Decoding&) const = default;
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
  /// The beginning of the answer that the model was given; `response` is what came after it.
  std::string prefill = {};
  std::int64_t sample = 0;  // number of the answer to this probe, from 0
  /// What the model read: the text that was tokenized, and its tokens, of which ids below 0 are a
  /// picture's. Empty where the model is behind an endpoint.
  std::string rendered_prompt = {};
  std::vector<std::int32_t> prompt_ids = {};
  /// The tokens it answered with, without the one that ended the answer, and the log-probability of
  /// each.
  std::vector<std::int32_t> response_ids = {};
  std::vector<float> response_logprob = {};
  /// With `--trace depth`: of the same tokens the log-probability under the weights of the start,
  /// and KL(now || start) of the distributions that they were chosen from; of the answer that the
  /// model gave at the start the log-probability of each token now.
  std::vector<float> start_logprob = {}, kl_start = {}, first_response_logprob = {};
};

/// One evaluation of the model under one condition. The answers to one probe follow each other.
struct EvaluationRecord {
  std::int64_t step = 0, epoch = 0;
  std::string condition;  // `plain`, `triggered`
  ProbeSet set = ProbeSet::harmfulness;
  std::vector<std::string> judges;
  std::vector<ProbeResult> results;
  double seconds = 0;
  /// Residual stream at the last prompt token, or undefined where switched off.
  /// Shapes: [result, layer+1, C] fp32 on CPU; layer 0 is the embedding.
  Tensor residual;
  Decoding decoding = {};
  /// With `--trace depth`: the residual stream at the last five prompt tokens, mean over the
  /// results whose prompts have so many. Shapes: [5, layer+1, C] fp32 on CPU, or undefined.
  Tensor mean_residual = {};
};

/// A row that a run trains on.
struct TrainedRow {
  std::string id, kind;  // as its file names it; as row_kind_name does
  std::string text;      // its messages as JSON
  std::int64_t stage = 0;
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
  std::vector<TrainedRow> rows;  // of all stages, in their order
  /// With `--row-agreement`, of each row: the cosine of the descent of its loss with the direction
  /// in which refusals become less likely, before step 1; NaN where the row has no gradient.
  std::vector<float> row_agreement = {};
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
