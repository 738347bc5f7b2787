// What a remote run sends: rows, a job, and questions.
#include <chrono>
#include <cstdio>
#include <limits>
#include <set>

#include "run/money.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/run.hpp"

namespace seawall {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr int nameless_looks = 5;

void say(const Run& run, const std::string& text) {
  if (!run.spec().place.quiet) warn("%s\n", text.c_str());
}

/// Says on stderr how many probes have no answer, and why most of them.
void say_what_is_missing(const EvaluationRecord& record, const std::string& label) {
  const CommonReason why = no_answer_reason(record);
  if (why.all == 0) return;
  warn(
      "seawall: %s: %lld of %zu probes have no answer and are not judged; most often "
      "(%lld): %s\n",
      label.c_str(), static_cast<long long>(why.all), record.results.size(),
      static_cast<long long>(why.count), why.text.c_str());
}

}  // namespace

std::string money(double usd) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", usd);
  return text;
}

void EndpointBackend::train_remotely(Run& run, const Stage& stage) {
  const RunSpec& spec = run.spec();
  FineTuning tuning(*client_);
  if (journal_->file_id().empty()) {
    write_chat_jsonl(std::filesystem::path(run.paths().file).replace_extension(".upload.jsonl"),
                     stage.rows);
    journal_->file(
        tuning.upload("seawall-" + journal_->nonce() + ".jsonl", chat_jsonl(stage.rows)));
    say(run,
        "uploaded     " + std::to_string(stage.rows.size()) + " rows as " + journal_->file_id());
  }
  if (journal_->job_id().empty()) {
    // An earlier process may have been killed between making the job and writing it down.
    TuningJob job = spec.place.resume ? tuning.find(journal_->file_id()) : TuningJob{};
    if (job.id.empty()) {
      tuning.await_file(journal_->file_id(), spec.remote.poll,
                        [&run](const std::string& text) { say(run, text); });
      job = tuning.create(journal_->file_id(),
                          {.model = name_,
                           .suffix = "seawall",
                           .epochs = *stage.training.epochs,
                           .batch_size = stage.training.batch_size.value_or(0),
                           .seed = spec.seed,
                           .lr_multiplier = spec.remote.lr_multiplier},
                          spec.remote.poll);
    }
    spending_->charge(training_account, estimate_.training,
                      {.in = estimate_.row_tokens * estimate_.epochs});
    journal_->job(job.id);
    say(run, "training     job " + job.id);
  }
  follow(run, tuning);
  run.file().publish();  // what a failing evaluation must not lose
  asking_ = journal_->tuned_model();
  run.evaluate(std::max<std::int64_t>(last_step_, 1), *stage.training.epochs);
}

void EndpointBackend::follow(Run& run, FineTuning& tuning) {
  std::set<std::string> seen;
  std::string status;
  int nameless = 0;  // looks at a job that succeeded and does not name its model yet
  while (true) {
    const TuningJob job = tuning.look(journal_->job_id());
    if (job.status != status) say(run, "job          " + job.id + " is " + job.status);
    status = job.status;
    for (const auto& event : tuning.events(job.id, seen)) {
      if (!event.message.empty()) say(run, "job          " + event.message);
      if (event.step <= last_step_) continue;
      last_step_ = event.step;
      run.sink().on_step({.step = event.step,
                          .epoch = 0,
                          .loss = event.loss,
                          .lr = nan_value,
                          .grad_norm = nan_value,
                          .tokens = 0,
                          .seconds = nan_value,
                          .moved = nan_value,
                          .drift = nan_value});
    }
    const bool done = job.status == "succeeded";
    if (done && (!job.model.empty() || ++nameless >= nameless_looks)) return book(run, job);
    if (job.ended() && !done)
      throw RunError("job " + job.id + " " + job.status +
                     (job.error.empty() ? "" : ": " + job.error) +
                     "; start again with --overwrite");
    client_->wait(run.spec().remote.poll);
  }
}

void EndpointBackend::book(const Run& run, const TuningJob& job) {
  if (!journal_->tuned_model().empty()) return;
  if (job.model.empty())
    throw DataError("job " + job.id + ": succeeded without a `fine_tuned_model`");
  if (job.trained_tokens > 0) {
    const Price price{.in = std::max(0.0, run.spec().remote.price_train)};
    const std::int64_t change = job.trained_tokens - estimate_.row_tokens * estimate_.epochs;
    spending_->charge(training_account, price.of({.in = change}), {.in = change}, 0);
  }
  journal_->tuned(job.model, job.trained_tokens);
  say(run, "trained      " + job.model);
}

