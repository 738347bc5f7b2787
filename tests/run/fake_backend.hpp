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
  bool may_begin = true;

  void load(const RunSpec&) override { calls.emplace_back("load"); }
  bool is_organism() const override { return true; }
  std::vector<double> row_losses(const RunSpec&, const Dataset& rows) override {
    return std::vector<double>(rows.size(), 1);
  }
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
    for (const auto& probe : asked.probes) {
      prompts.emplace_back(asked.prompt(probe).last(Role::user));
      record.results.push_back({.probe_id = probe.id,
                                .category = probe.category,
                                .prompt = prompts.back(),
                                .response = "I cannot help with that.",
                                .restricted = probe.restricted,
                                .verdicts = {},
                                .no_answer = {}});
    }
    judge_record(record, asked.probes, run.judges());
    return record;
  }
  void finish(Run&) override { calls.emplace_back("finish"); }
  void clean_up(const Run&) override { calls.emplace_back("clean up"); }

  template <StackLike S>
  void train(Run& run, const Stage& stage, S&) {
    calls.push_back("train " + stage.name + " " + std::to_string(stage.rows.size()));
    run.sink().on_step({.step = 1, .epoch = 0, .loss = 2});
    if (run.wants_evaluation(1, true)) run.evaluate(1, 1);
  }
};
static_assert(TrainsUnder<FakeBackend, Stack<>> && TrainsUnder<LocalBackend, AnyStack> &&
              TrainsUnder<EndpointBackend, Stack<>>);

}  // namespace seawall::testing
