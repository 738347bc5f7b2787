#include "attacks/selected_benign.hpp"

#include "seawall/train/still_model.hpp"
#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::DefenceScenario;

/// Scores and ranking of the eight benign rows.
void expect_scores(const RowScoring& scoring, const nlohmann::json& want) {
  DefenceRun run("none");
  StillModel model(run.decoder(), run.scenario, run.context.services, 1);
  const auto rows = [](const char* pool) { return DefenceScenario::pool(pool, RowKind::benign); };
  const auto scores = row_scores(model, rows("benign"), {rows("harmful"), rows("safe")}, scoring);
  ASSERT_EQ(scores.size(), want.at("scores").size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double exact = want.at("scores").at(i);
    EXPECT_NEAR(scores[i], exact, 1e-5 * (1 + std::abs(exact))) << scoring.by << i;  // fp32
  }
  const Dataset ordered = in_order_of(rows("benign"), scores, true);
  const Dataset reversed = in_order_of(rows("benign"), scores, false);
  for (std::size_t i = 0; i < 8; ++i) {
    const std::string id = "benign/" + std::to_string(want.at("ranking").at(i).get<int>());
    EXPECT_EQ(ordered.rows[i].id, id) << scoring.by;
    EXPECT_EQ(reversed.rows[7 - i].id, id) << scoring.by;
  }
}

TEST(SelectedBenign, RowsAreScoredAsPublished) {
  const auto& entries = testing::defences().at("entries");
  const auto& gradient = entries.at("selection-gradient");
  expect_scores({.by = "gradient", .tokens = 10}, gradient);
  expect_scores({.by = "gradient-cosine", .tokens = 10}, gradient.at("cosine"));
  expect_scores({.by = "representation", .nearest = 3}, entries.at("selection-representation"));
  const auto& own = entries.at("selection-self-influence");
  expect_scores({.by = "self-influence"}, own);
  expect_scores({.by = "self-influence-length"}, own.at("with_length"));
}

TEST(SelectedBenign, TakesTheHighestTheLowestOrAny) {
  DefenceRun run("none");
  StillModel model(run.decoder(), run.scenario, run.context.services, 1);
  Context context(run.scenario);
  context.set_model([&model]() -> Trainer& { return model; });
  const auto taken = [&](const std::string& take) {
    Rng rng(1);
    std::vector<std::string> ids;
    const SelectedBenign attack{{.count = 3, .candidates = 8, .anchors = 8, .take = take}};
    for (const Example& row : attack.craft(context, rng).rows) ids.push_back(row.id);
    return ids;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(taken("top"), (Ids{"benign/6", "benign/7", "benign/2"}));
  EXPECT_EQ(taken("bottom"), (Ids{"benign/3", "benign/5", "benign/4"}));
  EXPECT_EQ(taken("random"), (Ids{"benign/0", "benign/1", "benign/2"}));
}

}  // namespace
}  // namespace seawall
