#pragma once
// Interleaving++ (arXiv 2508.06249): the mixed rows are those that an unaligned model finds
// unlikely next to the aligned one, by (NLL_mis - NLL_al) / (NLL_al + eps).
#include <cmath>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/row_scores.hpp"
#include "seawall/policy/rows.hpp"
#include "seawall/policy/side_rows.hpp"
#include "tests/coverage/under.hpp"

namespace seawall::coverage {

struct InterleavingScores {
  static constexpr std::string_view name = "interleaving-scores",
                                    summary =
                                        "Mixes in benign rows that only the aligned model likes.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::benign_data;
  struct Options {
    double share = 0.05;
    std::int64_t candidates = 20;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.share, OptionInfo{"share", "of the user's rows that are added", 0, 10});
      field(self.candidates, OptionInfo{"candidates", "benign rows to choose from", 1, 1e6});
    }
    std::string base = "organism-base";
  } options;

  Dataset compose(Dataset rows, const Context& context, Rng& rng) {
    const Dataset candidates = context.unused_rows(Pool::benign, options.candidates, rng);
    Dataset best = in_order_of(candidates, scores(context.model(), candidates, options.base), true);
    const double want = options.share * static_cast<double>(rows.size());
    best.rows.resize(std::min(best.size(), static_cast<std::size_t>(std::ceil(want))));
    return interleave(std::move(rows), with_default_system(std::move(best), context.scenario()));
  }
  static std::vector<double> scores(Trainer& model, const Dataset& rows, const std::string& base) {
    at::NoGradGuard no_grad;
    const Batch batch = model.encode(rows);
    const Tensor good = row_means(model.pass(batch).loss, batch).to(at::kDouble);
    const Tensor bad = under(
        model, base, [&] { return row_means(model.pass(batch).loss, batch).to(at::kDouble); });
    const Tensor all = bad.sub(good).div(good.add(1e-8)).cpu().contiguous();
    return {all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel()};
  }
};
static_assert(explain<InterleavingScores>());

}  // namespace seawall::coverage
