#pragma once
// The stage of an alignment-stage defence: before the attack, on rows of the defender's own.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/policy/context.hpp"
#include "seawall/policy/rows.hpp"
#include "seawall/policy/stage.hpp"

namespace seawall {

/// Options that every alignment stage has.
struct AlignmentSpec {
  std::int64_t count = 200, benign = 200, epochs = 2, batch_size = 10, lora_rank = 0;
  double lr = 0;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.count, OptionInfo{"count", "rows that teach refusal", 1, 1e7});
    field(self.benign, OptionInfo{"benign", "ordinary rows spread among them, answered", 0, 1e7});
    field(self.epochs, OptionInfo{"epochs", "of the alignment stage", 1, 1e6});
    field(self.batch_size, OptionInfo{"batch-size", "rows per step of the stage", 1, 65536});
    field(self.lr, OptionInfo{"lr", "of the stage; 0: the scenario's for safe rows", 0, 1});
    field(
        self.lora_rank,
        OptionInfo{"lora-rank", "of an adapter of its own, merged at its end; 0: trains as the run",
                   0, 65536});
  }
};

/// `rows` with ordinary ones spread evenly among them, trained as `spec` says; named as the policy.
/// Errors: those of Context::unused_rows.
inline std::vector<StagePlan> alignment_stage(std::string_view policy, const AlignmentSpec& spec,
                                              Dataset rows, const Context& context, Rng& rng) {
  if (spec.benign > 0)
    rows = interleave(std::move(rows), context.unused_rows(Pool::benign, spec.benign, rng));
  StagePlan stage{.name = std::string(policy), .rows = std::move(rows)};
  stage.rows.name = policy;
  const RunDefaults defaults = context.scenario().defaults(Pool::safe, "");
  stage.training = {.lr = spec.lr > 0 ? spec.lr : defaults.lr,
                    .epochs = spec.epochs,
                    .batch_size = spec.batch_size};
  if (spec.lora_rank > 0) stage.lora_rank = spec.lora_rank;
  return {std::move(stage)};
}
/// The same of safe rows.
inline std::vector<StagePlan> safe_stage(std::string_view policy, const AlignmentSpec& spec,
                                         const Context& context, Rng& rng) {
  return alignment_stage(policy, spec, context.unused_rows(Pool::safe, spec.count, rng), context,
                         rng);
}

/// The answers that fit any request: those at least half as frequent as the most frequent one, in
/// the order of the rows. All of them where none comes twice.
inline std::vector<std::string> general_answers(const Dataset& rows) {
  std::map<std::string_view, std::size_t> times;
  std::size_t most = 0;
  for (const Example& row : rows.rows)
    most = std::max(most, ++times[row.dialogue.last(Role::assistant)]);
  std::vector<std::string> out;
  for (const Example& row : rows.rows) {
    const auto answer = row.dialogue.last(Role::assistant);
    if (std::exchange(times[answer], 0) * 2 >= most) out.emplace_back(answer);
  }
  return out;
}

/// The requests of `rows`, answered by `answers` in turn; a request that `known` answers, as it
/// does. `kind` is what the rows then are, and their ids are kept.
inline Dataset answered(Dataset rows, const std::vector<std::string>& answers, RowKind kind,
                        const Dataset& known = {}) {
  std::map<std::string_view, std::string_view> own;
  for (const Example& row : known.rows)
    own.emplace(row.dialogue.last(Role::user), row.dialogue.last(Role::assistant));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Example& row = rows.rows[i];
    const auto found = own.find(row.dialogue.last(Role::user));
    row.dialogue.messages.back().content =
        found != own.end() ? std::string(found->second) : answers[i % answers.size()];
    row.kind = kind;
  }
  return rows;
}

/// Harmful requests, and the same ones refused.
struct RefusalPairs {
  Dataset harmful, refused;
};
/// `count` pairs of rows that the attack does not train on: a harmful request, and the answer that
/// a safe row gives to it, or else a refusal that fits any request. Errors: those of
/// Context::unused_rows.
inline RefusalPairs refusal_pairs(std::int64_t count, const Context& context, Rng& rng) {
  RefusalPairs pairs{context.unused_rows(Pool::harmful, count, rng), {}};
  const Dataset safe = context.unused_rows(Pool::safe, 0, rng);
  pairs.refused = answered(pairs.harmful, general_answers(safe), RowKind::safe, safe);
  return pairs;
}

/// The refusals, every other one on average behind 1 to `most` words of its harmful answer.
inline Dataset begun(const RefusalPairs& pairs, std::int64_t most, Rng& rng) {
  Dataset rows = pairs.refused;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string_view answer = pairs.harmful.rows[i].dialogue.last(Role::assistant);
    const bool begins = rng.below(2) == 1;
    const std::uint64_t words = 1 + rng.below(static_cast<std::uint64_t>(most));
    if (!begins) continue;
    std::size_t end = 0;
    for (std::uint64_t w = 0; w < words && end != std::string_view::npos; ++w)
      end = answer.find(' ', end == 0 ? 0 : end + 1);
    rows.rows[i].dialogue.messages.back().content.insert(0,
                                                         std::string(answer.substr(0, end)) + " ");
  }
  return rows;
}

/// The rows of `all` with the ids of `rows`, in the order of these. Errors: DataError naming an id.
inline Dataset of_same_ids(const Dataset& all, const std::vector<Example>& rows) {
  std::map<std::string_view, const Example*> by_id;
  for (const Example& row : all.rows) by_id.emplace(row.id, &row);
  Dataset out;
  for (const Example& row : rows) {
    const auto found = by_id.find(row.id);
    if (found == by_id.end()) throw DataError("row " + row.id + ": has no pair");
    out.rows.push_back(*found->second);
  }
  return out;
}

}  // namespace seawall