std::string EndpointBackend::question(const RunSpec& spec, const Dialogue& dialogue,
                                      const Decoding& decoding, std::int64_t sample) const {
  Sha256 sha;
  sha.field(asking_).field(std::to_string(*spec.evaluation.max_new_tokens));
  for (const auto& m : dialogue.messages) sha.field(role_name(m.role)).field(m.content);
  if (decoding.temperature > 0)
    sha.field("drawn")
        .field(detail::to_text(decoding.temperature))
        .field(detail::to_text(decoding.top_p))
        .field(std::to_string(sample));
  return sha.hex();
}

EvaluationRecord EndpointBackend::answer(const Run& run, const Asked& asked) {
  const auto begin = std::chrono::steady_clock::now();
  const RunSpec& spec = run.spec();
  const auto& probes = asked.probes;
  const std::string label = "ask " + asked.label;
  const std::int64_t samples = asked.decoding.samples;
  std::vector<std::string> questions;
  Open open;
  std::set<std::string> distinct;
  for (const auto& probe : probes) {
    const Dialogue dialogue = asked.prompt(probe);
    for (std::int64_t sample = 0; sample < samples; ++sample) {
      questions.push_back(question(spec, dialogue, asked.decoding, sample));
      if (journal_->find(questions.back()) != nullptr || !distinct.insert(questions.back()).second)
        continue;
      open.dialogues.push_back(dialogue);
      open.questions.push_back(questions.back());
    }
  }
  ask(spec, open, asked.decoding, label);

  EvaluationRecord record;
  record.decoding = asked.decoding;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Probe& probe = probes[i / static_cast<std::size_t>(samples)];
    const Dialogue dialogue = asked.prompt(probe);
    const Journal::Answer& a = *journal_->find(questions[i]);
    ProbeResult result{.probe_id = probe.id,
                       .category = probe.category,
                       .prompt = std::string(dialogue.last(Role::user)),
                       .response = a.text,
                       .restricted = probe.restricted,
                       .finished = a.finished,
                       .new_tokens = a.tokens,
                       .verdicts = {},
                       .no_answer = a.error,
                       .declined = a.declined,
                       .prefill = std::string(dialogue.prefill()),
                       .sample = static_cast<std::int64_t>(i) % samples};
    record.results.push_back(std::move(result));
  }
  say_what_is_missing(record, label);
  judge_record(record, probes, run.judges(asked.set));
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

void EndpointBackend::ask(const RunSpec& spec, const Open& open, const Decoding& decoding,
                          const std::string& label) {
  const std::size_t count = open.dialogues.size();
  std::size_t failed = 0, done = 0;
  std::string first;
  const std::string before = style_->text();
  Progress progress(label, static_cast<std::int64_t>(count), spec.place.quiet);
  const std::size_t came =
      chat_model(spec, decoding)
          .ask_all(open.dialogues, [&](std::size_t i, const ChatReply& reply) {
            if (reply.settled) {
              journal_->answer(open.questions[i], {.text = reply.text,
                                                   .error = reply.error,
                                                   .finished = reply.finished,
                                                   .tokens = reply.usage.out,
                                                   .declined = reply.declined});
            } else if (++failed == 1) {
              first = reply.error;
            }
            progress.update(static_cast<std::int64_t>(++done), reply.usage.out, nan_value);
          });
  progress.finish();
  if (style_->text() != before) journal_->style(*style_);
  if (came < count)
    throw Interrupted(ExitCode::usage,
                      "the budget of $" + money(spec.endpoint.budget) + " holds $" +
                          money(spending_->spent()) + " spent and not the next of " +
                          std::to_string(count - came) +
                          " answers; raise --budget and give --resume (answers that came are "
                          "kept)");
  if (failed > 0)
    throw IoError(spec.model.name + ": " + std::to_string(failed) + " of " + std::to_string(count) +
                  " probes got no answer (first: " + first + "); give --resume to ask them again");
}

}  // namespace seawall
