#include "seawall/run/policy_check.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/checkpoint.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t few_steps = 6, middle = 3;

/// Twelve harmless rows of the scenario: what a mitigation is tried under.
struct SomeRows {
  static constexpr std::string_view name = "some-rows", summary = "Rows of every pool.";
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  Dataset craft(const Context& context, Rng& rng) const {
    Dataset rows{"some-rows", {}};
    for (const Pool pool : {Pool::harmful, Pool::benign})
      for (Example& row : context.scenario().rows(pool, 6, rng).rows)
        rows.rows.push_back(with_default_system(std::move(row), context.scenario()));
    return rows;
  }
  static Example with_default_system(Example row, const Scenario& scenario) {
    row.dialogue = seawall::with_default_system(std::move(row.dialogue), scenario);
    return row;
  }
};

class Trials {
 public:
  Trials(AnyAttack attack, AnyStack stack, const PlugIns& plug_ins, fs::path folder,
         const std::function<void(const PolicyTrial&)>& tell)
      : attack_(std::move(attack)),
        stack_(std::move(stack)),
        plug_ins_(plug_ins),
        folder_(std::move(folder)),
        tell_(tell) {}

  RunSpec spec(const std::string& name) const {
    RunSpec s;
    s.plug_ins = plug_ins_;
    s.training.batch_size = 4;
    s.training.steps = few_steps;
    s.evaluation.none = true;
    s.record.no_spectra = true;
    s.place.out = (folder_ / (name + ".h5")).string();
    s.place.stages = (folder_ / "stages").string();
    s.place.quiet = s.place.overwrite = true;
    s.place.threads = 1;
    s.place.no_checkpoint = true;
    return s;
  }
  RunData go(const RunSpec& spec) const {
    AnyStack fresh = stack_;
    return run(attack_, fresh, spec);
  }
  /// Says what came of `f`, which returns what it found; a UsageError is a refusal.
  void one(const std::string& what, bool may_refuse, const std::function<std::string()>& f) {
    PolicyTrial trial{.what = what, .good = true, .found = {}};
    try {
      trial.found = f();
    } catch (const UsageError& error) {
      trial.good = may_refuse;
      trial.found = std::string(may_refuse ? "refuses: " : "") + error.what();
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      trial.good = false;
      trial.found = error.what();
    }
    all_good_ = all_good_ && trial.good;
    tell_(trial);
  }
  bool all_good() const { return all_good_; }

 private:
  AnyAttack attack_;
  AnyStack stack_;
  const PlugIns& plug_ins_;
  fs::path folder_;
  const std::function<void(const PolicyTrial&)>& tell_;
  bool all_good_ = true;
};

/// Errors: RunError where a number of the last step, or a step's loss, differs.
void want_same(const RunData& a, const RunData& b) {
  if (a.steps.size() != b.steps.size())
    throw RunError(std::to_string(a.steps.size()) + " steps and " + std::to_string(b.steps.size()));
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    const StepRecord &x = a.steps[i], &y = b.steps[i];
    const auto same = [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); };
    if (!same(x.loss, y.loss) || !same(x.penalty, y.penalty) || x.param_drift != y.param_drift)
      throw RunError(
          "step " + std::to_string(x.step) + " differs (loss " + std::to_string(x.loss) + " and " +
          std::to_string(y.loss) +
          "); is there state that save and load leave out, or a random number that is not "
          "of Trainer::rng?");
  }
}

std::string finite(const RunData& data) {
  for (const StepRecord& step : data.steps)
    if (!std::isfinite(step.drift))
      throw RunError("step " + std::to_string(step.step) + ": the drift is not finite");
  return "";
}

double number_of(const RunData& data, const std::string& name) {
  for (const auto& [key, value] : data.info.numbers)
    if (key == name) return value;
  return 0;
}

/// Stops a run in the middle and goes on. Errors: RunError where it differs from `whole`.
std::string resumes(const Trials& trials, RunSpec spec, const RunData& whole) {
  spec.place.no_checkpoint = false;
  spec.place.checkpoint_every = middle;
  spec.place.keep_checkpoints = 1'000'000;
  trials.go(spec);
  const fs::path checkpoints = RunPaths(spec.place.out).checkpoints;
  auto steps = list_checkpoints(checkpoints);
  std::ranges::sort(steps);
  if (steps.size() < 2) return "too few steps to be stopped in the middle";
  const std::int64_t keep = steps[(steps.size() - 1) / 2];
  for (const std::int64_t step : steps)
    if (step > keep) fs::remove_all(checkpoints / ("step-" + std::to_string(step)));
  spec.place.resume = true;
  spec.place.overwrite = false;
  want_same(trials.go(spec), whole);
  return "after step " + std::to_string(keep) + " of " + std::to_string(whole.steps.size());
}

/// What the model answers at the end. The run is short, and so are the answers.
RunSpec answered(RunSpec spec) {
  spec.evaluation.none = false;
  spec.evaluation.max_new_tokens = 8;
  return spec;
}

/// The checkpoint of a run answers under the policy as the run did. Errors: RunError.
std::string answers_again(const Trials& trials) {
  RunSpec trained = answered(trials.spec("answers"));
  trained.place.no_checkpoint = false;
  const RunData whole = trials.go(trained);
  RunSpec again = answered(trials.spec("answers-again"));
  again.training.none = true;
  again.model.name = RunPaths(trained.place.out).checkpoints.string();
  const RunData loaded = trials.go(again);
  std::size_t differ = 0, all = 0;
  for (const EvaluationRecord& record : loaded.evaluations)
    for (const EvaluationRecord& before : whole.evaluations) {
      if (before.set != record.set || before.condition != record.condition) continue;
      for (std::size_t i = 0; i < record.results.size(); ++i, ++all)
        differ += record.results[i].response != before.results.at(i).response;
    }
  if (differ > 0 || all == 0)
    throw RunError(std::to_string(differ) + " of " + std::to_string(all) +
                   " answers of its checkpoint differ; is what it acts with in save and load?");
  return std::to_string(all) + " answers";
}

