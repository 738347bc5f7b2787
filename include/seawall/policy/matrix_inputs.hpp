#pragma once
// What enters the matrices of the blocks: the statistics that pruning and compensation need.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/changes.hpp"

namespace seawall {

/// The places whose values matrices read.
inline constexpr Taps matrix_inputs = TapPoint::Kind::qkv_in | TapPoint::Kind::o_in |
                                      TapPoint::Kind::gate_up_in | TapPoint::Kind::down_in;

/// Whether the weight is a matrix that reads what passes at the point.
inline bool reads(std::string_view weight, const TapPoint& point) {
  using Kind = TapPoint::Kind;
  if (weight.find("layers." + std::to_string(point.layer) + ".") == weight.npos) return false;
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      return weight.ends_with("." + std::string(name) + "_proj.weight");
    });
  };
  switch (point.kind) {
    case Kind::qkv_in:
      return any({"q", "k", "v", "qkv"});
    case Kind::o_in:
      return any({"o"});
    case Kind::gate_up_in:
      return any({"gate", "up", "gate_up"});
    case Kind::down_in:
      return any({"down"});
    default:
      return false;
  }
}

/// `of` X summed over the rows, at every place of `matrix_inputs`; X [N,K] is what enters at the
/// tokens that predict a target. Memory: the inputs of 16 rows, and the sums.
inline std::vector<std::pair<TapPoint, Tensor>> input_sums(
    Trainer& trainer, const Dataset& rows, Theta theta,
    const std::function<Tensor(const Tensor& x)>& of) {
  constexpr std::size_t at_once = 16;
  std::vector<std::pair<TapPoint, Tensor>> sums;
  for (std::size_t begin = 0; begin < rows.size(); begin += at_once) {
    Dataset part{rows.name, {}};
    for (std::size_t i = begin; i < std::min(begin + at_once, rows.size()); ++i)
      part.rows.push_back(rows.rows[i]);
    const Batch batch = trainer.encode(part);
    const Pass pass = trainer.pass(batch, {.theta = theta, .taps = matrix_inputs});
    for (std::size_t i = 0; i < pass.taps.size(); ++i) {
      const auto& [point, x] = pass.taps[i];
      const Tensor sum = of(in_full(x).index_select(0, batch.source));
      if (begin == 0)
        sums.emplace_back(point, sum);
      else
        sums[i].second.add_(sum);
    }
  }
  return sums;
}

/// |W_ij| |X_j| of every matrix of the blocks, X over the tokens that predict an answer of the
/// rows; undefined for other parameters. Source: Sun et al. 2023 (Wanda), arXiv 2306.11695, eq. 1.
inline Tensors wanda_scores(Trainer& trainer, const Dataset& rows) {
  const auto squares = [](const Tensor& x) { return x.square().sum(0); };
  Tensors out(trainer.params().size());
  for (const auto& [point, sum] : input_sums(trainer, rows, Theta::now, squares))
    for (std::size_t i = 0; i < out.size(); ++i)
      if (const Param& p = trainer.params()[i]; reads(p.name, point))
        out[i] = in_full(p.master).abs().mul(sum.sqrt());
  return out;
}

/// The mean over rows of |W x gradient of the row's mean loss|, of every matrix of the blocks;
/// undefined for other parameters. Source: Wei et al. 2024, arXiv 2402.05162, eq. 1.
inline Tensors snip_scores(Trainer& trainer, const Dataset& rows) {
  Tensors out(trainer.params().size());
  for (const Example& row : rows.rows) {
    const Batch batch = trainer.encode({rows.name, {row}});
    const Tensors g = trainer.gradient([&] { return trainer.pass(batch).loss.mean(); });
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Param& p = trainer.params()[i];
      if (!in_block(p)) continue;
      const Tensor part = in_full(p.master).mul(g[i]).abs().div(static_cast<double>(rows.size()));
      out[i] = out[i].defined() ? out[i].add(part) : part;
    }
  }
  return out;
}

}  // namespace seawall
