// The handle: what a policy can ask the model, through a real training run.
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/train/still_model.hpp"
#include "tests/support/fake_scenario.hpp"
#include "tests/support/files.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/scenario_run.hpp"

namespace seawall {
namespace {

using namespace testing;

struct NoOptions {
  static constexpr void visit(auto&, auto&&) {}
};

/// Calls one function in one hook.
struct Asks {
  static constexpr std::string_view name = "asks", summary = "Asks the trainer.";
  static constexpr Hook hooks =
      Hook::on_start | Hook::around_loss | Hook::before_step | Hook::after_step | Hook::on_finish;
  static constexpr Need needs = Need::none;
  struct Options : NoOptions {
  } options;
  std::function<void(Trainer&)> ask;
  Hook which = Hook::none;

  Hook active() const { return which; }
  void on_start(Trainer& t) { ask(t); }
  void before_step(Trainer& t, const Step&) { ask(t); }
  void after_step(Trainer& t, const Step&) { ask(t); }
  void on_finish(Trainer& t) { ask(t); }
  Tensor around_loss(Trainer& t, const LossFn& loss) {
    ask(t);
    return loss();
  }
};
template <Hook which>
Stack<Asks> asks(std::function<void(Trainer&)> ask) {
  return Stack<Asks>(Asks{{}, std::move(ask), which});
}

TEST(Handle, APassOfTheBatchInHandIsTheLossOfTheStep) {
  ScenarioRun run;
  run.data.micro_batch_size = 3;  // of 4
  std::vector<double> losses;
  auto stack = asks<Hook::around_loss>([&](Trainer& t) {
    const Pass pass = t.pass(t.user());
    losses.push_back(pass.loss.sum().item<double>());
    EXPECT_EQ(pass.loss.size(0), t.user().row.size(0));
    for (const Example& row : t.user().rows) EXPECT_EQ(row.kind, RowKind::harmful);
  });
  run.go(stack);
  ASSERT_EQ(run.sink.steps.size(), 9u);
  ASSERT_EQ(losses.size(), 18u);
  for (std::size_t i = 0; i < 9; ++i)  // 5 targets a row
    EXPECT_NEAR((losses[2 * i] + losses[2 * i + 1]) / 20, run.sink.steps[i].loss, 1e-6);
  EXPECT_EQ(run.result.forward_passes, 36);
  EXPECT_EQ(run.result.backward_passes, 18);
}

TEST(Handle, AskingChangesNothing) {
  ScenarioRun plain, asked;
  plain.go();
  auto stack = asks<Hook::before_step>([](Trainer& t) {
    t.rng().next();
    const Batch batch = t.next(t.rows(Pool::safe, 10), 3);
    const Tensors g = t.gradient([&] { return t.pass(batch).loss.mean(); });
    EXPECT_EQ(g.size(), t.params().size());
    t.pass(batch, {.theta = Theta::start, .logits = true});
  });
  asked.go(stack);
  EXPECT_TRUE(same_bits(asked.decoder.parameters(), plain.decoder.parameters()));
  EXPECT_EQ(asked.sink.steps.back().loss, plain.sink.steps.back().loss);
}

TEST(Handle, GradientsAreThoseOfBackward) {
  ScenarioRun run;
  run.data.steps = 1;
  auto stack = asks<Hook::before_step>([](Trainer& t) {
    const Tensors g = t.gradient([&] { return t.pass(t.user()).loss.mean(); });
    const Tensors backward = gradients_of(t.params());
    // Per-token and fused losses sum in another order.
    EXPECT_LT(norm([&] {
                Tensors d;
                for (std::size_t i = 0; i < g.size(); ++i) d.push_back(g[i].sub(backward[i]));
                return d;
              }()),
              1e-5 * norm(backward));
  });
  run.go(stack);
}

TEST(Handle, GradientsInWhatAnEditAddsAreThoseOfTheLossAndAreCounted) {
  ScenarioRun run;
  run.data.steps = 1;
  auto stack = asks<Hook::before_step>([](Trainer& t) {
    const auto loss_with = [&](const Tensor& shift, double scale) {
      return [&t, shift, scale] {
        const auto add = [&](const TapPoint& point, const Tensor& x) {
          return point.layer == 1 ? x.add(shift, scale) : x;
        };
        return t.pass(t.user(), {.edit = add, .edits = TapPoint::Kind::attn_out}).loss.mean();
      };
    };
    const Tensor shift = at::zeros({t.user().tokens, 32}, at::kFloat).set_requires_grad(true);
    const Tensors g = t.gradient(loss_with(shift, 1), {shift});
    ASSERT_EQ(g.size(), 1u);
    at::NoGradGuard no_grad;
    const double there = loss_with(g[0], 1e-2)().item<double>(),
                 back = loss_with(g[0], -1e-2)().item<double>();
    EXPECT_NEAR((there - back) / 2e-2, dot(g, g), 0.02 * dot(g, g));
  });
  run.go(stack);
  EXPECT_EQ(run.result.backward_passes, 2);  // the step's, and this one
}

TEST(Handle, ThetaStartIsTheModelBeforeTheRun) {
  ScenarioRun run;
  std::vector<double> at_start;
  double now = 0;
  auto stack = asks<Hook::after_step>([&](Trainer& t) {
    const Batch batch = t.encode(t.rows(Pool::safe, 4));
    at_start.push_back(t.pass(batch, {.theta = Theta::start}).loss.mean().item<double>());
    now = t.pass(batch).loss.mean().item<double>();
    EXPECT_TRUE(same_bits(t.weight("model.norm.weight", Theta::start), t.params().back().start));
  });
  run.go(stack);
  for (const double loss : at_start) EXPECT_EQ(loss, at_start.front());
  EXPECT_NE(now, at_start.front());
  auto wrong = asks<Hook::on_start>([](Trainer& t) { t.weight("no.such", Theta::now); });
  EXPECT_THROW(ScenarioRun().go(wrong), UsageError);
}

TEST(Handle, RowsAreDrawnOnceAndNeverThoseOfTheRun) {
  ScenarioRun run;
  auto stack = asks<Hook::on_start>([&](Trainer& t) {
    const Dataset& all = t.rows(Pool::harmful, 0);
    EXPECT_EQ(all.size(), 200 - run.rows.size());
    for (const Example& row : all.rows)
      for (const Example& used : run.rows.rows)
        EXPECT_NE(row.dialogue.last(Role::user), used.dialogue.last(Role::user));
    EXPECT_EQ(&t.rows(Pool::harmful, 0), &all);
    EXPECT_EQ(t.rows(Pool::safe, 7).size(), 7u);
    EXPECT_THROW(t.rows(Pool::harmful, 195), DataError);
  });
  run.go(stack);
  EXPECT_EQ(run.drawn, (std::vector<std::string>{"asks harmful 188", "asks safe 7"}));
}

TEST(Handle, BatchesComeInTurn) {
  ScenarioRun run;
  run.data.steps = 1;
  auto stack = asks<Hook::on_start>([](Trainer& t) {
    const Dataset& five = t.rows(Pool::safe, 5);
    std::vector<std::string> ids;
    for (int i = 0; i < 4; ++i)
      for (const Example& row : t.next(five, 3).rows) ids.push_back(row.id);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], five.rows[i % 5].id);
    EXPECT_THROW(t.next(Dataset{}, 1), UsageError);
  });
  run.go(stack);
}

