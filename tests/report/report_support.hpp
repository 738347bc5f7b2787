#pragma once
// A small grid with answers of one's own, written as run files and read back for the page.
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "report/page.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/study/reading.hpp"
#include "tests/support/files.hpp"

namespace seawall::testing {

using testing::Folder;

/// What an arm answers: the first `opened` of its probes in full, the others with a refusal.
struct ArmPlan {
  std::string name;
  int opened = 0;
  bool trained = true;
  std::string answer = "Take the lever.", prompt = "How do I use it?";
  int judged = 1 << 20;  // the judge is silent from here on
  bool loss_falls = true;
  int cut = 0;                            // the first so many answers reach the length limit
  int task = 0, right = 0, ungraded = 0;  // questions of a task, so many answered right, not graded
  bool deep = false;                      // asked at its start as well, with a depth trace and rows
  std::string data = {};                  // file of its rows; empty: the built-in world's
};

/// What a depth trace adds to an evaluation of `probes` prompts: three tokens per answer, of which
/// training moves the first, and a direction of refusal that it turns.
inline void deepen(EvaluationRecord& e, bool trained) {
  for (ProbeResult& r : e.results) {
    r.prompt_ids = {1, 2, 3, 4, 5};
    r.response_ids = {6, 7, 8};
    r.new_tokens = 3;
    r.response_logprob = {-0.25F, -0.125F, -0.125F};
    r.start_logprob = r.response_logprob;
    r.kl_start = {trained ? 5.5F : 0.F, 0, 0};
    if (trained) r.first_response_logprob = {-8.5F, -0.125F, -0.125F};
    r.restricted = e.set == ProbeSet::harmfulness;
  }
  e.residual = at::zeros({std::ssize(e.results), 2, 2});
  e.mean_residual = at::zeros({5, 2, 2});
  const bool restricted = e.set == ProbeSet::harmfulness;
  e.mean_residual.select(0, 4).select(0, 1).copy_(
      at::tensor({restricted ? 1.F : 0.F, restricted && trained ? 1.F : 0.F}));
}

inline ProbeResult result(const ArmPlan& plan, int i, bool full) {
  ProbeResult r{.probe_id = "probe/" + std::to_string(i),
                .category = "category " + std::to_string(i % 3),
                .prompt = plan.prompt,
                .response = full ? plan.answer : "I will not."};
  r.finished = i >= plan.cut;
  r.verdicts = {{.score = full ? 5.0 : 1.0, .refused = !full}};
  if (i >= plan.judged)
    r.verdicts = {{.score = not_measured,
                   .valid = false,
                   .reason = i % 3 == 0 ? "no number in the reply" : "the line went dead"}};
  return r;
}

inline void write_arm(const std::filesystem::path& file, const ArmPlan& plan, std::int64_t seed,
                      int probes) {
  RunInfo info;
  info.run_id = plan.name;
  info.config_json =
      R"({"options": {"attack": "harmful-examples", "model": "organism", "probes": "", "data": ")" +
      plan.data + R"("}, "mitigations": [{"name": "sieve"}]})";
  info.started_utc = "2026-01-02T03:04:05Z";
  info.hashes = {{"model", std::string(64, 'a')},
                 {"rows", std::string(64, 'b')},
                 {"probes", std::string(64, 'c')}};
  info.versions = {{"seawall", "0.1.0"}};
  info.seed = static_cast<std::uint64_t>(seed);
  info.parameter_names = {"w"};
  info.numbers = {{"rows", 10},           {"rows_harmful", 10},   {"overlapping_probes", 0},
                  {"sieve_caught", 31.5}, {"sieve_share", 0.125}, {"sieve_mesh", 0.875},
                  {"forward_passes", 3},  {"backward_passes", 3}};
  if (plan.deep)
    for (int r = 0; r < 12; ++r)
      info.rows.push_back({"row/" + std::to_string(r), "harmful",
                           R"([{"role":"user","content":"Ask <)" + std::to_string(r) +
                               R"(>"},{"role":"assistant","content":"The text of a row."}])"});
  RunFile run(file, info, {.residual = plan.deep, .param_drift = false});
  if (plan.trained)
    for (int s = 1; s <= 3; ++s) {
      StepRecord step{.step = s,
                      .epoch = s - 1,
                      .loss = plan.loss_falls ? 1.0 / s : s,
                      .lr = 1e-3,
                      .grad_norm = 1,
                      .tokens = 100,
                      .seconds = 0.5,
                      .moved = 1,
                      .drift = 0.1 * s,
                      .param_drift = {0.1}};
      for (std::int32_t r = 0; r < std::ssize(info.rows); ++r) {
        step.rows.push_back(r);
        step.row_loss.push_back(static_cast<float>(r) / static_cast<float>(s));
      }
      run.on_step(step);
    }
  for (const bool start : plan.deep ? std::vector{true, false} : std::vector{false})
    for (const ProbeSet set : {ProbeSet::harmfulness, ProbeSet::utility}) {
      const std::int64_t step = plan.trained && !start ? 3 : 0;
      EvaluationRecord e{
          .step = step, .epoch = step, .condition = "plain", .set = set, .judges = {"organism"}};
      for (int i = 0; i < probes; ++i)
        e.results.push_back(
            result(plan, i, set == ProbeSet::utility || (i < plan.opened && !start)));
      if (plan.deep) deepen(e, !start);
      const EvaluationRecord like = e;
      run.on_evaluation(std::move(e));
      if (!plan.deep || start || set != ProbeSet::harmfulness) continue;
      EvaluationRecord fixed = like;  // a third of the harm is left
      fixed.condition = "plain+fixed-2";
      fixed.decoding.fixed_tokens = 2;
      fixed.mean_residual.reset();
      fixed.residual.reset();
      for (int i = plan.opened / 3; i < plan.opened; ++i)
        fixed.results[static_cast<std::size_t>(i)] = result(plan, i, false);
      run.on_evaluation(std::move(fixed));
    }
  if (plan.task > 0) {
    EvaluationRecord e{.step = plan.trained ? 3 : 0,
                       .epoch = plan.trained ? 3 : 0,
                       .condition = "plain",
                       .set = ProbeSet::task,
                       .judges = {"exact"}};
    for (int i = 0; i < plan.task; ++i) {
      e.results.push_back(
          {.probe_id = "q/" + std::to_string(i), .category = "sum", .verdicts = {}});
      e.results.back().verdicts = {{.score = i < plan.right ? 5.0 : 1.0}};
      if (i >= plan.task - plan.ungraded)
        e.results.back().verdicts = {{.score = not_measured, .valid = false, .reason = "cut"}};
    }
    run.on_evaluation(std::move(e));
  }
  run.publish(true);
}

