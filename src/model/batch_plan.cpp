#include "seawall/model/batch_plan.hpp"

#include <ATen/ops/index_select.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "model/attention.hpp"
#include "model/upload.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Ids = std::vector<std::int32_t>;

/// Sorts rows into a forest of segments. Segments are laid out depth first, so that a first child
/// follows its parent.
class Forest {
 public:
  Forest(const std::vector<Sequence>& rows, const PlanOptions& options)
      : rows_(rows), options_(options) {
    leaf_.resize(rows.size());
    order_.resize(rows.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    if (!options.share_prefixes) {
      for (auto row : order_) leaf_[row] = add(row, 0, length(row), -1);
      return;
    }
    std::stable_sort(order_.begin(), order_.end(),
                     [&](auto a, auto b) { return rows_[a].ids < rows_[b].ids; });
    grow(0, order_.size(), 0, -1);
  }

  std::vector<Segment> segments;
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> positions;
  const std::vector<std::int64_t>& leaf() const { return leaf_; }

 private:
  static constexpr auto ended = std::numeric_limits<std::int32_t>::min();
  std::int64_t length(std::size_t row) const {
    return static_cast<std::int64_t>(rows_[row].ids.size());
  }

  std::int64_t add(std::size_t row, std::int64_t from, std::int64_t to, std::int64_t parent) {
    const auto& source = rows_[row].ids;
    segments.push_back({static_cast<std::int64_t>(ids.size()), to - from, parent, from});
    ids.insert(ids.end(), source.begin() + from, source.begin() + to);
    for (auto p = from; p < to; ++p) positions.push_back(p);
    return static_cast<std::int64_t>(segments.size()) - 1;
  }

  /// Places rows order_[lo, hi), which agree before `start` and whose first `start` tokens are
  /// under `parent`.
  void grow(std::size_t lo, std::size_t hi, std::int64_t start, std::int64_t parent) {
    const Ids &first = rows_[order_[lo]].ids,
              &last = rows_[order_[hi - 1]].ids;  // sorted: their common part is everyone's
    const auto shared =
        std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first - first.begin();
    const bool all_end = shared == static_cast<std::int64_t>(last.size());
    if (all_end || shared - start >= std::max<std::int64_t>(1, options_.min_shared)) {
      parent = add(order_[lo], start, shared, parent);
      for (; lo < hi && length(order_[lo]) == shared; ++lo) leaf_[order_[lo]] = parent;
      start = shared;
    }
    while (lo < hi) {  // split by the next token; rows that end here sort first and are equal
      auto next = [&](std::size_t i) {
        return length(order_[i]) == shared ? ended : rows_[order_[i]].ids[shared];
      };
      auto end = lo + 1;
      while (end < hi && next(end) == next(lo)) ++end;
      grow(lo, end, start, parent);
      lo = end;
    }
  }

  const std::vector<Sequence>& rows_;
  const PlanOptions& options_;
  std::vector<std::size_t> order_;
  std::vector<std::int64_t> leaf_;
};

void check(const std::vector<Sequence>& rows, const Tensor& embeddings) {
  const auto known = embeddings.defined() ? embeddings.size(0) : 0;
  if (rows.empty()) throw UsageError("batch plan: want at least one row, got none");
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto where = "batch plan: row " + std::to_string(r);
    if (rows[r].ids.empty()) throw UsageError(where + ": want at least one token, got none");
    if (!rows[r].loss.empty() && rows[r].loss.size() != rows[r].ids.size())
      throw UsageError(where + ": want one loss flag a token (" +
                       std::to_string(rows[r].ids.size()) + "), got " +
                       std::to_string(rows[r].loss.size()));
    if (!rows[r].loss.empty() && rows[r].loss.front())
      throw UsageError(
          where +
          ": the first token cannot be a target, nothing comes before it; clear its loss flag");
    for (std::size_t t = 0; t < rows[r].ids.size(); ++t) {
      const std::int64_t id = rows[r].ids[t];
      if (id >= 0) continue;
      if (-1 - id >= known)
        throw UsageError(where + ": id " + std::to_string(id) + " is row " +
                         std::to_string(-1 - id) + " of a picture's embeddings, there are " +
                         std::to_string(known) + "; give them in PlanOptions::embeddings");
      if (!rows[r].loss.empty() && rows[r].loss[t])
        throw UsageError(where + ": token " + std::to_string(t) +
                         " is a picture's and cannot be a target; clear its loss flag");
    }
  }
}