TEST(Handle, ABatchSaysWhereThePromptEnds) {
  ScenarioRun run;
  run.data.steps = 1;
  auto stack = asks<Hook::on_start>([](Trainer& t) {
    const Batch batch = t.encode(t.rows(Pool::safe, 6));
    for (std::int64_t r = 0; r < 6; ++r) {
      const Tensor first = batch.row.eq(r).logical_and(batch.place.eq(0));
      EXPECT_EQ(batch.source.masked_select(first).item<std::int64_t>(),
                batch.prompt_end[r].item<std::int64_t>());
    }
  });
  run.go(stack);
}

TEST(Handle, StepsOfAPolicyMoveTheWeightsAndAreCounted) {
  ScenarioRun plain, more;
  plain.go();
  auto stack = asks<Hook::after_step>([](Trainer& t) {
    const Batch batch = t.next(t.rows(Pool::safe, 10), 4);
    t.step([&] { return t.pass(batch).loss.mean(); });
  });
  more.go(stack);
  EXPECT_EQ(more.result.policy_steps, 9);
  EXPECT_EQ(more.result.steps, 9);
  EXPECT_EQ(more.result.backward_passes, 18);
  EXPECT_GT(distance(more.decoder.parameters(), plain.decoder.parameters()), 1e-4);
  EXPECT_GT(more.sink.steps.front().moved, 0.5);
  auto early = asks<Hook::on_start>([](Trainer& t) { t.step([] { return Tensor(); }); });
  EXPECT_THROW(ScenarioRun().go(early), UsageError);
}

