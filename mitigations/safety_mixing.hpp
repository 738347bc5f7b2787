#pragma once
// Safety mixing: refusals among the fine-tuning rows.
// Source: Qi et al. 2023, sec. 5 and table 4; Bianchi et al. 2023, "Safety-tuned LLaMAs".
#include <cmath>
#include <string>
#include <utility>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

/// Adds `count` safe rows, or `ratio` of them a row, that the data does not hold yet. Shuffled: the
/// whole set in random order. Stratified: spread evenly, so that every batch has its share.
struct SafetyMixing {
  static constexpr std::string_view name = "safety-mixing";
  static constexpr std::string_view summary = "Mixes safe rows (refusals) into the training rows.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t count = 100;  // Qi et al. 2023, table 4
    double ratio = 0;
    std::string arrangement = "shuffled", form = "data";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "safe rows to add", 0, 1e7});
      field(self.ratio, OptionInfo{"ratio", "safe rows a row, in place of count", 0, 100});
      field(self.arrangement, OptionInfo{.name = "arrangement",
                                         .help = "order of the rows",
                                         .choices = "shuffled|stratified"});
      field(self.form,
            OptionInfo{
                .name = "form",
                .help = "ask as the data does (system prompt, shared opening), or in own words",
                .choices = "data|own"});
    }
    void check() const {
      if (ratio > 0 && count != Options{}.count)
        throw UsageError("safety-mixing: want count or ratio, got both; leave one out");
    }
  } options;

  Dataset compose(Dataset data, const Context& context, Rng& rng) {
    const Scenario& scenario = context.scenario();
    const std::size_t want = options.ratio > 0
                                 ? std::llround(options.ratio * static_cast<double>(data.size()))
                                 : static_cast<std::size_t>(options.count);
    if (want == 0) return data;
    Dataset safe = new_safe_rows(data, want, scenario, rng, name);
    if (options.form == "data") safe = asked_as(std::move(safe), data, rng);
    Dataset mixed = interleave(std::move(data), std::move(safe));
    if (options.arrangement == "shuffled") rng.shuffle(mixed.rows);
    return mixed;
  }
};
static_assert(explain<SafetyMixing>());

}  // namespace seawall
