#include "run/remote_arm.hpp"

#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/version.hpp"
#include "seawall/policy/needs.hpp"
#include "seawall/run/chat_rows.hpp"
#include "seawall/run/remote_setup.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/run/set_up.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr double kModelWait = 300;  // seconds until a model that was trained must be served

}  // namespace

std::string money(double usd) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", usd);
  return text;
}

RemoteArm::RemoteArm(const AnyAttack& attack, AnyStack& stack, RunSpec spec)
    : attack_(attack),
      stack_(stack),
      spec_(std::move(spec)),
      run_(spec_.out.empty() ? fs::path("run.h5") : fs::path(spec_.out)),
      paths_(run_),
      spending_(std::make_shared<Spending>(spec_.endpoint.budget)) {
  spec_.attack = std::string(attack_.name());
  check_words();
  if (!spec_.dry_run) take_output();
  gather();
}

void RemoteArm::check_words() {
  name_ = remote_model_name(spec_);
  if (name_.empty())
    throw UsageError("--model openai:: want openai:NAME, the model's name at the endpoint");
  check_options(spec_, "run");
  check_options(spec_.endpoint, "run");
  check_options(spec_.remote, "run");
  check_remote_options(spec_);
  check_remote_stack(stack_, spec_.model);
  const RemoteOptions& o = spec_.remote;
  const bool trains = !spec_.no_training;
  if (!o.cancel && (o.price_in < 0 || o.price_out < 0 || (trains && o.price_train < 0)))
    throw UsageError(spec_.model + ": want what it costs, USD a million tokens: " +
                     "--openai.price-in, --openai.price-out" +
                     (trains ? " and --openai.price-train" : "") + " (0 where it costs nothing)");
  if (!o.cancel && !spec_.dry_run && spec_.endpoint.budget <= 0)
    throw UsageError(spec_.model +
                     ": want --budget USD, the most that the run may spend; --dry-run estimates "
                     "it and sends nothing");
  if (spec_.out.empty() && !spec_.dry_run)
    throw UsageError("want --out FILE.h5 for what the run records");
  if (spec_.max_new_tokens == 0) spec_.max_new_tokens = 256;
  if (spec_.epochs == 0)  // Qi et al. 2023, sec. 4: the same for GPT-3.5 Turbo as for Llama-2
    spec_.epochs = spec_.attack == "identity-shift" ? 10 : spec_.attack == "benign" ? 1 : 5;
  client_ = make_client(spec_.endpoint.base_url,
                        {.concurrency = o.concurrency,
                         .tries = o.tries,
                         .timeout = o.timeout,
                         .seed = static_cast<std::uint64_t>(spec_.seed)},
                        !spec_.dry_run);
}

void RemoteArm::take_output() {
  prepare_folder(run_.file.has_parent_path() ? run_.file.parent_path() : fs::path("."));
  lock_ = std::make_unique<RunLock>(run_.lock);
  for (const auto& there : {run_.file, paths_.journal}) {
    if (!fs::exists(there) || spec_.resume) continue;
    if (!spec_.overwrite)
      throw UsageError(there.string() +
                       ": a run is there already; give --resume to continue it, --overwrite to "
                       "start anew (and pay anew), or another --out");
    if (there == paths_.journal) fs::remove(there);
  }
}

void RemoteArm::gather() {
  scenario_ = make_scenario(spec_, attack_, false);
  form_ = request_form(spec_, *scenario_);
  if (form_) spec_.ask_as = request_form_name(*form_);
  scenario_->lend(RowLosses([this](const Dataset&) -> std::vector<double> {
    throw UsageError("data-audit: filter perplexity asks for losses, which " + spec_.model +
                     " does not give; use keyword, judge or moderation");
  }));
  scenario_->lend(make_moderation(spec_));
  if (!spec_.no_training) {
    check_needs(attack_.name(), attack_.needs(), *scenario_);
    for (const auto& policy : stack_.describe())
      check_needs(policy.name, stack_.needs(), *scenario_);
    Rng rng = Rng(static_cast<std::uint64_t>(spec_.seed)).stream("craft");
    rows_ = compose_rows(attack_.craft(*scenario_, rng), stack_, *scenario_,
                         static_cast<std::uint64_t>(spec_.seed));
    if (rows_.empty() && !spec_.quiet)
      warn(
          "seawall: the mitigations left no row to train on; the model is evaluated as "
          "it was\n");
    chat_jsonl(rows_);  // says which row cannot be sent
  }
  provenance_ = provenance_of(rows_, *scenario_, attack_.conditions(),
                              [this](const Probe& p, const Condition& c) {
                                return asked(p, c, attack_, *scenario_, form_);
                              });
  check_provenance(provenance_, spec_.allow_overlap);
  Sha256 sha;
  hash_options(sha, spec_, attack_, stack_.describe());
  sha.field(client_->endpoint().url()).field(rows_.content_hash());
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    sha.field(probes_hash(scenario_->probes(set)));
  key_ = sha.hex();
}

