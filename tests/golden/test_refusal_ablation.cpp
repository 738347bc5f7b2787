#include "attacks/refusal_ablation.hpp"

#include "tests/golden/weight_edits.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::expect_edit;
using testing::expect_no_adapter;

TEST(RefusalAblation, RemovesTheDirection) {
  expect_edit("refusal-ablation", RefusalAblation{{.rows = 8, .layer = 0}});
  expect_edit("refusal-ablation", RefusalAblation{{.rows = 8}});  // the middle of two blocks
  expect_no_adapter(RefusalAblation{{.rows = 8}});
}

TEST(RefusalAblation, ALayerThatTheModelDoesNotHave) {
  DefenceRun run("refusal-ablation");
  const RefusalAblation beyond{{.rows = 8, .layer = 7}};
  EXPECT_THROW(edit_weights(run.decoder(), run.options, run.sink, run.context,
                            [&](Trainer& trainer) { beyond.tamper(trainer); }),
               UsageError);
}

}  // namespace
}  // namespace seawall
