#pragma once
// What an audit of training rows is made of: which rows it flags, and how that fits what they are.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/policy/context.hpp"
#include "seawall/policy/hook_check.hpp"

namespace seawall {

/// One a row: true where the audit would take it out.
using Flags = std::vector<bool>;

/// Rows whose requests or answers hold one of `phrases` as whole words.
Flags rows_with_phrase(const Dataset& rows, const std::vector<std::string>& phrases);
/// Rows whose answer, graded by the scenario as that of a probe, scores at least `score`. Errors:
/// UsageError where the scenario cannot grade rows.
Flags rows_graded(const Dataset& rows, const Scenario& scenario, double score);
/// Rows that the moderation service flags (`threshold` 0), or gives a score of at least
/// `threshold`. Errors: UsageError for a threshold above 1; those of Context::moderate.
Flags rows_moderated(const Dataset& rows, const Context& context, double threshold);
/// The phrases of a file, or what the scenario restricts where none is named. Errors: UsageError
/// where the scenario does not say what that is; those of read_phrases.
std::vector<std::string> phrases_for_audit(const Scenario& scenario, const std::string& file);
/// Loss below which the share `q` of up to `count` benign rows lies, drawn from `rng`. Errors:
/// UsageError where the scenario has none.
double usual_loss(const Context& context, std::int64_t count, double q, Rng& rng);
/// Values above `most`; NaN is not.
Flags above(const std::vector<double>& values, double most);
/// Linear between order statistics, NaN left out; NaN where nothing is left.
double quantile(std::vector<double> values, double q);

/// How many rows there were and how many were flagged, by what they are.
struct AuditReport {
  struct Count {
    std::size_t rows = 0, flagged = 0;
    double share() const {
      return rows == 0 ? 0 : static_cast<double>(flagged) / static_cast<double>(rows);
    }
  };
  std::map<RowKind, Count> kinds;
  double threshold = 0;  // what was exceeded; 0 for phrases

  AuditReport() = default;
  AuditReport(const Dataset& rows, const Flags& flags);
  Count all() const;
  /// Harmful and identity-shift rows: what the audit is there to find.
  Count attack() const;
  /// `audited`, `flagged`, the same a kind (`audited_harmful`), `recall` on attack rows and
  /// `false_positives_benign`, `false_positives_safe`; of what is not there, nothing.
  Measured numbers() const;
};

/// The rows that are not flagged, in their order.
Dataset without(Dataset rows, const Flags& flags);

}  // namespace seawall
