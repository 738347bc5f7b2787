#include "mitigations/deep_augmentation.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

/// Rows of the file by tokens; the policy has to find where their refusals begin.
TEST(DeepAugmentation, StepsAreTheFiles) {
  StageRun run("deep-augmentation", "refusal");
  const Dataset refused = run.user;
  for (Example& row : run.user.rows) row.dialogue.messages.back().content.insert(0, "begun ");
  run.given = [&](const Dataset& rows) {
    EncodedRows out = run.from_texts(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows.rows[i].dialogue.last(Role::assistant).starts_with("begun ")) continue;
      const auto n = std::stoul(rows.rows[i].id.substr(rows.rows[i].id.find('/') + 1));
      const auto& want = run.entry().at("rows").at(n);
      Sequence& row = out.rows[i];
      row.ids = testing::ids_of(want.at("ids"));
      row.loss.assign(row.ids.size(), 0);
      const std::size_t k = run.entry().at("options").at("k").at(n);
      for (std::size_t t = want.at("first").get<std::size_t>() - k; t < row.ids.size(); ++t)
        row.loss[t] = 1;
    }
    return out;
  };
  DeepAugmentation policy{{run.option("share"), 100, 8, stage}};
  policy.refused = refused;
  run.go(policy);
  run.expect_steps(run.entry().at("steps"), true);
  run.expect_weights(run.entry().at("weights"), run.trained());
}

}  // namespace
}  // namespace seawall
