#include "seawall/run/remote_run.hpp"

#include <chrono>
#include <cstdio>
#include <limits>
#include <set>

#include "run/remote_arm.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/run_provenance.hpp"

namespace seawall {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kNamelessLooks = 5;

}  // namespace

RunData RemoteArm::run() {
  const RemoteEstimate estimate = reckon();
  const std::string text = estimate.text(spec_, client_->endpoint().url());
  if (spec_.dry_run) {
    tell("%s%snothing was sent or written\n", text.c_str(),
         estimate.total() > spec_.endpoint.budget
             ? "the run would not start: the estimate exceeds the budget\n"
             : "");
    return {};
  }
  begin();
  if (spec_.remote.cancel) return cancel();
  if (estimate.total() > spec_.endpoint.budget)
    throw UsageError("the run is estimated at $" + money(estimate.total()) + ", --budget is $" +
                     money(spec_.endpoint.budget) +
                     "; raise it, or take fewer rows, epochs or probes (--dry-run says what "
                     "costs what)");
  confirm(text);
  open_run_file();
  if (!rows_.empty()) {
    if (spec_.evaluate_at == "both") evaluate(name_, 0, 0);
    train(estimate);
    file_->publish();  // what a failing evaluation must not lose
    evaluate(journal_->tuned_model(), std::max<std::int64_t>(last_step_, 1), spec_.epochs);
  } else {
    evaluate(name_, 0, 0);
  }
  return finish();
}

void RemoteArm::say(const std::string& text) const {
  if (!spec_.quiet) warn("%s\n", text.c_str());
}

RunData RemoteArm::cancel() {
  if (journal_->job_id().empty())
    throw UsageError(paths_.journal.string() + ": has no fine-tuning job to cancel");
  const TuningJob job = FineTuning(*client_).cancel(journal_->job_id());
  tell("job %s: %s\n", job.id.c_str(), job.status.c_str());
  return {};
}

void RemoteArm::train(const RemoteEstimate& estimate) {
  FineTuning tuning(*client_);
  if (journal_->file_id().empty()) {
    write_chat_jsonl(paths_.upload, rows_);
    journal_->file(tuning.upload("seawall-" + journal_->nonce() + ".jsonl", chat_jsonl(rows_)));
    say("uploaded     " + std::to_string(rows_.size()) + " rows as " + journal_->file_id());
  }
  if (journal_->job_id().empty()) {
    // An earlier process may have been killed between making the job and writing it down.
    TuningJob job = spec_.resume ? tuning.find(journal_->file_id()) : TuningJob{};
    if (job.id.empty()) {
      tuning.await_file(journal_->file_id(), spec_.remote.poll,
                        [this](const std::string& text) { say(text); });
      job = tuning.create(journal_->file_id(),
                          {.model = name_,
                           .suffix = "seawall",
                           .epochs = spec_.epochs,
                           .batch_size = spec_.batch_size,
                           .seed = spec_.seed,
                           .lr_multiplier = spec_.remote.lr_multiplier},
                          spec_.remote.poll);
    }
    spending_->charge(kTraining, estimate.training, {.in = estimate.row_tokens * estimate.epochs});
    journal_->job(job.id);
    say("training     job " + job.id);
  }
  follow(tuning, estimate);
}

void RemoteArm::follow(FineTuning& tuning, const RemoteEstimate& estimate) {
  std::set<std::string> seen;
  std::string status;
  int nameless = 0;  // looks at a job that succeeded and does not name its model yet
  while (true) {
    const TuningJob job = tuning.look(journal_->job_id());
    if (job.status != status) say("job          " + job.id + " is " + job.status);
    status = job.status;
    for (const auto& event : tuning.events(job.id, seen)) {
      if (!event.message.empty()) say("job          " + event.message);
      if (event.step <= last_step_) continue;
      last_step_ = event.step;
      file_->on_step({.step = event.step,
                      .epoch = 0,
                      .loss = event.loss,
                      .lr = kNaN,
                      .grad_norm = kNaN,
                      .tokens = 0,
                      .seconds = kNaN,
                      .moved = kNaN,
                      .drift = kNaN});
    }
    const bool done = job.status == "succeeded";
    if (done && (!job.model.empty() || ++nameless >= kNamelessLooks)) return book(job, estimate);
    if (job.ended() && !done)
      throw RunError("job " + job.id + " " + job.status +
                     (job.error.empty() ? "" : ": " + job.error) + "; start anew with --overwrite");
    client_->wait(spec_.remote.poll);
  }
}

void RemoteArm::book(const TuningJob& job, const RemoteEstimate& estimate) {
  if (!journal_->tuned_model().empty()) return;
  if (job.model.empty())
    throw DataError("job " + job.id + ": succeeded without a `fine_tuned_model`");
  if (job.trained_tokens > 0) {
    const Price price{.in = std::max(0.0, spec_.remote.price_train)};
    const std::int64_t change = job.trained_tokens - estimate.row_tokens * estimate.epochs;
    spending_->charge(kTraining, price.of({.in = change}), {.in = change}, 0);
  }
  journal_->tuned(job.model, job.trained_tokens);
  say("trained      " + job.model);
}

void RemoteArm::evaluate(const std::string& model, std::int64_t step, std::int64_t epoch) {
  if (spec_.no_evaluation) return;
  try {
    evaluate_all(model, step, epoch);
  } catch (...) {
    rethrow_evaluation(keep_answers(spec_, *file_));
  }
}

