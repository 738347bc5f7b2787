#pragma once
// A tiny decoder, rows that share a prefix, and sinks that remember.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "seawall/core/rng.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/train/data_plan.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall::testing {

inline LlamaConfig tiny_config() {
  LlamaConfig c;
  c.vocab_size = 64;
  c.hidden_size = 32;
  c.intermediate_size = 48;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.max_position_embeddings = 64;
  c.tie_word_embeddings = true;
  return c;
}

inline Decoder tiny_decoder(std::uint64_t seed = 1) {
  return Decoder(tiny_config(), random_weights(tiny_config(), seed));
}

/// `count` rows: six shared tokens, then 3 to 8 of their own, the last 2 or 3 of them targets.
inline std::vector<Sequence> tiny_rows(std::size_t count, std::uint64_t seed = 5) {
  Rng rng(seed);
  std::vector<Sequence> rows;
  for (std::size_t r = 0; r < count; ++r) {
    Sequence row{{1, 7, 9, 11, 13, 15}, {}};
    const std::size_t own = 3 + rng.below(6), answer = 2 + rng.below(2);
    for (std::size_t i = 0; i < own; ++i)
      row.ids.push_back(static_cast<std::int32_t>(2 + rng.below(62)));
    row.loss.assign(row.ids.size(), 0);
    for (std::size_t i = 0; i < answer; ++i) row.loss[row.ids.size() - 1 - i] = 1;
    rows.push_back(std::move(row));
  }
  return rows;
}

inline const auto all = [](std::string_view) { return true; };  // every parameter is trained

/// Keeps every step.
struct MemorySink final : TraceSink {
  std::vector<StepRecord> steps;
  void on_step(const StepRecord& record) override { steps.push_back(record); }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

inline ::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().cpu().contiguous(), y = b.detach().cpu().contiguous();
  if (x.sizes() != y.sizes() || x.scalar_type() != y.scalar_type())
    return ::testing::AssertionFailure() << "other shape or type";
  if (std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << at::ne(x, y).sum().item<std::int64_t>() << " of " << x.numel() << " differ";
}

inline ::testing::AssertionResult same_bits(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " against " << b.size() << " tensors";
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto same = same_bits(a[i].tensor, b[i].tensor);
    if (!same) return ::testing::AssertionFailure() << a[i].name << ": " << same.message();
  }
  return ::testing::AssertionSuccess();
}

/// A copy that later training does not change.
inline NamedTensors copy_of(const NamedTensors& tensors) {
  NamedTensors out;
  for (const auto& [name, tensor] : tensors) out.push_back({name, tensor.detach().clone()});
  return out;
}

/// L2 norm of what lies between.
inline double distance(const NamedTensors& a, const NamedTensors& b) {
  double square = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    square += a[i].tensor.sub(b[i].tensor).to(at::kDouble).square().sum().item<double>();
  return std::sqrt(square);
}

inline double max_difference(const NamedTensors& a, const NamedTensors& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, a[i].tensor.detach()
                              .to(at::kDouble)
                              .sub(b[i].tensor.detach().to(at::kDouble))
                              .abs()
                              .max()
                              .item<double>());
  return most;
}

/// Trains a fresh tiny decoder on 12 rows in batches of 4, 3 steps an epoch.
struct TinyRun {
  Decoder decoder = tiny_decoder();
  DataOptions data{.batch_size = 4, .epochs = 3, .seed = 3};
  TrainOptions options;
  TrainContext context;
  MemorySink sink;
  TrainResult result;

  TinyRun() {
    options.schedule.lr = 1e-3;
    options.seed = 3;
  }
  template <StackLike S>
  TinyRun& go(S& stack, std::vector<Sequence> rows = tiny_rows(12)) {
    FixedRows source(std::move(rows), data, decoder.device());
    result = train(decoder, source, stack, options, sink, context);
    return *this;
  }
  TinyRun& go() {
    Stack<> none;
    return go(none);
  }
};

}  // namespace seawall::testing