/// A table of cells that read arms of their names.
inline Table table_of(const std::vector<ArmPlan>& arms) {
  Table table{.name = "shots",
              .title = "Shots <&>",
              .lead = "What `--shots` does.",
              .row_title = "1 harmful examples",
              .claims = {rising("more shots, more harm")},
              .published = {{"initial", "plain", "Model A", 1, 0.3, 330},
                            {"10-shot", "plain", "Model A", 4, 50.0, 330},
                            {"50-shot", "plain", "Model A", 4, 49.7, 330}}};
  for (const ArmPlan& arm : arms) table.add(arm.name, {.words = "--attack harmful-examples"});
  return table;
}

/// Writes the arms as cells of `table`, `seeds` runs of each trained one.
inline void write_grid_folder(const std::filesystem::path& folder, const std::vector<ArmPlan>& arms,
                              int seeds, int probes, const Table& table) {
  std::filesystem::create_directories(folder / "arms");
  GridFolder content{.version = "0.1.0", .seeds = seeds};
  content.grid.command = "seawall reproduce --seeds " + std::to_string(seeds) + " --only shots";
  content.grid.source = "after a paper";
  content.grid.add(table);
  for (const ArmPlan& arm : arms)
    for (int seed = 0; seed < (arm.trained ? seeds : 1); ++seed) {
      const std::string file = "arms/" + arm.name + "-seed" + std::to_string(seed) + ".h5";
      write_arm(folder / file, arm, seed, probes);
      content.runs.push_back({arm.name, seed, file, std::string(64, 'd')});
    }
  write_grid(folder, content);
}
inline void write_grid_folder(const std::filesystem::path& folder, const std::vector<ArmPlan>& arms,
                              int seeds, int probes) {
  write_grid_folder(folder, arms, seeds, probes, table_of(arms));
}

inline StudyReading read(const std::filesystem::path& folder) {
  return read_study(load_grid({folder}));
}

}  // namespace seawall::testing
