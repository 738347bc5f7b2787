#include "seawall/run/endpoint_backend.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "run/money.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/run.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr double model_wait = 300;  // seconds until a model that was trained must be served

fs::path journal_of(const RunPaths& run) {
  return fs::path(run.file).replace_extension(".remote.jsonl");
}

}  // namespace

void EndpointBackend::check(const RunSpec& spec,
                            const std::vector<PolicyDescription>& stack) const {
  if (remote_model_name(spec).empty())
    throw UsageError("--model openai:: want openai:NAME, the model's name at the endpoint");
  check_options(spec.endpoint, "");
  check_options(spec.remote, "");
  check_remote_options(spec);
  check_remote_stack(stack, spec.model.name);
  const RemoteOptions& o = spec.remote;
  const bool trains = !spec.training.none;
  if (!o.cancel && (o.price_in < 0 || o.price_out < 0 || (trains && o.price_train < 0)))
    throw UsageError(spec.model.name + ": want what it costs, USD a million tokens: " +
                     "--openai.price-in, --openai.price-out" +
                     (trains ? " and --openai.price-train" : "") + " (0 where it costs nothing)");
  if (!o.cancel && !spec.place.dry_run && spec.endpoint.budget <= 0)
    throw UsageError(spec.model.name +
                     ": want --budget USD, the most that the run may spend; --dry-run estimates "
                     "it and sends nothing");
}

std::vector<fs::path> EndpointBackend::files(const RunPaths& paths) const {
  return {journal_of(paths)};
}

void EndpointBackend::load(const RunSpec& spec) {
  name_ = asking_ = remote_model_name(spec);
  spending_ = std::make_shared<Spending>(spec.endpoint.budget);
  client_ = make_client(spec.endpoint.base_url,
                        {.concurrency = spec.remote.concurrency,
                         .tries = spec.remote.tries,
                         .timeout = spec.remote.timeout,
                         .seed = static_cast<std::uint64_t>(spec.seed)},
                        !spec.place.dry_run);
}

void EndpointBackend::resolve(RunSpec& spec, const AnyAttack& attack,
                              const Scenario& scenario) const {
  const TrainingSpec given = spec.training;
  Backend::resolve(spec, attack, scenario);
  spec.training.lr = given.lr;
  spec.training.batch_size = given.batch_size;
}

std::vector<double> EndpointBackend::row_losses(const RunSpec& spec, const Dataset&) {
  throw UsageError("a mitigation asks for the losses of rows, which " + spec.model.name +
                   " does not give (of data-audit's filters, use keyword, judge or moderation)");
}

void EndpointBackend::prepare(Run& run) {
  run.each_set([&](const Condition& condition, ProbeSet, const std::vector<Probe>& probes) {
    for (const auto& probe : probes)
      if (!probe.dialogue.prefilled() && run.prompt(probe, condition).prefilled())
        throw UsageError("condition " + condition.name +
                         ": begins the answers, which chat completions have no field for; leave "
                         "out what begins them, or give a model that runs here");
  });
  for (const Stage& stage : run.stages()) chat_jsonl(stage.rows);  // says which row cannot be sent
  estimate_ = reckon(run);
}

void EndpointBackend::identify(Sha256& sha) const { sha.field(client_->endpoint().url()); }

RemoteEstimate EndpointBackend::reckon(const Run& run) const {
  const RunSpec& spec = run.spec();
  RemoteEstimate e;
  const RemoteOptions& o = spec.remote;
  e.rows = run.rows().size();
  e.epochs = *spec.training.epochs;
  for (const auto& row : run.rows().rows) e.row_tokens += tokens_about(row.dialogue);
  e.training = Price{.in = std::max(0.0, o.price_train)}.of({.in = e.row_tokens * e.epochs});
  if (spec.evaluation.none) return e;
  const auto rubrics = rubric_models(spec).size();
  const Price judge{.in = std::max(0.0, spec.rubric.price_in),
                    .out = std::max(0.0, spec.rubric.price_out)};
  const double moments = !run.stages().empty() && spec.evaluation.at == "both" ? 2 : 1;
  const std::int64_t texts = rubrics > 0 ? tokens_about(rubric_texts(spec)) : 0;
  run.each_set([&](const Condition& condition, ProbeSet, const std::vector<Probe>& probes) {
    const double times = moments * static_cast<double>(condition.decoding.samples);
    std::vector<Dialogue> prompts;
    for (const auto& probe : probes) prompts.push_back(run.prompt(probe, condition));
    e.answers += times * chat_model(spec, condition.decoding).estimate(prompts);
    e.requests += static_cast<std::size_t>(times) * probes.size();
    if (rubrics == 0) return;
    for (const auto& probe : probes)
      e.judging += times * static_cast<double>(rubrics) *
                   judge.of({.in = texts + 120 + tokens_about(probe.dialogue) +
                                   *spec.evaluation.max_new_tokens,
                             .out = spec.rubric.max_tokens});
    e.verdicts += static_cast<std::size_t>(times) * rubrics * probes.size();
  });
  return e;
}