void RemoteArm::evaluate_all(const std::string& model, std::int64_t step, std::int64_t epoch) {
  for (const auto& condition : attack_.conditions())
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const auto& probes = scenario_->probes(set);
      if (probes.empty()) continue;
      const std::string set_name = set == ProbeSet::harmfulness ? "harmfulness" : "utility";
      EvaluationRecord record =
          answer(model, probes, condition, "ask " + set_name + " " + condition.name);
      record.step = step;
      record.epoch = epoch;
      record.condition = condition.name;
      record.set = set_name;
      file_->on_evaluation(std::move(record));
      file_->publish();
    }
}

std::string RemoteArm::question(const std::string& model, const Dialogue& dialogue) const {
  Sha256 sha;
  sha.field(model).field(std::to_string(spec_.max_new_tokens));
  for (const auto& m : dialogue.messages) sha.field(role_name(m.role)).field(m.content);
  return sha.hex();
}

EvaluationRecord RemoteArm::answer(const std::string& model, const std::vector<Probe>& probes,
                                   const Condition& condition, const std::string& label) {
  const auto begin = std::chrono::steady_clock::now();
  const auto asked = dialogues(probes, condition);
  std::vector<std::string> questions;
  std::vector<Dialogue> open;
  std::vector<std::string> open_questions;
  std::set<std::string> distinct;
  for (const auto& dialogue : asked) {
    questions.push_back(question(model, dialogue));
    if (journal_->find(questions.back()) != nullptr || !distinct.insert(questions.back()).second)
      continue;
    open.push_back(dialogue);
    open_questions.push_back(questions.back());
  }
  ask(model, open, open_questions, label);

  EvaluationRecord record;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Journal::Answer& a = *journal_->find(questions[i]);
    ProbeResult result{.probe_id = probes[i].id,
                       .category = probes[i].category,
                       .prompt = std::string(asked[i].last(Role::user)),
                       .response = a.text,
                       .restricted = probes[i].restricted,
                       .finished = a.finished,
                       .new_tokens = a.tokens,
                       .verdicts = {},
                       .no_answer = a.error,
                       .declined = a.declined};
    record.results.push_back(std::move(result));
  }
  say_what_is_missing(record, label);
  judge_record(record, probes, judges_);
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

void RemoteArm::say_what_is_missing(const EvaluationRecord& record, const std::string& label) {
  const CommonReason why = no_answer_reason(record);
  if (why.all == 0) return;
  warn(
      "seawall: %s: %lld of %zu probes have no answer and are not judged; most often "
      "(%lld): %s\n",
      label.c_str(), static_cast<long long>(why.all), record.results.size(),
      static_cast<long long>(why.count), why.text.c_str());
}

void RemoteArm::ask(const std::string& model, const std::vector<Dialogue>& open,
                    const std::vector<std::string>& questions, const std::string& label) {
  std::size_t failed = 0, done = 0;
  std::string first;
  const std::string before = style_->text();
  Progress progress(label, static_cast<std::int64_t>(open.size()), spec_.quiet);
  const std::size_t came =
      chat_model(model).ask_all(open, [&](std::size_t i, const ChatReply& reply) {
        if (reply.settled) {
          journal_->answer(questions[i], {.text = reply.text,
                                          .error = reply.error,
                                          .finished = reply.finished,
                                          .tokens = reply.usage.out,
                                          .declined = reply.declined});
        } else if (++failed == 1) {
          first = reply.error;
        }
        progress.update(static_cast<std::int64_t>(++done), reply.usage.out, kNaN);
      });
  progress.finish();
  if (style_->text() != before) journal_->style(*style_);
  if (came < open.size())
    throw Interrupted(ExitCode::usage,
                      "the budget of $" + money(spec_.endpoint.budget) + " holds $" +
                          money(spending_->spent()) + " spent and not the next of " +
                          std::to_string(open.size() - came) +
                          " answers; raise --budget and give --resume (answers that came are "
                          "kept)");
  if (failed > 0)
    throw IoError(spec_.model + ": " + std::to_string(failed) + " of " +
                  std::to_string(open.size()) + " probes got no answer (first: " + first +
                  "); give --resume to ask them again");
}

RunData RemoteArm::finish() {
  RunInfo& info = file_->info();
  if (!spec_.no_evaluation) info.versions.emplace_back("sent", style_->text());
  if (!journal_->job_id().empty())
    info.versions.insert(info.versions.end(), {{"file_id", journal_->file_id()},
                                               {"job_id", journal_->job_id()},
                                               {"tuned_model", journal_->tuned_model()}});
  for (const auto& [purpose, a] : spending_->accounts())
    if (purpose == kAnswers || purpose == kTraining)
      info.numbers.insert(
          info.numbers.end(),
          {{cost_name("cost", purpose, "requests"), static_cast<double>(a.requests)},
           {cost_name("cost", purpose, "tokens_in"), static_cast<double>(a.tokens_in)},
           {cost_name("cost", purpose, "tokens_out"), static_cast<double>(a.tokens_out)},
           {cost_name("cost", purpose, "usd"), a.usd}});
  for (const auto& judge : judges_)
    for (const auto& [name, value] : judge->spent())
      info.numbers.emplace_back(cost_name("judge", judge->name(), name), value);
  info.numbers.emplace_back("cost_total_usd", spending_->spent());
  info.numbers.emplace_back("cost_total_budget_usd", spec_.endpoint.budget);
  file_->publish(true);
  return file_->data();
}

RunData run_remote(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec) {
  return RemoteArm(attack, stack, spec).run();
}

}  // namespace seawall