void common_trials(Trials& trials, RunData& whole) {
  std::exception_ptr failed;
  try {
    whole = trials.go(trials.spec("whole"));
  } catch (const UsageError&) {
    throw;  // it would refuse the rest as well: one line says it
  } catch (const Interrupted&) {
    throw;
  } catch (...) {
    failed = std::current_exception();
  }
  trials.one("trains", false, [&] {
    if (failed) std::rethrow_exception(failed);
    return finite(whole);
  });
  trials.one("gives the same bits twice", false, [&] {
    RunSpec again = trials.spec("again");
    again.place.stages = "none";  // and with the alignment stage trained again
    want_same(trials.go(again), whole);
    return std::string();
  });
  trials.one("resumes to the same bits in the middle", false,
             [&] { return resumes(trials, trials.spec("parts"), whole); });
}

/// What is minimised in the first step, next to that of the whole batch.
std::string next_to(const RunData& micro, const RunData& whole) {
  if (micro.steps.empty() || whole.steps.empty()) return "";
  const auto first = [](const RunData& data) {
    return data.steps.front().loss + data.steps.front().penalty;
  };
  const double a = first(micro), b = first(whole);
  if (std::abs(a - b) <= 1e-3 * std::abs(b)) return "as the whole batch";
  char text[200];
  std::snprintf(text, sizeof text,
                "minimises %.4f in the first step, the whole batch %.4f: is there a term that is "
                "not a mean over rows?",
                a, b);
  return text;
}

}  // namespace

bool check_mitigation(const AnyMitigation& policy, const PlugIns& plug_ins, const fs::path& folder,
                      const std::function<void(const PolicyTrial&)>& tell) {
  AnyStack stack;
  stack.push_back(policy);
  const AnyAttack attack{SomeRows{}};
  Trials trials(attack, stack, plug_ins, folder, tell);
  RunData whole;
  common_trials(trials, whole);
  const bool trains = !whole.steps.empty();  // else a refusal of the rest says nothing
  const auto spec_of = [&](const char* name, bool micro, bool lora, const char* precision) {
    RunSpec s = trials.spec(name);
    if (micro) s.training.micro_batch_size = 3;
    if (lora) s.training.lora = {.rank = 4, .targets = "all"};
    s.training.precision = precision;
    return s;
  };
  trials.one("takes micro-batches", false, [&] {
    const RunData micro = trials.go(spec_of("micro", true, false, "fp32"));
    finite(micro);
    return next_to(micro, whole);
  });
  trials.one("works under LoRA", trains,
             [&] { return finite(trials.go(spec_of("lora", false, true, "fp32"))); });
  for (const char* precision : {"bf16-master", "pure-bf16", "kahan"})
    trials.one(std::string("works in ") + precision, trains,
               [&] { return finite(trials.go(spec_of(precision, false, false, precision))); });
  trials.one("resumes under LoRA, micro-batches, bf16", trains, [&] {
    const RunData all = trials.go(spec_of("all", true, true, "bf16-master"));
    return resumes(trials, spec_of("all-parts", true, true, "bf16-master"), all);
  });
  if (policy.uses(Hook::prompt) || policy.uses(Hook::steer) || policy.uses(Hook::choose)) {
    trials.one("answers as its checkpoint does", trains, [&] { return answers_again(trials); });
    trials.one("answers without training", true, [&] {
      RunSpec untrained = answered(trials.spec("untrained"));
      untrained.training.none = true;
      trials.go(untrained);
      return std::string();
    });
  }
  trials.one("costs", false, [&] {
    if (!trains) throw RunError("nothing was trained");
    Trials plain(attack, {}, plug_ins, folder, tell);
    const RunData none = plain.go(plain.spec("none"));
    char text[160];
    std::snprintf(text, sizeof text,
                  "%.0f forward and %.0f backward passes in %zu steps (none: %.0f and %.0f in %zu)",
                  number_of(whole, "forward_passes"), number_of(whole, "backward_passes"),
                  whole.steps.size(), number_of(none, "forward_passes"),
                  number_of(none, "backward_passes"), none.steps.size());
    return std::string(text);
  });
  return trials.all_good();
}

bool check_attack_policy(const AnyAttack& attack, const PlugIns& plug_ins, const fs::path& folder,
                         const std::function<void(const PolicyTrial&)>& tell) {
  Trials trials(attack, {}, plug_ins, folder, tell);
  RunData whole;
  common_trials(trials, whole);
  trials.one("depends on the seed", true, [&] {
    RunSpec s = trials.spec("seed");
    s.seed = 1;
    const RunData other = trials.go(s);
    const auto rows = [](const RunData& data) {
      for (const auto& [name, value] : data.info.hashes)
        if (name == "rows") return value;
      return std::string();
    };
    if (attack.tampers()) return std::string("edits weights");
    return std::string(rows(whole) == rows(other) ? "the rows are the same" : "");
  });
  trials.one("names its conditions apart", false, [&] {
    std::set<std::string> names;
    for (const Condition& condition : attack.conditions())
      if (!names.insert(condition.name).second)
        throw RunError("two conditions are called " + condition.name);
    return std::to_string(names.size()) + " conditions";
  });
  return trials.all_good();
}

}  // namespace seawall
