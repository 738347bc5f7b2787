#include "mitigations/t_vaccine.hpp"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::stage;
using testing::StageRun;

/// The block that the file names.
struct DrawnTVaccine : TVaccine {
  Tensor penalty(Trainer&, const Step&) {
    active = at::tensor(std::vector<std::int64_t>{0, 1}).to(at::kBool);
    return {};
  }
};

/// Asks for the scores of the batch in hand.
struct Scores {
  static constexpr std::string_view name = "scores", summary = "Norms of gradients.";
  static constexpr Hook hooks = Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  std::vector<Tensor>* seen = nullptr;
  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    seen->push_back(attention_norms(trainer, trainer.user()));
    return loss();
  }
};

TEST(TVaccine, ScoresAreTheFiles) {
  StageRun run("t-vaccine", "harmful");
  run.data.share_prefixes = false;
  std::vector<Tensor> seen;
  run.go(Scores{{}, &seen});
  const Tensor p = seen.front().div(seen.front().sum());
  for (std::size_t l = 0; l < 2; ++l)
    EXPECT_NEAR(p[static_cast<std::int64_t>(l)].item<double>(),
                run.entry().at("probabilities").at(l), 1e-6);
}

TEST(TVaccine, BlocksAreDrawnByTheirScores) {
  Rng rng(3);
  const Tensor scores = at::tensor(std::vector<double>{1, 0, 3});
  int first = 0;
  for (int i = 0; i < 400; ++i) {
    const Tensor one = drawn_by(scores, 1, rng), two = drawn_by(scores, 2, rng);
    EXPECT_EQ(one.sum().item<std::int64_t>(), 1);
    EXPECT_FALSE(one[1].item<bool>());
    EXPECT_EQ(two.sum().item<std::int64_t>(), 2);
    EXPECT_FALSE(two[1].item<bool>());
    first += one[0].item<bool>();
  }
  EXPECT_NEAR(first, 100, 30);
  EXPECT_EQ(drawn_by(scores, 3, rng).sum().item<std::int64_t>(), 3);
}

TEST(TVaccine, StepsAreTheFiles) {
  StageRun run("t-vaccine");
  run.data.share_prefixes = false;
  run.go(DrawnTVaccine{{{run.option("rho"), 1, 20, 200, 8, stage}}});
  NamedTensors moved;  // the file has those that train
  for (const auto& [name, tensor] : run.trained())
    if (run.entry().at("weights").contains(name)) moved.push_back({name, tensor});
  EXPECT_GT(moved.size(), 5u);
  run.expect_weights(run.entry().at("weights"), moved);
  for (std::size_t i = 0; i < 2; ++i) {
    const double want = run.entry().at("steps").at(i).at("grad_norm");
    EXPECT_NEAR(run.sink.steps.at(i).grad_norm, want, run.norm_near(want));
  }
  DefenceRun fresh("t-vaccine");
  for (const auto& before : fresh.decoder().parameters()) {  // the others stay
    if (run.entry().at("weights").contains(before.name)) continue;
    for (const auto& [name, tensor] : run.trained())
      if (name == before.name) {
        EXPECT_TRUE(at::equal(tensor.detach(), before.tensor)) << name;
      }
  }
}

}  // namespace
}  // namespace seawall
