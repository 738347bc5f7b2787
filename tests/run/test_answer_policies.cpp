// Policies that act on answers with what they measured: before training, without it, after an edit
// of the weights, and from a checkpoint.
#include <gtest/gtest.h>

#include "attacks/prune.hpp"
#include "mitigations/activation_steering.hpp"
#include "mitigations/antidote.hpp"
#include "mitigations/safe_decoding.hpp"
#include "run_story.hpp"

namespace seawall {
namespace {

using testing::RunStory;

std::vector<std::string> responses(const RunData& data, std::int64_t step) {
  std::vector<std::string> out;
  for (const EvaluationRecord& record : data.evaluations)
    if (record.step == step)
      for (const ProbeResult& result : record.results) out.push_back(result.response);
  return out;
}

class AnswerPolicies : public RunStory, public ::testing::WithParamInterface<std::int64_t> {
 protected:
  RunSpec small(const std::string& name) const {
    RunSpec out = spec(name);
    out.evaluation.max_new_tokens = 6;
    out.training.lora.rank = GetParam();
    if (GetParam() > 0) out.training.lr = 1e-2;
    return out;
  }
  RunSpec of_checkpoint(const std::string& run, const std::string& name) const {
    RunSpec out = spec(name);
    out.evaluation.max_new_tokens = 6;
    out.training.none = true;
    (GetParam() > 0 ? out.model.adapter : out.model.name) =
        (folder / (run + ".checkpoints")).string();
    return out;
  }
};

TEST_P(AnswerPolicies, ACheckpointAnswersAsItsRunDid) {
  AnyStack stack;
  stack.push_back(AnyMitigation(SafeDecoding{}));
  stack.push_back(AnyMitigation(ActivationSteering{{.alpha = -2, .rows = 8}}));
  AnyStack again = stack, none;
  const RunData trained = run(attack, stack, small("a.h5"));
  const RunData loaded = run(attack, again, of_checkpoint("a", "b.h5"));
  const RunData bare = run(attack, none, of_checkpoint("a", "c.h5"));
  const auto last = responses(trained, trained.steps.back().step);
  EXPECT_EQ(responses(loaded, 0), last);
  EXPECT_NE(responses(bare, 0), last);
}
INSTANTIATE_TEST_SUITE_P(Weights, AnswerPolicies, ::testing::Values(0, 8));

TEST_F(RunStory, PoliciesThatActOnAnswersBeginBeforeTheFirstOne) {
  RunSpec both = spec("both.h5");
  both.evaluation.at = "both";
  both.evaluation.max_new_tokens = 6;
  RunSpec untrained = spec("untrained.h5");
  untrained.training.none = true;
  untrained.evaluation.max_new_tokens = 6;
  Stack steered{ActivationSteering{{.alpha = -20, .rows = 8}}}, still = steered, edited = steered;
  Stack<> none;
  const RunData data = run(attack, steered, both);
  const RunData at_rest = run(attack, still, untrained);
  // Rows that v is measured on differ: an untrained run has no attack whose rows are left out.
  untrained.place.out = (folder / "bare.h5").string();
  const auto bare = responses(run(attack, none, untrained), 0);
  EXPECT_NE(responses(data, 0), bare);
  EXPECT_NE(responses(at_rest, 0), bare);
  std::int64_t drawn = 0;
  for (const auto& [name, value] : data.info.numbers) drawn += name.starts_with("rows_of_");
  EXPECT_EQ(drawn, 2) << "drawn before training and in it, counted once";

  RunSpec prune = spec("prune.h5");
  prune.evaluation.max_new_tokens = 6;
  const RunData pruned = run(AnyAttack(Prune{}), edited, prune);
  prune.place.out = (folder / "bare-prune.h5").string();
  EXPECT_NE(responses(pruned, 1), responses(run(AnyAttack(Prune{}), none, prune), 1));
}

TEST_F(RunStory, WhatActsWhileTrainingIsRefusedWhereNothingIsTrained) {
  Stack stack{Antidote{}};
  try {
    run(AnyAttack(Prune{}), stack, spec("p.h5"));
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("nothing is trained by attack prune"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(RunStory, AnExpertThatIsNotThereIsNamed) {
  Stack stack{SafeDecoding{{.expert = "/nope"}}};
  RunSpec untrained = spec("u.h5");
  untrained.training.none = true;
  try {
    run(attack, stack, untrained);
    FAIL();
  } catch (const UsageError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("mitigation safe-decoding, on_start: want another model"),
              std::string::npos)
        << what;
    EXPECT_EQ(what.find("--model"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace seawall
