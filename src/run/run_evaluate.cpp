// When a run asks its probes, and what it records of the answers.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <utility>

#include "run/run_checks.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/core/text.hpp"
#include "seawall/policy/row_scores.hpp"
#include "seawall/run/outputs.hpp"
#include "seawall/run/run.hpp"

namespace seawall {
namespace {

constexpr std::string_view steps_word = "steps:";

/// Whole numbers of 1 or more, separated by commas. Errors: UsageError, `wrong`.
std::vector<std::int64_t> counts_in(const std::string& text, const UsageError& wrong) {
  std::vector<std::int64_t> counts;
  for (const auto& word : split_list(text)) {
    char* end = nullptr;
    const long long value = std::strtoll(word.c_str(), &end, 10);
    if (*end != '\0' || value < 1 || value > 1'000'000'000) throw wrong;
    counts.push_back(value);
  }
  if (counts.empty()) throw wrong;
  return counts;
}

/// The first tokens of the answer that the probe of a result got in `start`; none if it got none.
std::vector<std::int32_t> first_tokens(const EvaluationRecord& start, const ProbeResult& result,
                                       std::int64_t count) {
  const auto found = std::ranges::find_if(start.results, [&](const ProbeResult& other) {
    return other.probe_id == result.probe_id && other.sample == result.sample;
  });
  if (found == start.results.end()) return {};
  const auto& ids = found->response_ids;
  return {ids.begin(), ids.begin() + std::min<std::ptrdiff_t>(count, std::ssize(ids))};
}

/// What the model refused before training, as rows to train on.
Dataset refusals_in(const EvaluationRecord& start, const std::vector<Probe>& probes,
                    const std::function<Dialogue(const Probe&)>& prompt) {
  Dataset rows{"refusals", {}};
  for (const ProbeResult& result : start.results) {
    const bool refused = !result.verdicts.empty() && result.verdicts.front().valid &&
                         result.verdicts.front().refused == true;
    const auto probe = std::ranges::find(probes, result.probe_id, &Probe::id);
    if (!refused || !result.finished || result.response.empty() || probe == probes.end()) continue;
    Dialogue dialogue = prompt(*probe);
    if (dialogue.prefilled()) continue;
    dialogue.messages.push_back({Role::assistant, result.response});
    rows.rows.push_back({.id = result.probe_id, .dialogue = std::move(dialogue)});
  }
  return rows;
}

/// RunInfo::row_agreement. Memory: two gradients.
std::vector<float> agreement_of(Trainer& model, const Dataset& rows, const Dataset& refusals) {
  const Tensors kept = mean_direction(model, refusals, 0);  // of the loss on refusals
  std::vector<float> out;
  for (const Example& row : rows.rows) {
    const Tensors g = row_gradient(model, row, 0);
    const double length = norm(g);
    out.push_back(length > 0 ? static_cast<float>(-dot(g, kept) / length)
                             : std::numeric_limits<float>::quiet_NaN());
  }
  return out;
}

}  // namespace

EvaluationPlaces evaluation_places(const RunSpec& spec) {
  EvaluationPlaces places;
  const std::string& at = spec.evaluation.at;
  const UsageError wrong("--evaluate-at " + at +
                         ": want end, both, epochs, epochs such as 3,5,10, or steps such as "
                         "steps:1,2,5");
  if (at.starts_with(steps_word))
    places.steps = counts_in(at.substr(steps_word.size()), wrong);
  else if (at != "end" && at != "both" && at != "epochs")
    places.epochs = counts_in(at, wrong);
  if (spec.record.row_agreement && (spec.training.none || spec.evaluation.none))
    throw UsageError(
        "--row-agreement: compares the rows trained on with refusals before training; "
        "leave it out, or train and evaluate");
  const std::string& fixed = spec.evaluation.fix_tokens;
  if (fixed.empty()) return places;
  if (spec.training.none || spec.evaluation.none)
    throw UsageError("--fix-tokens " + fixed +
                     ": compares with the answers before training; leave it out, or train and "
                     "evaluate");
  places.fixed_tokens =
      counts_in(fixed, UsageError("--fix-tokens " + fixed + ": want counts such as 1,3,5"));
  std::ranges::sort(places.fixed_tokens);
  return places;
}

void check_recording(const Run& run) {
  const RunSpec& spec = run.spec();
  if (spec.record.trace == "depth" && run.defence().steer)
    throw UsageError(
        "--trace depth: a mitigation changes the activations while answers are written, "
        "which the passes of the trace do not repeat; give --trace residual");
  const bool trains =
      std::ranges::any_of(run.stages(), [](const Stage& s) { return !s.rows.rows.empty(); });
  if (spec.record.row_agreement && (!trains || spec.record.trace == "none"))
    throw UsageError(std::string("--row-agreement: ") +
                     (trains ? "--trace none keeps no rows" : "the attack has no row to train on") +
                     "; leave it out");
  const std::string& fixed = spec.evaluation.fix_tokens;
  if (fixed.empty()) return;
  if (run.stages().empty())
    throw UsageError("--fix-tokens " + fixed + ": the attack trains nothing; leave it out");
  const auto most = spec.evaluation.max_new_tokens.value_or(0);
  if (evaluation_places(spec).fixed_tokens.back() >= most)
    throw UsageError("--fix-tokens " + fixed + ": the longest answer has " + std::to_string(most) +
                     " tokens (--max-new-tokens); want fewer fixed");
}

bool Run::wants_evaluation(const Stage& stage, std::int64_t step, std::int64_t epoch,
                           bool last) const {
  const bool ends = &stage == &stages_.back();
  if (spec_.evaluation.none || (stage.owner != Stage::attackers && !ends)) return false;
  if (!ends && spec_.evaluation.at == "end") return false;
  if (!evaluate_steps_.empty())
    return last || (ends && std::ranges::find(evaluate_steps_, step) != evaluate_steps_.end());
  return last || spec_.evaluation.at == "epochs" ||
         std::ranges::find(evaluate_epochs_, epoch) != evaluate_epochs_.end();
}

void Run::evaluate(std::int64_t step, std::int64_t epoch, bool last) {
  if (spec_.evaluation.none || !backend_.records()) return;
  try {
    evaluate_sets(step, epoch, last);
  } catch (...) {
    rethrow_evaluation(keep_answers(spec_, file()));
  }
}

void Run::evaluate_sets(std::int64_t step, std::int64_t epoch, bool last) {
  at::NoGradGuard no_grad;
  const auto ask = [&](const Condition& condition, ProbeSet set, const std::vector<Probe>& probes,
                       std::int64_t fixed) {
    const std::string name =
        condition.name + (fixed > 0 ? "+fixed-" + std::to_string(fixed) : std::string());
    if (file().has_evaluation(step, name, set)) return;
    Asked asked{.probes = probes,
                .prompt = [&](const Probe& p) { return prompt(p, condition); },
                .label = probe_set_name(set) + " " + name,
                .residual = sink().wants_residual() && fixed == 0,
                .decoding = condition.decoding,
                .set = set};
    asked.decoding.fixed_tokens = fixed;
    if (fixed > 0) {
      const auto& all = file().data().evaluations;
      const auto start = std::ranges::find_if(all, [&](const EvaluationRecord& record) {
        return record.step == 0 && record.condition == condition.name && record.set == set;
      });
      if (start == all.end())
        throw RunError(
            "--fix-tokens: the run file has no answers of before training; run it "
            "from its start again");
      asked.begin = [start = *start, fixed](const ProbeResult& result) {
        return first_tokens(start, result, fixed);
      };
    }
    EvaluationRecord record = backend_.answer(*this, asked);
    record.decoding = asked.decoding;
    record.step = step;
    record.epoch = epoch;
    record.condition = name;
    record.set = set;
    if (spec_.record.trace == "depth" && fixed == 0) backend_.trace_depth(*this, record);
    sink().on_evaluation(std::move(record));
  };
  each_set([&](const Condition& condition, ProbeSet set, const std::vector<Probe>& probes) {
    ask(condition, set, probes, 0);
  });
  if (!last) return;
  for (const auto count : evaluation_places(spec_).fixed_tokens)
    for (const auto& condition : conditions_)
      ask(condition, ProbeSet::harmfulness, scenario_->probes(ProbeSet::harmfulness), count);
}

void Run::evaluate_start() {
  if (resumed_) return;
  if (stages_.empty() || spec_.evaluation.at == "both" || spec_.evaluation.at == "epochs" ||
      !evaluate_steps_.empty() || spec_.record.trace == "depth" ||
      !spec_.evaluation.fix_tokens.empty() || spec_.record.row_agreement)
    evaluate(0, 0);
  if (!spec_.record.row_agreement || !backend_.records()) return;
  const auto& all = file().data().evaluations;
  const auto start = std::ranges::find_if(all, [](const EvaluationRecord& record) {
    return record.step == 0 && record.set == ProbeSet::harmfulness;
  });
  if (start == all.end()) return;  // --no-evaluation was refused
  const auto& condition = *std::ranges::find(conditions_, start->condition, &Condition::name);
  const Dataset refusals =
      refusals_in(*start, scenario_->probes(ProbeSet::harmfulness),
                  [&](const Probe& probe) { return prompt(probe, condition); });
  if (refusals.empty())
    return warn(
        "seawall: --row-agreement is left out: no whole answer of before training that the model "
        "began itself was judged a refusal\n");
  Dataset rows{"rows", {}};
  for (const Stage& stage : stages_)
    std::ranges::copy(stage.rows.rows, std::back_inserter(rows.rows));
  const auto model = backend_.asked(*this, {"rows"});
  file().info().row_agreement = agreement_of(*model, rows, refusals);
}

}  // namespace seawall
