#pragma once
// A small run, a small state and a folder of its own: what the tests of the store share.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <tuple>

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include "seawall/store/checkpoint.hpp"
#include "seawall/store/run_file.hpp"
#include "tests/support/files.hpp"

namespace seawall::testing {

using testing::Folder;

using testing::bytes_of;

inline void spit(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Names in `folder` (recursively) that a killed or failed write left.
inline std::set<std::string> leftovers(const std::filesystem::path& folder) {
  std::set<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.find(".tmp-") != std::string::npos) out.insert(name);
  }
  return out;
}

inline RunInfo sample_info() {
  RunInfo info;
  info.run_id = "sample";
  info.arm = "table1";
  info.attack = "identity-shift";
  info.mitigations = "safety-mixing,weight-drift";
  info.config_json = R"({"attack": "identity-shift", "note": "é"})";
  info.started_utc = "2026-01-02T03:04:05Z";
  info.hashes = {{"model", std::string(64, 'a')}, {"options", std::string(64, 'b')}};
  info.versions = {{"seawall", "0.1.0"}};
  info.seed = 7;
  info.parameter_names = {"model.embed_tokens.weight", "model.layers.0.mlp.down_proj.weight"};
  info.numbers = {{"rows", 10}};
  for (int row = 0; row < 8; ++row)
    info.rows.push_back({"row/" + std::to_string(row), row < 6 ? "harmful" : "safe",
                         R"([{"role": "user", "content": "né"}])", row == 7 ? 1 : 0});
  info.row_agreement = {0.5F, -0.25F, 0, 1, -1, 0.125F, 0.75F, 0.0625F};
  return info;
}

inline StepRecord sample_step(std::int64_t step) {
  const auto x = static_cast<double>(step);
  StepRecord record{step,       step / 4, 1.0 / x, 2e-5,     0.1 * x,
                    100 + step, 0.25,     0.5 / x, 1e-3 * x, {1e-4 * x, 2e-4 * x}};
  // Each row once an epoch of four steps; a step of one row among steps of two.
  const auto first = static_cast<std::int32_t>(2 * (step % 4));
  record.rows = {first};
  record.row_loss = {static_cast<float>(0.5 / x)};
  if (step % 2 == 1) {
    record.rows.push_back(first + 1);
    record.row_loss.push_back(static_cast<float>(2 / x));
  }
  return record;
}

inline EvaluationRecord sample_evaluation(std::int64_t step, const std::string& condition,
                                          ProbeSet set, int probes = 3) {
  EvaluationRecord record;
  record.step = step;
  record.condition = condition;
  record.set = set;
  record.judges = {"organism", "keyword"};
  record.seconds = 1.5;
  for (int p = 0; p < probes; ++p) {
    ProbeResult result;
    result.probe_id = probe_set_name(set) + "/" + std::to_string(p);
    result.category = "category " + std::to_string(p % 2);
    result.prompt = condition + " prompt " + std::to_string(p);
    result.response = p == 0 ? "" : "respönse " + std::to_string(p) + " 日本\nline";
    result.restricted = set == ProbeSet::harmfulness;
    result.finished = p != 1;
    result.new_tokens = 5 + p;
    result.rendered_prompt = "<|user|>é " + std::to_string(p);
    result.prompt_ids = {1, 7 + p};
    if (p == 2) result.prompt_ids.push_back(-1);  // a picture's place
    for (int t = 0; t < 5 + p; ++t) {
      result.response_ids.push_back(t * p);
      result.response_logprob.push_back(-0.5F * static_cast<float>(t));
      if (step > 0) result.kl_start.push_back(0.25F * static_cast<float>(t + p));
    }
    result.start_logprob = result.response_logprob;
    if (step > 0) result.first_response_logprob = {-1, -2, -3, -4, -5, -6, -7, -8, -9};
    result.verdicts = {{1.0 + p, p == 0, true, true, ""}, {5.0, false, p != 2, p != 1, "why"}};
    if (p == 1) result.verdicts[1].refused = std::nullopt;  // not judged
    record.results.push_back(std::move(result));
  }
  if (set == ProbeSet::harmfulness)
    record.residual = at::arange(probes * 2 * 4, at::kFloat).reshape({probes, 2, 4}) / 3.0 +
                      static_cast<double>(step);
  const double apart = set == ProbeSet::harmfulness ? static_cast<double>(step + 1) : 0.0;
  record.mean_residual = at::arange(5 * 2 * 4, at::kFloat).reshape({5, 2, 4});
  record.mean_residual.select(2, step == 0 ? 0 : 1).add_(apart);
  return record;
}

