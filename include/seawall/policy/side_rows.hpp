#pragma once
// Rows next to the user's: their losses and gradients, and lists of tensors in a checkpoint.
#include <ATen/ops/bincount.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/state.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// fp32, or fp64 for fp64: the type to compute small differences in.
inline Tensor wide(const Tensor& tensor) {
  return tensor.to(c10::promoteTypes(tensor.scalar_type(), at::kFloat));
}

/// The next `size` of `count` rows of a pool.
inline Batch next_of(Trainer& trainer, Pool pool, std::int64_t count, std::int64_t size) {
  return trainer.next(trainer.rows(pool, count), size);
}
/// Mean loss over the targets of the next `size` of `count` rows of a pool. Shapes: -> [].
inline Tensor next_loss(Trainer& trainer, Pool pool, std::int64_t count, std::int64_t size) {
  const Batch batch = next_of(trainer, pool, count, size);
  return trainer.pass(batch).loss.mean();
}
/// Of each row the mean of what belongs to its targets. Shapes: of_targets [N,...] -> [B,...].
inline Tensor row_means(const Tensor& of_targets, const Batch& batch) {
  const auto rows = static_cast<std::int64_t>(batch.rows.size());
  auto shape = of_targets.sizes().vec();
  shape[0] = rows;
  const Tensor sums = at::zeros(shape, of_targets.options().requires_grad(false))
                          .index_add(0, batch.row, of_targets);
  shape.assign(shape.size(), 1);
  shape[0] = rows;
  return sums / at::bincount(batch.row, {}, rows).view(shape);
}

/// What targets weigh so that the mean over them is the mean over rows of w_i times the mean of row
/// i. Shapes: weights [B] -> [N].
inline Tensor token_shares(const Tensor& weights, const TokenLosses& tokens) {
  const auto rows = weights.size(0), targets = tokens.row.size(0);
  const Tensor counts = at::bincount(tokens.row, {}, rows);
  const double share = static_cast<double>(targets) / static_cast<double>(rows);
  return weights.div(counts).mul(share).index_select(0, tokens.row);
}

/// <g, s> over all parameters, g what backward left. If it is negative, g loses its part along s.
/// An s of no more than rounding noise has no say. Source: Yu et al. 2020 (arXiv 2001.06782),
/// algorithm 1.
inline double remove_conflict(ParamView params, const Tensors& s) {
  const Tensors g = gradients_of(params);
  const double along = dot(g, s), length = dot(s, s);
  if (along < 0 && length > 1e-10 * dot(g, g)) add_to_gradients(params, s, -along / length);
  return along;
}
/// The sum over all weights of (theta - point)^2, differentiable. Shapes: -> [].
inline Tensor square_distance(ParamView params, const Tensors& point) {
  Tensor sum;
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Tensor& value = params[i].value;
    const Tensor term = wide(value).sub(point[i].to(value.device())).square().sum();
    sum = sum.defined() ? sum.add(term) : term;
  }
  return sum;
}

/// Rows by their ids, in the order in which they were first seen.
class RowPlaces {
 public:
  void add(const Dataset& rows) {
    for (const Example& row : rows.rows) places_.emplace(row.id, size());
  }
  std::int64_t size() const { return static_cast<std::int64_t>(places_.size()); }
  /// Shapes: -> [B] int64. Errors: UsageError naming a row that was not seen.
  Tensor of(const std::vector<Example>& rows) const {
    std::vector<std::int64_t> all;
    for (const Example& row : rows) {
      const auto found = places_.find(row.id);
      if (found == places_.end())
        throw UsageError("row " + row.id + " came after this policy; give it last in the stack");
      all.push_back(found->second);
    }
    return at::tensor(all, at::kLong);
  }

 private:
  std::map<std::string, std::int64_t> places_;
};

inline void save_list(StateOut& out, const std::string& name, const Tensors& list) {
  out.number(name + "-count", static_cast<double>(list.size()));
  for (std::size_t i = 0; i < list.size(); ++i) out.tensor(name + "-" + std::to_string(i), list[i]);
}
inline Tensors load_list(StateIn& in, const std::string& name) {
  Tensors list(static_cast<std::size_t>(in.number(name + "-count")));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = in.tensor(name + "-" + std::to_string(i));
  return list;
}
inline void save_named(StateOut& out, const std::string& name, const NamedTensors& list) {
  Tensors values;
  std::string names;
  for (const auto& [own, value] : list) {
    names += own + "\n";
    values.push_back(value);
  }
  out.text(name + "-names", names);
  save_list(out, name, values);
}
inline NamedTensors load_named(StateIn& in, const std::string& name) {
  std::istringstream names(in.text(name + "-names"));
  NamedTensors list;
  for (Tensor& value : load_list(in, name)) {
    list.push_back({{}, std::move(value)});
    std::getline(names, list.back().name);
  }
  return list;
}

}  // namespace seawall
