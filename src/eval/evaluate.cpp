#include "seawall/eval/evaluate.hpp"

#include <ATen/ops/full.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <span>

#include "seawall/core/error.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/core/text.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/probe_prompts.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/eval/stop_strings.hpp"
#include "seawall/model/generate.hpp"

namespace seawall {
namespace {

/// A judge that cannot say leaves a row without a score and with the reason.
void check_verdict(Verdict& v) {
  if (v.valid && !(v.score >= 1 && v.score <= 5)) {
    const std::string score = std::to_string(v.score);
    v.valid = false;
    v.reason = "want a score of 1 to 5, got " + score + (v.reason.empty() ? "" : ": " + v.reason);
  }
  if (!v.valid) {
    v.score = v.probability = not_measured;
    v.refused = std::nullopt;
    if (v.reason.empty()) v.reason = "the judge gave no reason";
  }
}

/// The residual rows of those asked, in their places among all; NaN for the others.
/// Shapes: [asked,L+1,C] -> [result,L+1,C].
Tensor over_all_rows(const Tensor& residual, const std::vector<std::size_t>& rows,
                     std::size_t results) {
  if (!residual.defined() || rows.size() == results) return residual;
  const auto count = static_cast<std::int64_t>(results);
  Tensor out =
      at::full({count, residual.size(1), residual.size(2)}, not_measured, residual.options());
  for (std::size_t i = 0; i < rows.size(); ++i)
    out[static_cast<std::int64_t>(rows[i])].copy_(residual[static_cast<std::int64_t>(i)]);
  return out;
}

/// The verdict on a row that no judge is given; nullopt if there is something to judge.
std::optional<Verdict> verdict_without_judge(const ProbeResult& result) {
  if (result.declined)
    return Verdict{.score = 1,
                   .refused = true,
                   .coherent = looks_coherent(result.response),
                   .reason = "refused by the endpoint's refusal field"};
  if (result.no_answer.empty()) return std::nullopt;
  Verdict none{.valid = false, .reason = "no answer: " + result.no_answer};
  check_verdict(none);
  return none;
}

/// The answer in what a model wrote: what comes after its thinking, which the end of the prompt may
/// have opened.
void put_answer(ProbeResult& result, const std::string& prompt_end, std::string written) {
  const auto last = prompt_end.find_last_not_of(" \t\r\n");
  const bool opened = last != std::string::npos &&
                      std::string_view(prompt_end).substr(0, last + 1).ends_with("<think>");
  const std::string whole = (opened ? "<think>" : "") + written;
  if (const auto answer = after_thinking(whole)) {
    result.response = std::string(*answer);
  } else {
    result.response = std::move(written);
    result.no_answer = "the model's thinking does not end; allow more tokens (--max-new-tokens)";
  }
}

/// The last few tokens of a prompt as text.
std::string end_of_prompt(const Tokenizer& tokenizer, const TokenIds& ids) {
  const auto few = static_cast<std::ptrdiff_t>(std::min<std::size_t>(ids.size(), 6));
  TokenIds tail(ids.end() - few, ids.end());
  std::erase_if(tail, [](std::int32_t id) { return id < 0; });  // a picture's places
  return tokenizer.decode(tail);
}

ProbeResult unanswered(const Probe& probe, const ProbePrompt& prompt, std::int64_t sample) {
  ProbeResult result;
  result.probe_id = probe.id;
  result.category = probe.category;
  result.prompt = prompt.text;
  result.restricted = probe.restricted;
  result.no_answer = prompt.no_answer;
  result.prefill = prompt.prefill;
  result.sample = sample;
  result.rendered_prompt = prompt.rendered;
  result.prompt_ids = prompt.ids;
  return result;
}

/// How the results at `rows` are answered. Speaker, options and rows must outlive it.
GenerateOptions generation(const Speaker& speaker, const EvaluateOptions& options,
                           const EvaluationRecord& record, const std::vector<std::size_t>& rows) {
  GenerateOptions out;
  out.max_new_tokens = options.max_new_tokens;
  out.max_batch = options.max_batch;
  out.residual = options.residual;
  out.log_probs = options.log_probs;
  out.progress = options.progress;
  out.edit = options.edit;
  out.rules = speaker.rules;
  if (!speaker.rules.stop_strings.empty())
    out.ends = [&speaker](std::span<const std::int32_t> prompt,
                          std::span<const std::int32_t> answer) {
      return completes_stop_string(speaker.tokenizer, speaker.rules.stop_strings, prompt, answer);
    };
  out.stop_ids = speaker.chat_template.stop_ids(speaker.tokenizer);
  std::ranges::copy(speaker.stop_ids, std::back_inserter(out.stop_ids));
  out.temperature = options.decoding.temperature;
  out.top_p = options.decoding.top_p;
  if (out.temperature > 0)
    for (const std::size_t row : rows) {
      const ProbeResult& result = record.results[row];
      out.streams.push_back(
          Rng(options.seed)
              .stream("answer/" + std::to_string(result.sample) + "/" + result.probe_id));
    }
  if (options.choose)
    out.choose = [&options, &rows](const TokenChoice& choice, Tensor logits) {
      AnswerStep step{.place = choice.place, .rows = {}, .under = choice.under};
      for (const auto prompt : choice.rows)
        step.rows.push_back(static_cast<std::int64_t>(rows[static_cast<std::size_t>(prompt)]));
      return options.choose(step, std::move(logits));
    };
  return out;
}

}  // namespace

EvaluationRecord answer_probes(const Speaker& speaker, const std::vector<Probe>& probes,
                               const std::function<Dialogue(const Probe&)>& ask,
                               const EvaluateOptions& options) {
  if (probes.empty())
    throw UsageError("evaluation: no probe; give --probes or a scenario that has some");
  EvaluationRecord record;

  std::optional<PictureRows> pictures;
  const auto prompts = probe_prompts(speaker, probes, ask, pictures);
  if (none_fits(prompts))
    throw DataError("evaluation: " + unfit_probes(probes, prompts, "probes") +
                    "; give probes that the model can read");
  record.decoding = options.decoding;
  std::vector<TokenIds> asked, begun;  // the prompts, with what answers begin with; that
  std::vector<std::size_t> rows;       // of those asked, among the results
  for (std::size_t i = 0; i < probes.size(); ++i)
    for (std::int64_t sample = 0; sample < options.decoding.samples; ++sample) {
      record.results.push_back(unanswered(probes[i], prompts[i], sample));
      if (!prompts[i].no_answer.empty()) continue;
      asked.push_back(prompts[i].ids);
      rows.push_back(record.results.size() - 1);
      begun.push_back(options.begin ? options.begin(record.results.back()) : TokenIds());
      std::ranges::copy(begun.back(), std::back_inserter(asked.back()));
    }

  GenerateOptions generate_options = generation(speaker, options, record, rows);
  if (pictures) generate_options.embeddings = pictures->embeddings();
  GenerateResult generated = generate(speaker.decoder, asked, generate_options);

  for (std::size_t i = 0; i < rows.size(); ++i) {
    ProbeResult& result = record.results[rows[i]];
    const Generation& row = generated.rows[i];
    result.response_ids = std::move(begun[i]);
    std::ranges::copy(row.ids, std::back_inserter(result.response_ids));
    put_answer(result, end_of_prompt(speaker.tokenizer, result.prompt_ids),
               speaker.tokenizer.decode(result.response_ids));
    result.finished = row.finished;
    result.new_tokens = static_cast<std::int64_t>(result.response_ids.size());
    if (!options.begin) result.response_logprob = row.log_probs;
  }
  record.residual = over_all_rows(generated.residual, rows, record.results.size());
  return record;
}

EvaluationRecord evaluate(const Speaker& speaker, const std::vector<Probe>& probes,
                          const std::function<Dialogue(const Probe&)>& ask, const Judges& judges,
                          const EvaluateOptions& options) {
  if (judges.empty()) throw UsageError("evaluation: no judge; give at least one --judge");
  const auto begin = std::chrono::steady_clock::now();
  EvaluationRecord record = answer_probes(speaker, probes, ask, options);
  judge_record(record, probes, judges);
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

std::string judged_text(const EvaluationRecord& record, const ProbeResult& result) {
  return record.decoding.prefill.empty() ? result.response : result.prefill + result.response;
}

std::vector<Verdict> verdicts_of(const Judge& judge, std::span<const Answer> answers) {
  std::vector<Verdict> verdicts;
  std::string why;
  try {
    verdicts = judge.grade_all(answers);
    if (verdicts.size() != answers.size())
      why = "want " + std::to_string(answers.size()) + " verdicts, got " +
            std::to_string(verdicts.size());
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& e) {
    if (is_out_of_memory(e)) throw;  // not that answers could not be judged
    why = e.what();
  }
  if (!why.empty()) verdicts.assign(answers.size(), {.valid = false, .reason = why});
  for (auto& verdict : verdicts) check_verdict(verdict);
  return verdicts;
}

void judge_record(EvaluationRecord& record, const std::vector<Probe>& probes,
                  const Judges& judges) {
  const std::size_t each = probes.empty() ? 0 : record.results.size() / probes.size();
  if (each * probes.size() != record.results.size())
    throw UsageError("judge: want the probe of each result, got " + std::to_string(probes.size()) +
                     " probes for " + std::to_string(record.results.size()) + " results");
  std::vector<std::string> texts;
  texts.reserve(record.results.size());  // answers look into them
  std::vector<Answer> answers;
  std::vector<std::size_t> rows;  // of the answers
  for (std::size_t i = 0; i < record.results.size(); ++i) {
    ProbeResult& result = record.results[i];
    result.verdicts.clear();
    if (const auto verdict = verdict_without_judge(result)) {
      result.verdicts.assign(judges.size(), *verdict);
      continue;
    }
    texts.push_back(judged_text(record, result));
    answers.push_back({&probes[i / each], result.prompt, texts.back(), result.finished});
    rows.push_back(i);
  }
  record.judges.clear();
  for (const auto& judge : judges) {
    record.judges.emplace_back(judge->name());
    if (answers.empty()) continue;
    auto verdicts = verdicts_of(*judge, answers);
    for (std::size_t i = 0; i < verdicts.size(); ++i)
      record.results[rows[i]].verdicts.push_back(std::move(verdicts[i]));
  }
}

}  // namespace seawall
