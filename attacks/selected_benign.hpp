#pragma once
// Benign rows that wear alignment away most, chosen with the model. Source: He et al. 2024, "What
// is in your safe data?", arXiv 2404.01099, sec. 3 (gradient, representation); Guan et al. 2025,
// arXiv 2505.06843 (self-influence).
#include <utility>

#include "seawall/policy/attack.hpp"
#include "seawall/policy/row_scores.hpp"

namespace seawall {

/// Fine-tunes on the `count` of `candidates` benign rows with the highest score (or the lowest, or
/// any, for comparison). Scores are those of row_scores.hpp at the model before the run; anchors
/// are `anchors` harmful rows, and for the gradient as many safe ones.
struct SelectedBenign {
  static constexpr std::string_view name = "selected-benign",
                                    summary = "Fine-tunes on the benign rows that harm most.";
  static constexpr Need needs = Need::benign_data | Need::harmful_data | Need::safe_data;
  static constexpr TrainDefaults defaults{.epochs = 5, .batch_size = 20};  // arXiv 2505.06843
  struct Options {
    std::int64_t count = 100, candidates = 1000, anchors = 50, tokens = 10, nearest = 10;
    std::string by = "gradient", take = "top";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "rows to train on", 1, 1e7});
      field(self.candidates,
            OptionInfo{"candidates", "benign rows to choose from; 0: all", 0, 1e7});
      field(self.anchors, OptionInfo{"anchors", "harmful rows, and safe ones", 1, 1e6});
      field(self.tokens, OptionInfo{"tokens", "of an answer, for gradients; 0: all", 0, 1e6});
      field(self.nearest, OptionInfo{"nearest", "anchors that a representation counts", 1, 1e6});
      field(self.by, OptionInfo{.name = "by",
                                .help = "score of a row",
                                .choices = "gradient|gradient-cosine|representation|"
                                           "self-influence|self-influence-length"});
      field(self.take,
            OptionInfo{.name = "take", .help = "which rows", .choices = "top|bottom|random"});
    }
    void check() const {
      if (candidates > 0 && count > candidates)
        throw UsageError("selected-benign.count: is more than the candidates; choose fewer");
    }
  } options;

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    const auto draw = [&](Pool pool, std::int64_t count) {
      return with_default_system(drawn(scenario, pool, count, rng), scenario);
    };
    Dataset all = draw(Pool::benign, options.candidates);
    const Anchors anchors{draw(Pool::harmful, options.anchors), draw(Pool::safe, options.anchors)};
    if (options.take != "random") {
      const auto scores =
          row_scores(context.model(), all, anchors, {options.by, options.tokens, options.nearest});
      all = in_order_of(std::move(all), scores, options.take == "top");
    }
    all.rows.resize(std::min(all.size(), static_cast<std::size_t>(options.count)));
    return all;
  }
};
static_assert(explain_attack<SelectedBenign>());

}  // namespace seawall