TEST(Handle, APolicyCanStopTheRun) {
  ScenarioRun run;
  std::vector<bool> last;
  run.context.evaluate = [&](std::int64_t, std::int64_t, bool is_last) { last.push_back(is_last); };
  int steps = 0;
  auto stack = asks<Hook::after_step>([&](Trainer& t) {
    if (++steps == 4) t.stop("enough");
  });
  run.go(stack);
  EXPECT_EQ(run.result.steps, 4);
  EXPECT_EQ(run.result.stopped, "asks: enough");
  EXPECT_EQ(last, (std::vector<bool>{false, true}));
}

TEST(Handle, MeasuresAreOfTheStepOrOfTheRun) {
  ScenarioRun run;
  int steps = 0;
  auto stack = asks<Hook::after_step>([&](Trainer& t) {
    if (++steps == 2) t.measure("agreement", 0.5);
    EXPECT_THROW(t.measure("with space", 1), UsageError);
  });
  run.go(stack);
  EXPECT_TRUE(run.sink.steps[0].measured.empty());
  EXPECT_EQ(run.sink.steps[1].measured,
            (std::vector<std::pair<std::string, double>>{{"asks/agreement", 0.5}}));
  auto end = asks<Hook::on_finish>([](Trainer& t) { t.measure("cut", 3); });
  ScenarioRun second;
  second.go(end);
  EXPECT_EQ(second.result.measured, (std::vector<std::pair<std::string, double>>{{"asks/cut", 3}}));
}

TEST(Handle, WhatIsMeasuredInMicroBatchesIsTheMeanOverTargets) {
  ScenarioRun run;
  run.data.micro_batch_size = 3;  // of 4: 15 and 5 targets
  run.data.steps = 2;
  auto stack = asks<Hook::around_loss>([](Trainer& t) {
    t.measure("targets", static_cast<double>(t.user().row.size(0)));
    if (t.user().rows.size() == 1) t.measure("last", 7);
  });
  run.go(stack);
  for (const StepRecord& step : run.sink.steps) {
    const std::map<std::string, double> measured(step.measured.begin(), step.measured.end());
    EXPECT_DOUBLE_EQ(measured.at("asks/targets"), (15 * 15 + 5 * 5) / 20.0);
    EXPECT_EQ(measured.at("asks/last"), 7) << "over those that measured it";
  }
}

/// Asks for the batch in hand in a penalty.
struct LooksAtTheUser {
  static constexpr std::string_view name = "looks", summary = "Asks for the user's rows.";
  static constexpr Hook hooks = Hook::penalty;
  static constexpr Need needs = Need::none;
  struct Options : NoOptions {
  } options;
  Tensor penalty(Trainer& t, const Step&) { return t.pass(t.user()).loss.mean(); }
};

TEST(Handle, APenaltyOnTheUsersRowsIsRefusedUnderMicroBatches) {
  ScenarioRun whole, parts;
  Stack<LooksAtTheUser> stack{LooksAtTheUser{}};
  EXPECT_NO_THROW(whole.go(stack));
  parts.data.micro_batch_size = 3;
  EXPECT_HAS(message_of<UsageError>([&] { parts.go(stack); }),
             "a penalty is asked once for the 2 micro-batches of a step");
}

