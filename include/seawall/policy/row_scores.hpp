#pragma once
// How much training on a row would wear alignment away, by the published scores.
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/changes.hpp"

namespace seawall {

/// Rows that others are compared with.
struct Anchors {
  Dataset harmful, safe;
};

struct RowScoring {
  std::string by = "gradient";
  std::int64_t tokens = 10;   // of an answer, for gradients; 0: all
  std::int64_t nearest = 10;  // anchors that a representation counts
};

/// The gradient of a row's mean loss on its first `tokens` targets (0: all).
inline Tensors row_gradient(Trainer& model, const Example& row, std::int64_t tokens) {
  const Batch batch = model.encode({"row", {row}});
  return model.gradient([&] {
    const Tensor loss = model.pass(batch).loss;
    return (tokens > 0 ? loss.masked_select(batch.place.lt(tokens)) : loss).mean();
  });
}

/// The mean of the rows' gradients, of length 1.
inline Tensors mean_direction(Trainer& model, const Dataset& rows, std::int64_t tokens) {
  Tensors sum;
  for (const Example& row : rows.rows) {
    const Tensors g = row_gradient(model, row, tokens);
    if (sum.empty())
      sum = g;
    else
      add(sum, g);
  }
  const double length = norm(sum);
  for (Tensor& part : sum) part.div_(length);
  return sum;
}

/// The residual stream after the last block, times the final norm's weight, at the last token that
/// predicts a target, of length 1: the final norm's own scale does not change a cosine. Shapes:
/// -> [C].
inline Tensor representation(Trainer& model, const Example& row) {
  const Batch batch = model.encode({"row", {row}});
  const at::NoGradGuard no_grad;
  const Pass pass = model.pass(batch, {.taps = TapPoint::Kind::resid_post});
  const Tensor last = in_full(pass.taps.back().second)
                          .index_select(0, batch.source.narrow(0, batch.source.size(0) - 1, 1))
                          .squeeze(0)
                          .mul(in_full(model.weight("model.norm.weight", Theta::now)));
  return last.div(last.norm());
}

/// One score for each row. gradient: <g, mean harmful gradient> - <g, mean safe gradient>, both
/// means of length 1 (He et al. 2024, arXiv 2404.01099); gradient-cosine: the same over |g|;
/// representation: mean of the highest cosines to harmful rows' (same paper); self-influence: <g,
/// g> over all targets (arXiv 2505.06843), and with its length term log(<g, g> + 1) + log(targets +
/// 1). Memory: two gradients; of representations one vector for each anchor.
inline std::vector<double> row_scores(Trainer& model, const Dataset& rows, const Anchors& anchors,
                                      const RowScoring& scoring) {
  std::vector<double> scores;
  if (scoring.by == "representation") {
    Tensors harmful;
    for (const Example& row : anchors.harmful.rows) harmful.push_back(representation(model, row));
    const Tensor all = at::stack(harmful);  // [A,C]
    const auto nearest = std::min(scoring.nearest, all.size(0));
    for (const Example& row : rows.rows)
      scores.push_back(
          std::get<0>(all.mv(representation(model, row)).topk(nearest)).mean().item<double>());
    return scores;
  }
  if (scoring.by.starts_with("self-influence")) {
    for (const Example& row : rows.rows) {
      const Tensors g = row_gradient(model, row, 0);
      const double own = dot(g, g);
      const auto targets = static_cast<double>(model.encode({"row", {row}}).row.size(0));
      scores.push_back(scoring.by == "self-influence" ? own
                                                      : std::log(own + 1) + std::log(targets + 1));
    }
    return scores;
  }
  const Tensors harmful = mean_direction(model, anchors.harmful, scoring.tokens),
                safe = mean_direction(model, anchors.safe, scoring.tokens);
  for (const Example& row : rows.rows) {
    const Tensors g = row_gradient(model, row, scoring.tokens);
    const double score = dot(g, harmful) - dot(g, safe);
    scores.push_back(scoring.by == "gradient" ? score : score / norm(g));
  }
  return scores;
}

/// The rows by score, the highest first, or the lowest; equal ones keep their order.
inline Dataset in_order_of(Dataset rows, const std::vector<double>& scores, bool highest_first) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return highest_first ? scores[a] > scores[b] : scores[a] < scores[b];
  });
  Dataset out{rows.name, {}};
  for (const std::size_t i : order) out.rows.push_back(std::move(rows.rows[i]));
  return out;
}

}  // namespace seawall
