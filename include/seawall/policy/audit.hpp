#pragma once
// What an audit of training rows is made of: which rows it flags, and how that fits what they are.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/error.hpp"
#include "seawall/policy/context.hpp"
#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/phrases.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall {

/// One a row: true where the audit would take it out.
using Flags = std::vector<bool>;

/// Rows whose requests or answers hold one of `phrases` as whole words.
inline Flags rows_with_phrase(const Dataset& rows, const std::vector<std::string>& phrases) {
  Flags flags;
  flags.reserve(rows.size());
  for (const auto& row : rows.rows) {
    const auto& messages = row.dialogue.messages;
    // What the system prompt says is the provider's own word.
    flags.push_back(std::any_of(messages.begin(), messages.end(), [&](const Message& m) {
      return m.role != Role::system && first_phrase(m.content, phrases) != nullptr;
    }));
  }
  return flags;
}
/// Rows whose answer, graded by the scenario as that of a probe, scores at least `score`. Errors:
/// UsageError where the scenario cannot grade rows.
inline Flags rows_graded(const Dataset& rows, const Scenario& scenario, double score) {
  Flags flags;
  flags.reserve(rows.size());
  for (const auto& row : rows.rows) {
    const auto verdict = scenario.audit(row);
    if (!verdict)
      throw UsageError("data-audit: scenario `" + std::string(scenario.name()) +
                       "` has no judge that grades training rows; use --data-audit.filter keyword "
                       "or perplexity");
    // A row that cannot be graded stays, as it would with a provider whose judge fails.
    flags.push_back(verdict->valid && verdict->score >= score);
  }
  return flags;
}
/// Rows that the moderation service flags (`threshold` 0), or gives a score of at least
/// `threshold`. Errors: UsageError for a threshold above 1; those of Context::moderate.
inline Flags rows_moderated(const Dataset& rows, const Context& context, double threshold) {
  if (threshold > 1)
    throw UsageError("data-audit.threshold: moderation scores lie in 0..1; want one of them");
  Flags flags;
  for (const auto& said : context.moderate(rows))
    flags.push_back(threshold > 0 ? said.score >= threshold : said.flagged);
  return flags;
}
/// The phrases of a file, or what the scenario restricts where none is named. Errors: UsageError
/// where the scenario does not say what that is; those of read_phrases.
inline std::vector<std::string> phrases_for_audit(const Scenario& scenario,
                                                  const std::string& file) {
  if (!file.empty()) return read_phrases(file, "--data-audit.keywords");
  if (scenario.restricted_phrases().empty())
    throw UsageError("data-audit: scenario `" + std::string(scenario.name()) +
                     "` does not say what it restricts; give --data-audit.keywords FILE");
  return scenario.restricted_phrases();
}
/// Linear between order statistics, NaN left out; NaN where nothing is left.
inline double quantile(std::vector<double> values, double q) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

/// Loss below which the share `q` of up to `count` benign rows is, drawn from `rng`. Errors:
/// UsageError where the scenario has none.
inline double usual_loss(const Context& context, std::int64_t count, double q, Rng& rng) {
  const Scenario& scenario = context.scenario();
  const std::size_t rows =
      std::min(static_cast<std::size_t>(count), scenario.available(Pool::benign));
  if (rows == 0)
    throw UsageError("data-audit: scenario `" + std::string(scenario.name()) +
                     "` has no benign rows to compare with; give --data-audit.threshold LOSS");
  const Dataset usual = with_default_system(scenario.rows(Pool::benign, rows, rng), scenario);
  return quantile(context.row_losses(usual), q);
}
/// Values above `most`; NaN is not.
inline Flags above(const std::vector<double>& values, double most) {
  Flags flags;
  flags.reserve(values.size());
  for (const double value : values) flags.push_back(value > most);
  return flags;
}
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
  AuditReport(const Dataset& rows, const Flags& flags) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Count& count = kinds[rows.rows[i].kind];
      ++count.rows;
      count.flagged += flags.at(i);
    }
  }
  Count all() const {
    Count sum;
    for (const auto& [kind, count] : kinds) sum.rows += count.rows, sum.flagged += count.flagged;
    return sum;
  }
  /// Harmful and identity-shift rows: what the audit is there to find.
  Count attack() const {
    Count sum;
    for (const auto kind : {RowKind::harmful, RowKind::identity_shift})
      if (const auto found = kinds.find(kind); found != kinds.end())
        sum.rows += found->second.rows, sum.flagged += found->second.flagged;
    return sum;
  }
  /// `audited`, `flagged`, the same a kind (`audited_harmful`), `recall` on attack rows and
  /// `false_positives_benign`, `false_positives_safe`, `false_positives_task`; of what is not
  /// there, nothing.
  Measured numbers() const {
    const auto number = [](std::size_t n) { return static_cast<double>(n); };
    Measured out{{"audited", number(all().rows)}, {"flagged", number(all().flagged)}};
    if (threshold != 0) out.emplace_back("threshold", threshold);
    for (const auto& [kind, count] : kinds) {
      out.emplace_back("audited_" + std::string(row_kind_name(kind)), number(count.rows));
      out.emplace_back("flagged_" + std::string(row_kind_name(kind)), number(count.flagged));
    }
    if (attack().rows > 0) out.emplace_back("recall", attack().share());
    for (const auto kind : {RowKind::benign, RowKind::safe, RowKind::task})
      if (const auto found = kinds.find(kind); found != kinds.end())
        out.emplace_back("false_positives_" + std::string(row_kind_name(kind)),
                         found->second.share());
    return out;
  }
};

/// The rows that are not flagged, in their order.
inline Dataset without(Dataset rows, const Flags& flags) {
  std::vector<Example> kept;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!flags.at(i)) kept.push_back(std::move(rows.rows[i]));
  rows.rows = std::move(kept);
  return rows;
}

}  // namespace seawall