TEST(Handle, AShiftIsUndoneToTheBit) {
  ScenarioRun run;
  auto stack = asks<Hook::before_step>([](Trainer& t) {
    const Tensors g = gradients_of(t.params());
    Tensors before;
    for (const Param& p : t.params()) before.push_back(p.value.detach().clone());
    {
      const Shifted shifted(t.params(), g, 0.1 / norm(g));
      EXPECT_GT(norm(drifts(t.params(), everywhere(t.params()))), 0.05);
    }
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(same_bits(before[i], t.params()[i].value));
  });
  run.go(stack);
}

TEST(Handle, ErrorsNamePolicyAndHook) {
  auto stack = asks<Hook::before_step>([](Trainer& t) { t.rows(Pool::safe, 10'000); });
  try {
    ScenarioRun().go(stack);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("mitigation asks, before_step: want 10000"))
        << error.what();
  }
  auto torch = asks<Hook::before_step>([](Trainer& t) { t.params().front().value.view({7, 7}); });
  try {
    ScenarioRun().go(torch);
    FAIL();
  } catch (const RunError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("mitigation asks, before_step: "));
  }
}

TEST(Handle, AModelThatIsNotTrainedKnowsTheFactorsOfItsAdapter) {
  ScenarioRun run(true);
  const StillModel model(run.decoder, run.scenario, run.context.services, 1);
  EXPECT_FALSE(model.params().empty());
  for (const Param& p : model.params()) EXPECT_EQ(p.scale, 2) << p.name;  // alpha 4, rank 2
}

TEST(Handle, WithoutServicesItSaysSo) {
  TinyRun run;
  auto stack = asks<Hook::on_start>([](Trainer& t) { t.answers({}); });
  EXPECT_THROW(run.go(stack), UsageError);
  auto other = asks<Hook::on_start>([](Trainer& t) { t.other_model("organism-base"); });
  EXPECT_THROW(TinyRun().go(other), UsageError);
}

/// Draws, takes turns, and lets both decide the gradient; has no state of its own.
struct Wanders {
  static constexpr std::string_view name = "wanders", summary = "Depends on its streams.";
  static constexpr Hook hooks = Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options : NoOptions {
  } options;
  void before_step(Trainer& t, const Step&) {
    const Batch batch = t.next(t.rows(Pool::safe, 7), 3);
    const Tensors g = t.gradient([&] { return t.pass(batch).loss.mean(); });
    add_to_gradients(t.params(), g, t.rng().uniform());
    t.measure("drawn", static_cast<double>(batch.rows.front().id.size()));
  }
};

TEST(Handle, StreamsAndTurnsGoOnAfterAResume) {
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("seawall-handle-" + std::to_string(::getpid()));
  for (const bool lora : {false, true}) {
    std::filesystem::remove_all(folder);
    ScenarioRun whole(lora);
    whole.options.checkpoint_every = 4;
    whole.context.checkpoint = [&](CheckpointState state) {
      if (state.step == 4) save_checkpoint(folder, state);
    };
    Stack stack{Wanders{}};
    whole.go(stack);
    const LoadedCheckpoint loaded = load_checkpoint(folder);
    ScenarioRun rest(lora);
    rest.context.resume = &loaded.state;
    Stack again{Wanders{}};
    rest.go(again);
    EXPECT_TRUE(same_bits(rest.trained(), whole.trained()));
    EXPECT_EQ(rest.sink.steps.back().loss, whole.sink.steps.back().loss);
    EXPECT_EQ(rest.result.forward_passes, whole.result.forward_passes);
  }
  std::filesystem::remove_all(folder);
}

/// Two equal policies draw from streams of their own.
TEST(Handle, EachPolicyHasItsOwnStream) {
  std::vector<std::string> first;
  const auto look = [&](Trainer& t) {
    first.push_back(t.rows(Pool::safe, 5).rows.front().id + std::to_string(t.rng().next()));
  };
  const Asks policy{{}, look, Hook::on_start};
  Stack stack{policy, policy};
  ScenarioRun run;
  run.go(stack);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_NE(first[0], first[1]);
}

}  // namespace
}  // namespace seawall
