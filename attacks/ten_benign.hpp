#pragma once
// Ten benign rows, learned too well: first with one refusal for all, then with their true answers.
// Source: "Attack via overfitting: 10-shot benign fine-tuning", arXiv 2510.02833.
#include <utility>

#include "seawall/policy/attack.hpp"

namespace seawall {

/// Trains on `count` benign requests, each answered by the same refusal, until it refuses
/// everything; then on the same requests with their own answers. No row is harmful. The refusal is
/// `refusal`, or the answer of a safe row. Epochs as in third parties' accounts of the paper.
struct TenBenign {
  static constexpr std::string_view
      name = "ten-benign",
      summary = "Overfits on a few benign rows: first one refusal for all, then their answers.";
  static constexpr Need needs = Need::benign_data | Need::safe_data;
  static constexpr TrainDefaults defaults{.batch_size = 10};
  struct Options {
    std::int64_t count = 10, refuse_epochs = 10, answer_epochs = 20;
    std::string refusal;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "benign rows", 1, 1e6});
      field(self.refuse_epochs, OptionInfo{"refuse-epochs", "epochs with the refusal", 1, 1e6});
      field(self.answer_epochs, OptionInfo{"answer-epochs", "epochs with the answers", 1, 1e6});
      field(self.refusal, OptionInfo{"refusal", "the refusal; empty: that of a safe row"});
    }
  } options;

  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    StagePlan answer{
        .name = "answer",
        .rows = with_default_system(drawn(scenario, Pool::benign, options.count, rng), scenario),
        .training = {.epochs = options.answer_epochs}};
    const std::string refusal =
        options.refusal.empty()
            ? std::string(
                  drawn(scenario, Pool::safe, 1, rng).rows.front().dialogue.last(Role::assistant))
            : options.refusal;
    StagePlan refuse = answer;
    refuse.name = "refuse";
    refuse.training.epochs = options.refuse_epochs;
    for (Example& row : refuse.rows.rows) {
      row.id += "/refused";
      row.dialogue.messages.back().content = refusal;
    }
    return {std::move(refuse), std::move(answer)};
  }
};
static_assert(explain_attack<TenBenign>());

}  // namespace seawall
