#pragma once
// Data audit: the provider looks at the training rows before anything is trained on them.
// Source: Qi et al. 2023, sec. 5 (moderation of fine-tuning data) and sec. 4.3 (identity-shift rows
// pass it); perplexity filters as in Alon and Kamfonas 2023.
#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/audit.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Takes out rows that hold a listed phrase (keyword), whose answer the scenario's judge grades as
/// a full answer to a restricted request (judge), that a provider's moderation endpoint flags
/// (moderation: --base-url and a key; user and assistant turns are sent), or whose answer surprises
/// the model as it is now (perplexity: mean loss above a threshold, or above most of some benign
/// rows). It sees what stands before it in the stack, so put it before what adds rows that shall
/// stay.
struct DataAudit {
  static constexpr std::string_view name = "data-audit";
  static constexpr std::string_view summary = "Filters the training rows before training.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  struct Options {
    std::string filter = "keyword", keywords;
    double threshold = 0, quantile = 0.95;
    std::int64_t reference = 200;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.filter, OptionInfo{.name = "filter",
                                    .help = "what flags a row",
                                    .choices = "keyword|judge|moderation|perplexity"});
      field(self.keywords,
            OptionInfo{"keywords", "file, a phrase a line; empty: what the scenario restricts"});
      field(self.threshold, OptionInfo{"threshold",
                                       "score that flags (0: 5; moderation: 0 takes its own "
                                       "word), or loss in nats a token above "
                                       "which a row is flagged (0: the quantile)",
                                       0, 1e3});
      field(self.quantile, OptionInfo{"quantile", "of the losses of benign rows", 0, 1});
      field(self.reference, OptionInfo{"reference", "benign rows for the quantile", 1, 1e6});
    }
    void check() const {
      if (filter != "keyword" && !keywords.empty())
        throw UsageError("data-audit.keywords: filter " + filter +
                         " has no phrases; leave it out, or give --data-audit.filter keyword");
    }
  } options;

  Dataset compose(Dataset rows, const Context& context, Rng& rng) {
    double most = options.threshold;
    Flags flags;
    if (options.filter == "keyword") {
      flags = rows_with_phrase(rows, phrases_for_audit(context.scenario(), options.keywords));
    } else if (options.filter == "judge") {
      if (most == 0) most = 5;
      flags = rows_graded(rows, context.scenario(), most);
    } else if (options.filter == "moderation") {
      flags = rows_moderated(rows, context, most);
    } else {
      if (most == 0) most = usual_loss(context, options.reference, options.quantile, rng);
      flags = above(context.row_losses(rows), most);
    }
    report = AuditReport(rows, flags);
    report.threshold = most;
    return without(std::move(rows), flags);
  }
  Measured measured() const { return report.numbers(); }

  AuditReport report;  // of the last compose
};
static_assert(explain<DataAudit>());

}  // namespace seawall
