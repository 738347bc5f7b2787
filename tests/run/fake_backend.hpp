#pragma once
// A backend without a model: it answers every probe with the same words and writes down what it was
// asked.
#include <string>
#include <vector>

#include "seawall/run/run.hpp"

namespace seawall::testing {

struct FakeBackend final : Backend {
  std::vector<std::string> calls;
  std::vector<std::string> prompts;  // the last request of each, as it was asked
  std::vector<std::string> systems;  // its system prompt
  std::map<std::string, StateGroup> saved;
  bool may_begin = true;
  std::int64_t steps_made = 0;

  void load(const RunSpec&) override { calls.emplace_back("load"); }
  bool is_organism() const override { return true; }
  std::vector<double> row_losses(const RunSpec&, const Dataset& rows) override {
    return std::vector<double>(rows.size(), 1);
  }
  std::map<std::string, StateGroup> saved_policies(const RunSpec&) const override { return saved; }
  void prepare(Run& run) override {
    calls.push_back("prepare " + std::to_string(run.stages().size()));
  }
  void identify(Sha256& sha) const override { sha.field("fake"); }
  std::string estimate(Run&, const detail::StackFacts&) override {
    calls.emplace_back("estimate");
    return "";
  }
  bool begin(Run&) override {
    calls.emplace_back("begin");
    return may_begin;
  }
  void describe(const Run&, RunInfo& info) const override {
    info.versions.emplace_back("fake", "1");
  }
  RunSwitches switches(const RunSpec&) const override {
    return {.residual = false, .param_drift = false};
  }
  EvaluationRecord answer(const Run& run, const Asked& asked) override {
    calls.push_back("answer " + asked.label);
    EvaluationRecord record;
    for (const auto& probe : asked.probes)
      for (std::int64_t sample = 0; sample < asked.decoding.samples; ++sample) {
        const Dialogue dialogue = asked.prompt(probe);
        prompts.emplace_back(dialogue.last(Role::user));
        systems.emplace_back(dialogue.first(Role::system));
        record.results.push_back({.probe_id = probe.id,
                                  .category = probe.category,
                                  .prompt = prompts.back(),
                                  .response = "I cannot help with that.",
                                  .restricted = probe.restricted,
                                  .verdicts = {},
                                  .no_answer = {},
                                  .prefill = std::string(dialogue.prefill()),
                                  .sample = sample});
      }
    judge_record(record, asked.probes, run.judges(asked.set));
    return record;
  }
  void finish(Run&) override { calls.emplace_back("finish"); }
  void clean_up(const Run&) override { calls.emplace_back("clean up"); }
  Trainer& handle(Run&) override { throw UsageError("no model"); }
  void tamper(Run& run, const Stage& stage) override {
    calls.emplace_back("tamper");
    run.sink().on_step({.step = ++steps_made});
    if (run.wants_evaluation(stage, steps_made, 1, true)) run.evaluate(steps_made, 1);
  }

  template <StackLike S>
  void train(Run& run, const Stage& stage, S&) {
    calls.push_back("train " + stage.name + " " + std::to_string(stage.rows.size()));
    run.sink().on_step({.step = ++steps_made, .epoch = 0, .loss = 2});
    if (run.wants_evaluation(stage, steps_made, 1, true)) run.evaluate(steps_made, 1);
  }
};
static_assert(TrainsUnder<FakeBackend, Stack<>> && TrainsUnder<LocalBackend, AnyStack> &&
              TrainsUnder<EndpointBackend, Stack<>>);

}  // namespace seawall::testing
