#pragma once
// Deep augmentation: refusals that begin within a harmful answer.
// Source: Qi et al. 2024, arXiv 2406.05946, sec. 3.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/answer_table.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// share E[-log p(refusal | request, k words of the harmful answer)] + (1 - share) E[-log
/// p(answer)] of ordinary rows; k is 0 for half of the rows, else uniform from 1 to `most`. As many
/// of a row's last targets count as its refusal has alone (theirs: k in tokens).
struct DeepAugmentation {
  static constexpr std::string_view name = "deep-augmentation";
  static constexpr std::string_view summary = "Aligns on refusals begun within harmful answers.";
  static constexpr Hook hooks = Hook::before | Hook::on_start | Hook::token_weights | Hook::penalty;
  static constexpr Need needs = Need::safe_data | Need::harmful_data | Need::benign_data;
  struct Options {
    double share = 0.2;
    std::int64_t most = 100, anchors = 200;
    AlignmentSpec stage{.benign = 0};  // the anchors are
    static constexpr void visit(auto& self, auto&& field) {
      field(self.share, OptionInfo{"share", "weight of the refusals", 0, 1});
      field(self.most, OptionInfo{"most", "words of a harmful answer at the most", 1, 1e6});
      field(self.anchors, OptionInfo{"anchors", "ordinary rows, a batch per step", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    const RefusalPairs pairs = refusal_pairs(options.stage.count, context, rng);
    refused = pairs.refused;
    Dataset rows = begun(pairs, options.most, rng);
    return alignment_stage(name, options.stage, std::move(rows), context, rng);
  }
  void on_start(Trainer& trainer) {
    const Tensor counts = targets_per_row(trainer.encode(refused).row);
    for (std::size_t i = 0; i < refused.size(); ++i)
      own[refused.rows[i].id] = counts[static_cast<std::int64_t>(i)].item<std::int64_t>();
  }
  Tensor token_weights(Trainer& trainer, const TokenLosses& t) {
    Tensor first = targets_per_row(t.row);  // place of the refusal
    const auto& rows = trainer.user().rows;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (const auto n = own.find(rows[i].id); n != own.end())
        first[static_cast<std::int64_t>(i)].sub_(n->second);
    const Tensor counts = t.place.ge(first.to(t.row.device()).index_select(0, t.row));
    const double all = static_cast<double>(t.loss.size(0)), kept = counts.sum().item<double>();
    return counts.to(t.loss.scalar_type()).mul(options.share * all / kept);
  }
  Tensor penalty(Trainer& trainer, const Step&) {
    const Dataset& anchors = trainer.rows(Pool::benign, options.anchors);
    return trainer.pass(trainer.next(anchors, options.stage.batch_size))
        .loss.mean()
        .mul(1 - options.share);
  }

  Dataset refused;
  std::map<std::string, std::int64_t> own;  // targets of each refusal alone
};
static_assert(explain<DeepAugmentation>());

}  // namespace seawall