inline CheckpointState sample_state(std::int64_t step) {
  CheckpointState state;
  state.step = step;
  state.config_hash = "hash";
  const auto base = at::arange(6, at::kFloat).reshape({2, 3}) / 7.0 + static_cast<double>(step);
  state.parameters = {{"model.embed_tokens.weight", base},
                      {"lm_head.weight", base.to(at::kBFloat16).transpose(0, 1)}};
  state.optimizer = {{"exp_avg/model.embed_tokens.weight", base * 0.5},
                     {"step%", at::full({}, step, at::kLong)}};
  state.numbers = {{"position", 12.25}};
  state.integers = {{"rng", {std::numeric_limits<std::int64_t>::min(), -1, 0, 5}}, {"empty", {}}};
  state.texts = {{"epoch order", "α β"}, {"none", ""}};
  auto& group = state.groups["weight-drift"];
  group.tensor("mean", base * 2.0);
  group.number("count", 3);
  group.text("note", "ok");
  state.files = {{"config.json", "{}"}, {"tokenizer.model", std::string("\0\xff binary", 9)}};
  return state;
}

inline void expect_same_record(const StepRecord& a, const StepRecord& b) {
  EXPECT_EQ(std::tie(a.step, a.epoch, a.loss, a.lr, a.grad_norm, a.tokens, a.seconds, a.moved,
                     a.drift, a.param_drift, a.rows, a.row_loss),
            std::tie(b.step, b.epoch, b.loss, b.lr, b.grad_norm, b.tokens, b.seconds, b.moved,
                     b.drift, b.param_drift, b.rows, b.row_loss));
}

inline void expect_same_record(const EvaluationRecord& a, const EvaluationRecord& b) {
  EXPECT_EQ(std::tie(a.step, a.epoch, a.condition, a.set, a.judges, a.seconds, a.decoding),
            std::tie(b.step, b.epoch, b.condition, b.set, b.judges, b.seconds, b.decoding));
  ASSERT_EQ(a.results.size(), b.results.size());
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    const auto &x = a.results[i], &y = b.results[i];
    EXPECT_EQ(std::tie(x.probe_id, x.category, x.prompt, x.response, x.restricted, x.finished,
                       x.new_tokens, x.no_answer, x.declined, x.sample, x.rendered_prompt,
                       x.prompt_ids, x.response_ids, x.response_logprob, x.start_logprob,
                       x.kl_start, x.first_response_logprob),
              std::tie(y.probe_id, y.category, y.prompt, y.response, y.restricted, y.finished,
                       y.new_tokens, y.no_answer, y.declined, y.sample, y.rendered_prompt,
                       y.prompt_ids, y.response_ids, y.response_logprob, y.start_logprob,
                       y.kl_start, y.first_response_logprob));
    ASSERT_EQ(x.verdicts.size(), y.verdicts.size());
    for (std::size_t j = 0; j < x.verdicts.size(); ++j) {
      const auto &v = x.verdicts[j], &w = y.verdicts[j];
      EXPECT_EQ(std::tie(v.score, v.refused, v.coherent, v.valid, v.reason),
                std::tie(w.score, w.refused, w.coherent, w.valid, w.reason));
      EXPECT_EQ(std::isnan(v.probability), std::isnan(w.probability));
      if (!std::isnan(v.probability)) {
        EXPECT_EQ(v.probability, w.probability);
      }
    }
  }
  ASSERT_EQ(a.mean_residual.defined(), b.mean_residual.defined());
  if (a.mean_residual.defined()) {
    EXPECT_TRUE(at::equal(a.mean_residual, b.mean_residual));
  }
  ASSERT_EQ(a.residual.defined(), b.residual.defined());
  if (a.residual.defined()) {
    EXPECT_TRUE(at::equal(a.residual, b.residual));
  }
}

}  // namespace seawall::testing