std::shared_ptr<BatchPlan::Attention> attention_of(const std::vector<Segment>& segments) {
  auto out = std::make_shared<BatchPlan::Attention>();
  for (const auto& segment : segments) {
    BatchPlan::Attention::Item item{
        segment.begin, segment.length, segment.position, out->context_tokens, {}};
    if (segment.parent >= 0) item.context = out->items[segment.parent].context;
    if (!item.context.empty() &&
        item.context.back().begin + item.context.back().length == segment.begin)
      item.context.back().length += segment.length;
    else
      item.context.push_back({segment.begin, segment.length});
    const auto context = item.ancestors + item.length;
    out->context_tokens += context;
    out->longest_context = std::max(out->longest_context, context);
    out->last_position = std::max(out->last_position, context - 1);
    out->items.push_back(std::move(item));
  }
  return out;
}

/// `place` becomes those rows of `table` that `rows` name, on the device; `rows` are renumbered.
/// The table of all pictures may be larger than the device's memory.
void add_rows(Upload& upload, Tensor& place, const Tensor& table, std::vector<std::int64_t>& rows,
              const at::Device& device) {
  std::vector<std::int64_t> wanted = rows;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (auto& row : rows) row = std::lower_bound(wanted.begin(), wanted.end(), row) - wanted.begin();
  Tensor index;
  Upload there(table.device());
  there.add(index, wanted);
  there.send();
  Tensor some = table.index_select(0, index);
  if (some.is_cpu() && !some.requires_grad())
    upload.add(place, std::move(some));
  else
    place = some.to(device);
}

/// Flat token of every position of a row whose last segment is `leaf`.
std::vector<std::int64_t> path(const std::vector<Segment>& segments, std::int64_t leaf) {
  std::vector<std::int64_t> flat(segments[leaf].position + segments[leaf].length);
  for (auto s = leaf; s >= 0; s = segments[s].parent)
    std::iota(flat.begin() + segments[s].position,
              flat.begin() + segments[s].position + segments[s].length, segments[s].begin);
  return flat;
}

}  // namespace

BatchPlan plan_batch(const std::vector<Sequence>& rows, const at::Device& device,
                     const PlanOptions& options) {
  check(rows, options.embeddings);
  const Forest forest(rows, options);
  BatchPlan plan;
  plan.segments = forest.segments;
  plan.leaf_of = forest.leaf();
  plan.rows = static_cast<std::int64_t>(rows.size());
  plan.tokens = static_cast<std::int64_t>(forest.ids.size());
  std::vector<std::int64_t> sources, targets, target_row, target_place, last;
  for (std::int64_t r = 0; r < plan.rows; ++r) {
    const auto& row = rows[r];
    plan.real_tokens += static_cast<std::int64_t>(row.ids.size());
    const auto& leaf = plan.segments[plan.leaf_of[r]];
    last.push_back(leaf.begin + leaf.length - 1);
    if (row.loss.empty()) continue;
    const auto flat = path(plan.segments, plan.leaf_of[r]);
    std::int64_t place = 0;
    for (std::size_t t = 1; t < row.ids.size(); ++t) {
      if (!row.loss[t]) {
        place = 0;  // a row may hold several answers
        continue;
      }
      sources.push_back(flat[t - 1]);
      targets.push_back(row.ids[t]);
      target_row.push_back(r);
      target_place.push_back(place++);
    }
  }
  std::vector<std::int64_t> ids(forest.ids.begin(), forest.ids.end()), picture_tokens, picture_rows;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] >= 0) continue;
    picture_tokens.push_back(static_cast<std::int64_t>(t));
    picture_rows.push_back(-1 - std::exchange(ids[t], 0));
  }
  Upload upload(device);
  upload.add(plan.ids, ids);
  if (!picture_tokens.empty()) {
    if (device.is_cpu())
      plan.embeddings = options.embeddings;
    else
      add_rows(upload, plan.embeddings, options.embeddings, picture_rows, device);
    upload.add(plan.picture_tokens, picture_tokens);
    upload.add(plan.picture_rows, picture_rows);
  }
  upload.add(plan.positions, forest.positions);
  upload.add(plan.source_tokens, sources);
  auto needed = sources;
  std::sort(needed.begin(), needed.end());
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
  for (auto& s : sources) s = std::lower_bound(needed.begin(), needed.end(), s) - needed.begin();
  upload.add(plan.needed, needed);
  upload.add(plan.source_needed, sources);
  upload.add(plan.targets, targets);
  upload.add(plan.target_row, target_row);
  upload.add(plan.target_place, target_place);
  upload.add(plan.last_token, last);
  const auto attention = attention_of(plan.segments);
  Tensor ends;
  if (!device.is_cpu()) upload.add(ends, attention->part_ends());
  upload.send();
  if (ends.defined()) attention->place_parts(ends);
  plan.attention = attention;
  return plan;
}

}  // namespace seawall