std::vector<Dialogue> RemoteArm::dialogues(const std::vector<Probe>& probes,
                                           const Condition& condition) const {
  std::vector<Dialogue> out;
  for (const auto& probe : probes)
    out.push_back(stack_.arm(asked(probe, condition, attack_, *scenario_, form_)));
  return out;
}

RemoteEstimate RemoteArm::reckon() const {
  RemoteEstimate e;
  const RemoteOptions& o = spec_.remote;
  e.rows = rows_.size();
  e.epochs = spec_.epochs;
  for (const auto& row : rows_.rows) e.row_tokens += tokens_about(row.dialogue);
  e.training = Price{.in = std::max(0.0, o.price_train)}.of({.in = e.row_tokens * e.epochs});
  if (spec_.no_evaluation) return e;
  const ChatModel model = chat_model(name_);
  const auto rubrics = rubric_models(spec_).size();
  const Price judge{.in = std::max(0.0, spec_.rubric.price_in),
                    .out = std::max(0.0, spec_.rubric.price_out)};
  const double times = !rows_.empty() && spec_.evaluate_at == "both" ? 2 : 1;
  const std::int64_t texts = rubrics > 0 ? tokens_about(rubric_texts(spec_)) : 0;
  for (const auto& condition : attack_.conditions())
    for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const auto& probes = scenario_->probes(set);
      e.answers += times * model.estimate(dialogues(probes, condition));
      e.requests += static_cast<std::size_t>(times) * probes.size();
      if (rubrics == 0) continue;
      for (const auto& probe : probes)
        e.judging +=
            times * static_cast<double>(rubrics) *
            judge.of({.in = texts + 120 + tokens_about(probe.dialogue) + spec_.max_new_tokens,
                      .out = spec_.rubric.max_tokens});
      e.verdicts += static_cast<std::size_t>(times) * rubrics * probes.size();
    }
  return e;
}

ChatModel RemoteArm::chat_model(const std::string& name) const {
  return {.client = *client_,
          .spending = *spending_,
          .model = name,
          .purpose = kAnswers,
          .price = {.in = std::max(0.0, spec_.remote.price_in),
                    .out = std::max(0.0, spec_.remote.price_out)},
          .max_tokens = spec_.max_new_tokens,
          .style = style_,
          .notice = [](const std::string& what) { warn("seawall: %s\n", what.c_str()); },
          .patience = journal_ && name == journal_->tuned_model() ? kModelWait : 0,
          .poll = spec_.remote.poll};
}

void RemoteArm::begin() {
  journal_ = std::make_unique<Journal>(paths_.journal, key_);
  *style_ = journal_->style();
  for (const auto& [purpose, account] : journal_->accounts()) spending_->restore(purpose, account);
  spending_->on_charge = [this](const std::string& purpose, const Spending::Account& change) {
    journal_->charge(purpose, change, purpose != kAnswers && purpose != kTraining);
  };
}

void RemoteArm::confirm(const std::string& text) const {
  if (spec_.quiet) return;
  warn("%s", text.c_str());
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0 || journal_->answers() > 0 ||
      !journal_->file_id().empty())
    return;
  warn("spend up to $%.6g? [y/N] ", spec_.endpoint.budget);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Interrupted(ExitCode::usage, "not confirmed; nothing was sent");
}

void RemoteArm::open_run_file() {
  if (!spec_.no_evaluation) judges_ = make_judges(spec_, *scenario_, spending_);
  RunInfo info;
  info.started_utc = utc_now();
  info.seed = static_cast<std::uint64_t>(spec_.seed);
  info.config_json = options_json(spec_, attack_, stack_.describe(), *scenario_);
  info.hashes = {{"rows", rows_.content_hash()},
                 {"probes", probes_hash(scenario_->probes(ProbeSet::harmfulness))},
                 {"utility_probes", probes_hash(scenario_->probes(ProbeSet::utility))},
                 {"options", key_}};
  info.run_id = key_.substr(0, 16);
  info.versions = {{"seawall", kVersion},
                   {"hdf5", h5::version()},
                   {"endpoint", client_->endpoint().url()},
                   {"remote_model", name_}};
  count_rows(rows_, info);
  const Measured measured = stack_.measured();
  info.numbers.insert(info.numbers.end(), measured.begin(), measured.end());
  record_provenance(provenance_, info);
  record_files(*scenario_, info);
  file_ = std::make_unique<RunFile>(
      run_.file, std::move(info),
      RunSwitches{.residual = false, .param_drift = false, .compress = true});
}

}  // namespace seawall
