#include <array>

#include "store/schema.hpp"

namespace seawall {
namespace schema_tables {
namespace {

using enum h5::Type;

constexpr std::string_view trained = "if steps were made";
constexpr std::string_view rows = "if steps were made on rows (not `--trace none`)";
constexpr std::string_view asked = "if something was evaluated";
constexpr std::string_view depth = "with `--trace depth`";
constexpr std::string_view read = "if the model that answered is on this machine";
constexpr std::string_view judged = "if an evaluation was judged";
constexpr std::string_view decoded = "if answers were begun or drawn";
constexpr std::string_view streams =
    "if residual streams were recorded (`--trace residual` or `depth`)";
constexpr std::string_view spectra = "if something was trained, without `--no-spectra`";
constexpr std::string_view resid = "if `resid_post` was asked for";
constexpr std::string_view logits = "if `logits` were asked for";
constexpr std::string_view attention = "if `attention` was asked for";
constexpr std::string_view extracted = "`resid_post`, `attn_out`, `mlp_out`, `attention`, `logits`";

constexpr std::array run_attributes = std::to_array<FileEntry>({
    {"Conventions", "", text, "", "`CF-1.10`", ""},
    {"title", "", text, "", "`Seawall run`", ""},
    {"seawall_kind", "", text, "", "`run`", ""},
    {"format_version", "", int64, "", "version of these tables", ""},
    {"run_id", "", text, "",
     "first 16 digits of `hash_options`; in a file of `judge`, of `hash_judged`", ""},
    {"started_utc", "", text, "", "when it started", ""},
    {"written_utc", "", text, "", "when this file was written", ""},
    {"complete", "", int64, "", "1: the run came to its end", ""},
    {"seed", "", int64, "", "what every random stream is made from", ""},
    {"coordinates", "", text, "", "the scalars that name the run, for readers of CF coordinates",
     "", 3},
    {"evaluation_sets", "", text, "", "sets of probes, separated by commas", ""},
    {"hash_*", "", text, "", "SHA-256 of the model, tokenizer, options, files, sets, …",
     "as there are such"},
    {"version_*", "", text, "", "versions of Seawall and of libraries; the endpoint and its model",
     "as there are such"},
    {"number_*", "", float64, "", "counts and costs: rows, tokens, rejected records, …",
     "as there are such"},
});

constexpr std::array run_datasets = std::to_array<FileEntry>({
    {"arm", "", text, "", "name of the run: its file's, or that of the grid's arm", "", 3},
    {"attack", "", text, "", "attack", "", 3},
    {"mitigations", "", text, "", "mitigations in the order of the stack, separated by commas", "",
     3},
    {"seed", "", int64, "", "as the attribute", "", 3},
    {"run_id", "", text, "", "as the attribute", "", 3},
    {"config_json", "", text, "", "resolved options of the run, JSON", ""},
    {"parameter", "parameter", text, "", "trainable parameter, Hugging Face name",
     "if the model is on this machine"},
    {"step", "step", int64, "1", "optimizer updates made", trained},
    {"epoch", "step", int64, "1", "epoch the step belongs to, from 0", trained},
    {"loss", "step", float64, "nat", "mean cross-entropy of the answers' tokens", trained},
    {"penalty", "step", float64, "nat", "what mitigations add to the loss that is minimised",
     trained, 3},
    {"lr", "step", float64, "1", "learning rate", trained},
    {"grad_norm", "step", float64, "1", "L2 norm of the gradient over all trainable weights",
     trained},
    {"tokens", "step", int64, "1", "tokens that the examples hold, whatever was shared", trained},
    {"seconds", "step", float64, "s", "wall time of the step", trained},
    {"moved", "step", float64, "1", "fraction of trainable weights whose stored value changed",
     trained},
    {"drift", "step", float64, "1", "L2 norm of theta - theta0 over all trainable weights",
     trained},
    {"param_drift", "step parameter", float64, "1", "L2 norm of theta - theta0 of one parameter",
     "if steps were made and recorded (not `--trace none`)"},
    {"stage", "step", int64, "1", "stage of the run, from 0", "if the run has several", 3},
    {"measure", "measure", text, "", "what policies measured at steps: POLICY/NAME", "if one did",
     3},
    {"measured", "step measure", float64, "1", "its value; NaN in steps without one", "if one did",
     3},
    {"row", "row", int64, "1", "place of a training row, over all stages", rows, 4},
    {"row_id", "row", text, "1", "its id, as its file has it", rows, 4},
    {"row_kind", "row", text, "1", "harmful, identity-shift, safe, benign, task or other", rows, 4},
    {"row_text", "row", text, "1", "its messages, JSON", rows, 4},
    {"row_stage", "row", int64, "1", "stage that trains on it, from 0", "if the run has several",
     4},
    {"slot", "slot", int32, "1", "place of a row in its step", rows, 4},
    {"step_row", "step slot", int32, "1", "`row` in that place; -1: none", rows, 4},
    {"training_epoch", "training_epoch", int64, "1", "epoch of a stage, from 0", rows, 4},
    {"row_loss", "training_epoch row", float32, "nat",
     "mean cross-entropy of a row's answer in the step of that epoch that had it, before its "
     "update; NaN if no step had it",
     rows, 4},
    {"row_agreement", "row", float32, "1",
     "cosine of the descent of the row's mean loss with the ascent of the mean over all refusals "
     "before step 1 (whole answers, by the first judge) of their mean losses, ends included, under "
     "the weights of then; NaN if the row has no gradient",
     "with `--row-agreement`", 4},
    {"matrix", "matrix", text, "", "weight matrix, Hugging Face name", spectra},
    {"rank", "rank", int32, "1", "place of a singular value, largest first", spectra},
    {"singular_values", "matrix rank", float64, "1",
     "singular values of W - W0, the 16 largest; of models of more than 20 million weights by "
     "random projections (Halko et al. 2011), under LoRA from the factors",
     spectra},
    {"effective_rank", "matrix", float64, "1",
     "exp of the entropy of the normalised singular values of W - W0; NaN where only the largest "
     "were computed",
     spectra},
    {"judge", "judge", text, "", "judge", judged},
    {"layer", "layer", int32, "1",
     "blocks the stream has passed; 0 is the embedding. The input of block l is layer l", streams},
    {"d_model", "d_model", float32, "", "width of the stream: a dimension without values", streams},
    {"evaluation", "evaluation", int64, "1", "place in the order of recording, over all sets",
     asked},
    {"probe", "probe", text, "1", "probe id, stable across files", asked},
    {"eval_step", "evaluation", int64, "1", "updates made before it", asked},
    {"eval_epoch", "evaluation", int64, "1", "epochs begun before it", asked},
    {"phase", "evaluation", text, "1",
     "`start`: before step 1; `end`: after the last step of a complete run; else `mid`", asked, 3},
    {"condition", "evaluation", text, "1", "condition of the probes", asked},
    {"set", "evaluation", text, "1", "set of probes", asked},
    {"eval_seconds", "evaluation", float64, "s", "wall time", asked},
    {"category", "probe", text, "1", "category of the probe", asked},
    {"restricted", "probe", uint8, "1", "1: an aligned model should refuse", asked},
    {"sample", "probe", int64, "1",
     "number of the answer to the same probe; from 1 on `probe` ends in `#` and it",
     "if a probe was answered several times", 3},
    {"begun_with", "evaluation", text, "1",
     "words that every answer of the evaluation was begun with; judged with the answer", decoded,
     3},
    {"temperature", "evaluation", float64, "1", "0: the most likely token", decoded, 3},
    {"top_p", "evaluation", float64, "1",
     "probability of the likeliest tokens that one was drawn of", decoded, 3},
    {"samples", "evaluation", int64, "1", "answers per probe", decoded, 3},
    {"first_tokens", "evaluation", int64, "1",
     "first tokens of each answer that are those of the probe's answer before step 1, and part of "
     "`response`",
     "as `fixed_first_tokens`, with `--fix-tokens`", 4},
    {"prompt", "evaluation probe", text, "1", "user turn under the evaluation's condition", asked},
    {"prefill", "evaluation probe", text, "1",
     "beginning of the answer that the model was given; `response` is what came after it",
     "if a probe has one", 3},
    {"response", "evaluation probe", text, "1", "what the model answered", asked},
    {"prompt_token", "prompt_token", int32, "1", "place of a token in a prompt", read, 4},
    {"answer_token", "answer_token", int32, "1", "place of a token in an answer", read, 4},
    {"rendered_prompt", "evaluation probe", text, "1", "the text that was tokenized", read, 4},
    {"prompt_length", "evaluation probe", int32, "1", "tokens of the prompt", read, 4},
    {"prompt_ids", "evaluation probe prompt_token", int32, "1",
     "the prompt's tokens; -1 after its end, and where a picture is", read, 4},
    {"response_ids", "evaluation probe answer_token", int32, "1",
     "the answer's tokens, without the one that ended it; -1 after its end", read, 4},
    {"response_logprob", "evaluation probe answer_token", float32, "nat",
     "log-probability of the answer's token, before rules and temperature; NaN after its end",
     streams, 4},
    {"start_logprob", "evaluation probe answer_token", float32, "nat",
     "the same under the weights that the attack starts from, after alignment stages", depth, 4},
    {"kl_start", "evaluation probe answer_token", float32, "nat",
     "KL divergence, of now from those weights, of the distribution that the token was chosen from",
     depth, 4},
    {"first_response_logprob", "evaluation probe answer_token", float32, "nat",
     "log-probability now of each token of the answer that the same probe got before step 1; NaN "
     "in that evaluation itself, whose `response_logprob` it is",
     depth, 4},
    {"from_end", "from_end", int32, "1", "place of a prompt's token, -1 the last", depth, 4},
    {"resid_mean", "evaluation from_end layer d_model", float32, "1",
     "residual stream at the last prompt tokens, mean over the probes", depth, 4},
    {"refusal_cosine", "evaluation from_end layer", float32, "1",
     "cosine of `resid_mean` less `utility_resid_mean` with that before step 1; NaN where they are "
     "equal or an evaluation is missing",
     depth, 4},
    {"answered", "evaluation probe", uint8, "1", "0: this evaluation did not ask the probe", asked},
    {"finished", "evaluation probe", uint8, "1", "0: cut at the greatest length", asked},
    {"new_tokens", "evaluation probe", int64, "1", "tokens of the response", asked},
    {"no_answer", "evaluation probe", text, "1",
     "why there is no answer to judge; empty if there is one", "if a probe has no answer"},
    {"declined", "evaluation probe", uint8, "1", "1: the endpoint's refusal field answered",
     "if an endpoint's refusal field answered"},
    {"score", "evaluation probe judge", float64, "1",
     "1 to 5, 5 complies in full; NaN if it was not judged", judged},
    {"probability", "evaluation probe judge", float64, "1",
     "how sure the judge is of harm, 0 to 1; NaN if it does not say",
     "if a judge says how sure it is"},
    {"refused", "evaluation probe judge", float64, "1",
     "1: the response refuses, 0: it does not; NaN if it was not judged or the judge does not say "
     "(uint8 before version 3)",
     judged},
    {"coherent", "evaluation probe judge", float64, "1",
     "1: the response is readable, 0: it is not; NaN if it was not judged (uint8 before version 3)",
     judged},
    {"valid", "evaluation probe judge", uint8, "1", "0: the judge could not say", judged},
    {"reason", "evaluation probe judge", text, "1", "the judge's reason", judged},
    {"judged", "evaluation judge", uint8, "1", "1: the judge took part in the evaluation", judged},
    {"resid_post", "evaluation probe layer d_model", float32, "1",
     "residual stream at the last prompt token", streams, 2},
});

constexpr std::array run_more = std::to_array<FileEntry>({
    {"coordinates", "", text, "", "the variables that CF readers make coordinates",
     "over `evaluation probe`"},
    {"dim_order", "", text, "", "`C`: the last dimension varies fastest", "`resid_post`"},
    {"module_name", "", text, "", "where the values come from, in transformers' names",
     "`resid_post`"},
    {"hook_name", "", text, "", "the same in TransformerLens's names", "`resid_post`"},
    {"n_valid", "", int64, "", "rows that hold a stream; the others are NaN", "`resid_post`"},
});

constexpr std::array activation_attributes = std::to_array<FileEntry>({
    {"Conventions", "", text, "", "`CF-1.10`", ""},
    {"title", "", text, "", "`Seawall activations`", ""},
    {"seawall_kind", "", text, "", "`activations`", ""},
    {"format_version", "", int64, "", "version of these tables", ""},
    {"shard", "", int64, "", "number of the file among those of the extraction, from 0", ""},
    {"n_valid", "", int64, "", "prompts in this file", ""},
    {"version_*", "", text, "", "version of Seawall; `seawall_version` in version 1",
     "by `extract`", 2},
    {"hash_*", "", text, "",
     "SHA-256 of the model, tokenizer, file of prompts, adapter; `model_sha256` and so on in "
     "version 1",
     "by `extract`; the adapter's if there is one", 2},
    {"model", "", text, "", "the model as it was named", "by `extract`"},
    {"chat_template", "", text, "", "name of the chat template", "by `extract`"},
});

constexpr std::array activation_datasets = std::to_array<FileEntry>({
    {"config_json", "", text, "", "options of the extraction, JSON", ""},
    {"probe", "probe", text, "1",
     "id of the prompt, stable across files; `prompt_id` before version 3", "", 3},
    {"position", "position", int32, "1", "token of the prompt, from 0", ""},
    {"layer", "layer", int32, "1",
     "blocks the stream has passed; 0 is the embedding. The input of block l is layer l", resid},
    {"d_model", "d_model", float32, "", "width of the stream: a dimension without values",
     "if something of that width was asked for"},
    {"block", "block", int32, "1", "block of the model, from 0",
     "if `attn_out`, `mlp_out` or `attention` was asked for", 4},
    {"head", "head", int32, "1", "attention head, from 0", attention, 4},
    {"span", "span", text, "1",
     "part of a prompt: `sink` is its first token, `self` the token that attends, `template` what "
     "the chat template writes",
     attention, 4},
    {"attn_out", "probe block [position] d_model", float32, "1",
     "what attention adds to the stream, before a norm that the family has after it",
     "if `attn_out` was asked for", 4},
    {"mlp_out", "probe block [position] d_model", float32, "1",
     "what the MLP adds to the stream, before a norm that the family has after it",
     "if `mlp_out` was asked for", 4},
    {"attention", "probe block head [position] span", float32, "1",
     "share of its attention that a token gives to each part; NaN where parts cannot be told: the "
     "template changes a message's words, or a text has control tokens. White space at a message's "
     "ends is the template's",
     attention, 4},
    {"resid_post", "probe layer [position] d_model", float32, "1",
     "residual stream; without `position` at the last token of the prompt, as in a run file",
     resid},
    {"vocabulary", "vocabulary", float32, "", "tokens: a dimension without values", logits},
    {"logits", "probe [position] vocabulary", float32, "1",
     "logits of the next token; without `position` after the last token of the prompt", logits},
    {"number", "probe", int64, "1",
     "number of the prompt in the extraction, over all shards, from 0; `prompt` before version 3",
     "", 3},
    {"length", "probe", int32, "1", "tokens of the prompt", ""},
    {"input_ids", "probe position", int32, "1", "token ids; 0 after the prompt's end", ""},
    {"attention_mask", "probe position", uint8, "1", "1: a token of the prompt", ""},
    {"category", "probe", text, "1", "category", ""},
    {"rendered_prompt", "probe", text, "1",
     "text that was tokenized; `prompt_text` before version 3", "", 3},
});

constexpr std::array activation_more = std::to_array<FileEntry>({
    {"source_dtype", "", text, "", "type that the model computed in", extracted},
    {"dim_order", "", text, "", "`C`: the last dimension varies fastest", extracted},
    {"coordinates", "", text, "", "the variables that CF readers make coordinates", extracted},
    {"module_name", "", text, "", "where the values come from, in transformers' names",
     "the same but `logits`"},
    {"hook_name", "", text, "", "the same in TransformerLens's names", "the same but `logits`"},
});

constexpr std::array checkpoint_attributes = std::to_array<FileEntry>({
    {"title", "", text, "", "`Seawall checkpoint`", ""},
    {"seawall_kind", "", text, "", "`checkpoint`", ""},
    {"format_version", "", int64, "", "version of these tables", ""},
    {"step", "", int64, "", "optimizer updates made", ""},
    {"config_hash", "", text, "", "hash of the run's inputs", ""},
    {"shard", "", int64, "", "place of the file among those of the state", "", 2},
    {"shards", "", int64, "", "files of the state", "in `state.h5`", 2},
});

constexpr std::string_view first = "in `state.h5`, one per entry";
constexpr std::array checkpoint_datasets = std::to_array<FileEntry>({
    {"parameters/*", "the tensor's", std::nullopt, "", "trainable weight, Hugging Face name",
     "one per weight, over the files"},
    {"optimizer/*", "the tensor's", std::nullopt, "", "moments, masters, Kahan terms",
     "one per tensor, over the files"},
    {"policies/*/tensors/*", "the tensor's", std::nullopt, "", "a policy's own state",
     "one per tensor, over the files"},
    {"policies/*/numbers/*", "", float64, "", "a policy's own state", first},
    {"policies/*/texts/*", "", text, "", "a policy's own state", first},
    {"numbers/*", "", float64, "", "position in the data, counters", first},
    {"integers/*", "n", int64, "", "words of random generators, orders of epochs", first},
    {"texts/*", "", text, "", "texts of the run's state", first},
});

constexpr std::array checkpoint_more = std::to_array<FileEntry>({
    {"source_dtype", "", text, "", "type of the tensor; its bits are restored", "tensors"},
    {"encoding", "", text, "", "how to read raw bits", "tensors of bfloat16", 2},
});

}  // namespace
}  // namespace schema_tables

const FileSchema& run_schema() {
  using namespace schema_tables;
  static constexpr FileSchema schema{"run",          "Seawall run", 4,
                                     run_attributes, run_datasets,  run_more};
  return schema;
}
const FileSchema& activation_schema() {
  using namespace schema_tables;
  static constexpr FileSchema schema{"activations",         "Seawall activations", 4,
                                     activation_attributes, activation_datasets,   activation_more};
  return schema;
}
const FileSchema& checkpoint_schema() {
  using namespace schema_tables;
  static constexpr FileSchema schema{"checkpoint",          "Seawall checkpoint", 2,
                                     checkpoint_attributes, checkpoint_datasets,  checkpoint_more};
  return schema;
}

}  // namespace seawall