std::string EndpointBackend::estimate(Run& run, const detail::StackFacts&) {
  return estimate_.text(run.spec(), client_->endpoint().url()) +
         (estimate_.total() > run.spec().endpoint.budget
              ? "the run would not start: the estimate exceeds the budget\n"
              : "") +
         "nothing was sent or written\n";
}

ChatModel EndpointBackend::chat_model(const RunSpec& spec, const Decoding& decoding) const {
  return {.client = *client_,
          .spending = *spending_,
          .model = asking_,
          .purpose = answers_account,
          .price = {.in = std::max(0.0, spec.remote.price_in),
                    .out = std::max(0.0, spec.remote.price_out)},
          .max_tokens = *spec.evaluation.max_new_tokens,
          .style = style_,
          .notice = [](const std::string& what) { warn("seawall: %s\n", what.c_str()); },
          .patience = journal_ && asking_ == journal_->tuned_model() ? model_wait : 0,
          .poll = spec.remote.poll,
          .temperature = decoding.temperature,
          .top_p = decoding.top_p};
}

void EndpointBackend::open_journal(const Run& run) {
  journal_ = std::make_unique<Journal>(journal_of(run.paths()), run.key());
  *style_ = journal_->style();
  for (const auto& [purpose, account] : journal_->accounts()) spending_->restore(purpose, account);
  spending_->on_charge = [this](const std::string& purpose, const Spending::Account& change) {
    journal_->charge(purpose, change, purpose != answers_account && purpose != training_account);
  };
}

bool EndpointBackend::begin(Run& run) {
  const RunSpec& spec = run.spec();
  const fs::path place = journal_of(run.paths());
  if (spec.remote.cancel) {
    open_journal(run);
    if (journal_->job_id().empty())
      throw UsageError(place.string() + ": has no fine-tuning job to cancel");
    const TuningJob job = FineTuning(*client_).cancel(journal_->job_id());
    tell("job %s: %s\n", job.id.c_str(), job.status.c_str());
    return false;
  }
  if (estimate_.total() > spec.endpoint.budget)
    throw UsageError("the run is estimated at $" + money(estimate_.total()) + ", --budget is $" +
                     money(spec.endpoint.budget) +
                     "; raise it, or take fewer rows, epochs or probes (--dry-run says what "
                     "costs what)");
  // The journal of an earlier run holds answers that were paid for: it goes once all is agreed.
  const bool fresh = spec.place.overwrite && !spec.place.resume;
  if (!fresh) open_journal(run);
  confirm(spec, estimate_.text(spec, client_->endpoint().url()));
  if (!fresh) return true;
  fs::remove(place);
  open_journal(run);
  return true;
}

void EndpointBackend::confirm(const RunSpec& spec, const std::string& text) const {
  if (spec.place.quiet) return;
  warn("%s", text.c_str());
  const bool under_way = journal_ && (journal_->answers() > 0 || !journal_->file_id().empty());
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0 || under_way) return;
  warn("spend up to $%.6g? [y/N] ", spec.endpoint.budget);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Interrupted(ExitCode::usage, "not confirmed; nothing was sent");
}

RunSwitches EndpointBackend::switches(const RunSpec&) const {
  return {.residual = false, .param_drift = false, .compress = true};
}

void EndpointBackend::describe(const Run&, RunInfo& info) const {
  info.versions.insert(info.versions.end(),
                       {{"endpoint", client_->endpoint().url()}, {"remote_model", name_}});
}

void EndpointBackend::finish(Run& run) {
  RunInfo& info = run.file().info();
  if (!run.spec().evaluation.none) {
    std::set<std::string> temperatures;
    for (const auto& condition : run.conditions())
      temperatures.insert(detail::to_text(condition.decoding.temperature));
    std::string all;
    for (const auto& one : temperatures) all += (all.empty() ? "" : " and ") + one;
    info.versions.emplace_back("sent", style_->text(all));
  }
  if (!journal_->job_id().empty())
    info.versions.insert(info.versions.end(), {{"file_id", journal_->file_id()},
                                               {"job_id", journal_->job_id()},
                                               {"tuned_model", journal_->tuned_model()}});
  for (const auto& [purpose, a] : spending_->accounts())
    if (purpose == answers_account || purpose == training_account)
      info.numbers.insert(
          info.numbers.end(),
          {{cost_name("cost", purpose, "requests"), static_cast<double>(a.requests)},
           {cost_name("cost", purpose, "tokens_in"), static_cast<double>(a.tokens_in)},
           {cost_name("cost", purpose, "tokens_out"), static_cast<double>(a.tokens_out)},
           {cost_name("cost", purpose, "usd"), a.usd}});
  info.numbers.emplace_back("cost_total_usd", spending_->spent());
  info.numbers.emplace_back("cost_total_budget_usd", run.spec().endpoint.budget);
}

Trainer& EndpointBackend::handle(Run& run) {
  throw UsageError(
      "attack " + std::string(run.attack().name()) +
      ": asks the model for gradients or activations, which an endpoint does not give; "
      "use a model on this machine");
}

void EndpointBackend::tamper(Run& run, const Stage&) {
  throw UsageError("attack " + std::string(run.attack().name()) +
                   ": edits weights, which are not reached behind an endpoint; use a model on this "
                   "machine");
}

}  // namespace seawall
