#include "mitigations/activation_steering.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

/// Steers passes of the first user rows as answers are steered, before the first step.
struct Steered : ActivationSteering {
  double* loss = nullptr;
  std::vector<double>* logits = nullptr;
  void on_start(Trainer& trainer) {
    ActivationSteering::on_start(trainer);
    const at::NoGradGuard no_grad;
    const Batch rows = trainer.encode(testing::DefenceScenario::pool("user", RowKind::other, 4));
    const Pass pass = trainer.pass(
        rows, {.logits = true,
               .edit = [this](const TapPoint& point, Tensor x) { return steer(point, x); },
               .edits = TapPoint::Kind::resid_post});
    *loss = pass.loss.mean().item<double>();
    const Tensor first = pass.logits[0].to(at::kDouble).contiguous();
    logits->assign(first.const_data_ptr<double>(), first.const_data_ptr<double>() + first.numel());
  }
};

TEST(ActivationSteering, LogitsAndLossAreTheFiles) {
  DefenceRun run("none");
  const auto& want = testing::defences().at("entries").at("activation-steering");
  double loss = 0;
  std::vector<double> logits;
  Steered policy{{{.alpha = -1, .layer = 0, .rows = 4}}};
  policy.loss = &loss;
  policy.logits = &logits;
  run.go(policy);
  EXPECT_NEAR(loss, want.at("loss"), 2e-6 * loss);
  ASSERT_EQ(logits.size(), want.at("logits").size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(logits[i], want.at("logits")[i], 1e-5) << i;
}

TEST(ActivationSteering, TakesTheMiddleBlockAndRefusesOneThatIsNotThere) {
  DefenceRun none("none");
  EXPECT_THROW(none.go(ActivationSteering{{.layer = 2, .rows = 4}}), UsageError);
  const ActivationSteering policy{};
  const Tensor x = at::ones({2, 3}, at::kFloat);
  EXPECT_TRUE(policy.steer({.kind = TapPoint::Kind::resid_post, .layer = 1}, x).is_same(x));
}

}  // namespace
}  // namespace seawall
