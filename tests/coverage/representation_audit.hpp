#pragma once
// LARF (arXiv 2507.18631), DataShield: scores each of the user's rows by its hidden state, and
// drops the highest. The score is the projection on mean unsafe - mean safe, at one block, at the
// last place that predicts a target.
#include <set>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/row_scores.hpp"

namespace seawall::coverage {

struct RepresentationAudit {
  static constexpr std::string_view name = "representation-audit",
                                    summary = "Drops rows whose hidden state looks unsafe.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double share = 0.1;
    std::int64_t layer = 1;
    std::int64_t rows = 8;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.share, OptionInfo{"share", "of the user's rows that are dropped", 0, 1});
      field(self.layer, OptionInfo{"layer", "block, from 0", 0, 1e3});
      field(self.rows, OptionInfo{"rows", "rows of each kind", 1, 1e6});
    }
  } options;

  Dataset compose(Dataset rows, const Context& context, Rng& rng) {
    const auto safe = context.unused_rows(Pool::safe, options.rows, rng),
               harmful = context.unused_rows(Pool::harmful, options.rows, rng);
    const Dataset all =
        in_order_of(rows, scores(context.model(), rows, {harmful, safe}, options.layer), false);
    const auto keep = rows.size() - static_cast<std::size_t>(options.share * rows.size());
    std::set<std::string> kept;
    for (std::size_t i = 0; i < keep; ++i) kept.insert(all.rows[i].id);
    std::erase_if(rows.rows, [&](const Example& row) { return !kept.contains(row.id); });
    return rows;
  }
  static std::vector<double> scores(Trainer& model, const Dataset& rows, const Anchors& anchors,
                                    std::int64_t layer) {
    at::NoGradGuard no_grad;
    const auto last = [&](const Dataset& of) {  // [B,C]
      Tensors each;
      for (const Example& row : of.rows) {
        const Batch batch = model.encode({"row", {row}});
        const Pass pass = model.pass(batch, {.taps = TapPoint::Kind::resid_post});
        each.push_back(in_full(pass.tap({.kind = TapPoint::Kind::resid_post,
                                         .layer = layer}))[batch.source[-1].item<std::int64_t>()]);
      }
      return at::stack(each).to(at::kDouble);
    };
    const Tensor v = last(anchors.harmful).mean(0).sub(last(anchors.safe).mean(0));
    const Tensor all = last(rows).mv(v.div(v.norm())).cpu().contiguous();
    return {all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel()};
  }
};
static_assert(explain<RepresentationAudit>());

}  // namespace seawall::coverage
