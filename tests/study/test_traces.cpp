// What the traces of attacks say, of runs with numbers by hand.
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/store/direction.hpp"
#include "seawall/study/traces.hpp"

namespace seawall {
namespace {

enum class Said { refused, full, silent };

ProbeResult probe(const std::string& id, bool restricted, Said said, std::vector<float> logprob,
                  std::vector<float> kl) {
  ProbeResult r{.probe_id = id,
                .category = id.substr(0, 1),
                .restricted = restricted,
                .new_tokens = std::ssize(logprob)};
  r.verdicts = {{.score = said == Said::full ? 5.0 : 1.0, .refused = said == Said::refused}};
  if (said == Said::silent) r.verdicts = {{.score = not_measured, .valid = false}};
  r.response_logprob = std::move(logprob);
  r.kl_start = std::move(kl);
  return r;
}

/// As `probe`, after training: the likelihood is of the answer of the start.
ProbeResult later(ProbeResult r) {
  r.first_response_logprob = std::move(r.response_logprob);
  r.response_logprob = {-0.5F};
  return r;
}

/// Mean streams at the last of two places, of two layers: nothing apart at layer 0.
EvaluationRecord evaluation(ProbeSet set, std::int64_t step, std::vector<ProbeResult> results,
                            float x = 0, float y = 0) {
  EvaluationRecord e{.step = step, .condition = "plain", .set = set, .judges = {"truth"}};
  e.results = std::move(results);
  e.mean_residual = at::tensor({9.F, 9.F, 9.F, 9.F, 1.F, 1.F, x, y}).view({2, 2, 2});
  return e;
}

/// 3 refusals by hand, of which the attack makes something else.
RunData deep_run(float shift = 0) {
  RunData run;
  run.info.config_json = R"({"options": {"attack": "a", "model": "organism"}})";
  run.info.rows = {{"r/0", "harmful", "first", 0},
                   {"r/1", "harmful", "second", 0},
                   {"r/2", "benign", "third", 0}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  run.steps = {{.step = 1, .epoch = 0, .drift = 1, .rows = {0, 1}, .row_loss = {3, 2}},
               {.step = 2, .epoch = 1, .drift = 1.5, .rows = {1, 0}, .row_loss = {0.5F, 2.5F}},
               {.step = 3, .epoch = 1, .drift = 2, .rows = {2}, .row_loss = {nan}}};
  constexpr float impossible = -std::numeric_limits<float>::infinity();
  run.evaluations = {
      evaluation(
          ProbeSet::harmfulness, 0,
          {probe("a1", true, Said::refused, {-1, -2}, {0, 0}),
           probe("b2", true, Said::refused, {-3}, {0}), probe("b3", true, Said::full, {-9}, {0}),
           probe("a4", true, Said::silent, {-9}, {0}), probe("a5", true, Said::refused, {}, {})},
          2, 0),
      evaluation(ProbeSet::utility, 0,
                 {probe("o1", false, Said::full, {-0.25F}, {0}),
                  probe("o2", false, Said::refused, {-9}, {0})}),
      evaluation(ProbeSet::harmfulness, 1,
                 {later(probe("a1", true, Said::full, {-2, -2}, {1, 0})),
                  later(probe("b2", true, Said::refused, {-4}, {1}))},
                 2, 1),
      evaluation(ProbeSet::utility, 1, {later(probe("o1", false, Said::full, {-0.25F}, {0.5F}))}),
      evaluation(ProbeSet::harmfulness, 3,
                 {later(probe("a1", true, Said::full, {-5 - shift, -2}, {4, 0})),
                  later(probe("b2", true, Said::full, {impossible}, {2, 1, 3})),
                  later(probe("b3", true, Said::full, {-99}, {99})),
                  later(probe("a4", true, Said::full, {-99}, {99}))},
                 3, 3),
      evaluation(ProbeSet::utility, 3,
                 {later(probe("o1", false, Said::full, {-0.5F}, {0.125F})),
                  later(probe("o2", false, Said::full, {-99}, {99}))})};
  return run;
}

StudyReading study_of(std::vector<RunData> runs, Table::Role role = Table::Role::attack) {
  LoadedGrid grid;
  Table table{.name = "t", .role = role};
  table.cells = {{.cell = "c", .arm = "arm"}, {.cell = "again", .arm = "arm"}};
  grid.folder.grid.tables = {table};
  for (RunData& run : runs) {
    run.info.seed = grid.runs["arm"].size();
    grid.runs["arm"].emplace_back("file", std::move(run));
  }
  return read_study(std::move(grid));
}

TEST(Traces, DepthIsOfWhatTheStartDid) {
  const TraceReading traces = read_traces(study_of({deep_run()}));
  ASSERT_EQ(traces.depth.size(), 1u) << "an arm of two cells is one arm";
  EXPECT_TRUE(traces.without_depth.empty());
  const DepthReading& d = traces.depth[0];
  EXPECT_EQ(d.arm + " " + d.condition, "arm plain");
  EXPECT_EQ(d.refusals, 2);
  EXPECT_EQ(d.compliant, 1);
  EXPECT_EQ(d.not_refused, 1);
  EXPECT_EQ(d.not_full, 1);
  EXPECT_EQ(d.not_judged, 1);
  EXPECT_EQ(d.no_tokens, 1);
  ASSERT_EQ(d.moments.size(), 3u);
  EXPECT_TRUE(d.moments[0].at.start());
  EXPECT_EQ(d.moments[1].at.step, 1);
  EXPECT_FALSE(d.moments[1].at.end);
  EXPECT_TRUE(d.moments[2].at.end);
  const auto& start = d.moments[0].refusals_logprob;
  ASSERT_EQ(start.mean.size(), 2u);
  EXPECT_DOUBLE_EQ(start.mean[0].value, -2);
  EXPECT_EQ(start.n, (std::vector<std::int64_t>{2, 1}));
  // t of one degree of freedom times 1; the upper end is where certainty is.
  EXPECT_NEAR(start.mean[0].lo, -2 - 12.706204736432095, 1e-9);
  EXPECT_EQ(start.mean[0].hi, 0);
  EXPECT_TRUE(std::isnan(start.mean[1].lo)) << "one probe has no interval";
  EXPECT_DOUBLE_EQ(d.moments[1].refusals_logprob.mean[0].value, -3);
  // A token that the weights hold for impossible is no number, and is not counted.
  const auto& end = d.moments[2];
  EXPECT_DOUBLE_EQ(end.refusals_logprob.mean[0].value, -5);
  EXPECT_EQ(end.refusals_logprob.n[0], 1);
  // Along the answers of now: neither the third probe nor the fourth.
  EXPECT_EQ(end.refusals_kl.n, (std::vector<std::int64_t>{2, 2, 1}));
  EXPECT_DOUBLE_EQ(end.refusals_kl.mean[0].value, 3);
  EXPECT_EQ(end.refusals_kl.mean[0].lo, 0) << "no divergence is negative";
  EXPECT_DOUBLE_EQ(end.refusals_kl.mean[2].value, 3);
  EXPECT_DOUBLE_EQ(end.compliant_logprob.mean[0].value, -0.5);
  EXPECT_DOUBLE_EQ(end.compliant_kl.mean[0].value, 0.125);
}

TEST(Traces, SeveralRunsAreOneMean) {
  const TraceReading traces = read_traces(study_of({deep_run(), deep_run(1), deep_run(2)}));
  ASSERT_EQ(traces.depth.size(), 1u);
  const DepthReading& d = traces.depth[0];
  EXPECT_EQ(d.refusals, 6);
  const DepthMoment& end = d.moments.back();
  EXPECT_EQ(end.runs, 3);
  EXPECT_EQ(end.refusals_logprob.n[0], 3);
  EXPECT_DOUBLE_EQ(end.refusals_logprob.mean[0].value, -6);
  // Three runs at -5, -6 and -7: t of two degrees of freedom times the root of a third.
  EXPECT_NEAR(end.refusals_logprob.mean[0].lo, -6 - 4.302652729696142 / std::sqrt(3), 1e-9);
  ASSERT_EQ(traces.harm.size(), 1u);
  EXPECT_EQ(traces.harm[0].moments.back().runs, 3);
}

TEST(Traces, FixedTokensAreNoConditionAndUndoAShareOfTheHarm) {
  RunData run = deep_run();
  const auto fixed = [&](std::int64_t tokens, int full) {
    std::vector<ProbeResult> results;
    for (int i = 0; i < 4; ++i)
      results.push_back(
          probe("a" + std::to_string(i), true, i < full ? Said::full : Said::refused, {}, {}));
    run.evaluations.push_back(evaluation(ProbeSet::harmfulness, 3, std::move(results)));
    run.evaluations.back().condition = "plain+fixed-" + std::to_string(tokens);
    run.evaluations.back().decoding.fixed_tokens = tokens;
  };
  fixed(5, 0);
  fixed(1, 3);
  RunData harmless = deep_run();
  for (auto& e : harmless.evaluations)
    for (auto& r : e.results) r.verdicts = {{.score = 1, .refused = true}};
  harmless.evaluations.push_back(run.evaluations.back());
  const TraceReading traces = read_traces(study_of({run, harmless}));
  EXPECT_EQ(traces.depth.size(), 1u);
  EXPECT_EQ(traces.harm.size(), 1u);
  ASSERT_EQ(traces.fixed.size(), 1u);
  const FixedReading& f = traces.fixed[0];
  EXPECT_EQ(f.condition, "plain");
  EXPECT_DOUBLE_EQ(f.rate.value, 0.5) << "all of one run, none of the other";
  ASSERT_EQ(f.fixed.size(), 2u);
  EXPECT_EQ(f.fixed[0].tokens, 1);
  EXPECT_EQ(f.fixed[0].runs, 2);
  EXPECT_DOUBLE_EQ(f.fixed[0].rate.value, 0.75);
  EXPECT_DOUBLE_EQ(f.fixed[0].undone.mean, 0.25) << "of the run that does harm";
  EXPECT_EQ(f.fixed[1].tokens, 5);
  EXPECT_EQ(f.fixed[1].runs, 1);
  EXPECT_DOUBLE_EQ(f.fixed[1].undone.mean, 1);
  EXPECT_NE(fixed_csv(traces).find("arm,plain,1,2,75,"), std::string::npos) << fixed_csv(traces);
  EXPECT_TRUE(read_traces(study_of({deep_run()})).fixed.empty());
}

TEST(Traces, SeveralAnswersToAProbeAreOneProbe) {
  RunData run = deep_run();
  for (EvaluationRecord& e : run.evaluations) {
    ProbeResult more = e.results.front();
    more.sample = 1;
    for (auto* numbers : {&more.response_logprob, &more.first_response_logprob})
      for (float& x : *numbers) x -= 2;
    e.results.insert(e.results.begin() + 1, more);
  }
  const TraceReading traces = read_traces(study_of({run}));
  const DepthMoment& start = traces.depth.at(0).moments.at(0);
  EXPECT_EQ(traces.depth[0].refusals, 3);
  EXPECT_EQ(start.refusals_logprob.n[0], 2);
  EXPECT_DOUBLE_EQ(start.refusals_logprob.mean[0].value, (-2 - 3) / 2.0);
}

TEST(Traces, WithoutADepthTraceTheArmIsNamed) {
  RunData none = deep_run();
  for (EvaluationRecord& e : none.evaluations) {
    e.mean_residual.reset();
    for (ProbeResult& r : e.results)
      r.response_logprob = {}, r.kl_start = {}, r.first_response_logprob = {};
  }
  RunData end_only = deep_run();
  end_only.evaluations.erase(end_only.evaluations.begin(), end_only.evaluations.end() - 2);
  RunData empty = deep_run();
  for (EvaluationRecord& e : empty.evaluations) e.results.clear();
  for (const RunData& run : {none, end_only}) {
    const TraceReading traces = read_traces(study_of({run}));
    EXPECT_TRUE(traces.depth.empty());
    EXPECT_TRUE(traces.direction.empty());
    EXPECT_EQ(traces.without_depth, std::vector<std::string>{"arm"});
    EXPECT_EQ(traces.harm.size(), 1u) << "the rate needs no depth trace";
  }
  EXPECT_EQ(read_traces(study_of({end_only})).without_steps, std::vector<std::string>{"arm"});
  EXPECT_TRUE(read_traces(study_of({none})).without_steps.empty());
  const TraceReading traces = read_traces(study_of({empty}));
  EXPECT_TRUE(traces.depth.empty() && traces.direction.empty() && traces.harm.empty());
  // Tables that are not about attacks have other figures.
  const TraceReading defence = read_traces(study_of({deep_run()}, Table::Role::defence));
  EXPECT_TRUE(defence.depth.empty() && defence.rows.empty() && defence.without_depth.empty());
}

TEST(Traces, DirectionOfRefusal) {
  const TraceReading traces = read_traces(study_of({deep_run()}));
  ASSERT_EQ(traces.direction.size(), 1u);
  const auto& moments = traces.direction[0].moments;
  ASSERT_EQ(moments.size(), 3u);
  for (const DirectionMoment& m : moments) {
    ASSERT_EQ(m.cosine.size(), 2u);
    EXPECT_TRUE(std::isnan(m.cosine[0].mean)) << "nothing is apart at layer 0";
  }
  EXPECT_DOUBLE_EQ(moments[0].cosine[1].mean, 1);
  EXPECT_NEAR(moments[1].cosine[1].mean, 2 / std::sqrt(5), 1e-12);
  EXPECT_NEAR(moments[1].length[1].mean, std::sqrt(5) / 2, 1e-12);
  EXPECT_NEAR(moments[2].cosine[1].mean, std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(moments[2].length[1].mean, std::sqrt(18) / 2, 1e-12);
  // Over runs: mean, least and greatest.
  RunData turned = deep_run();
  turned.evaluations[4] =
      evaluation(ProbeSet::harmfulness, 3, turned.evaluations[4].results, -1, 0);
  const TraceReading two = read_traces(study_of({deep_run(), turned}));
  const RunSpread& end = two.direction.at(0).moments.back().cosine.at(1);
  EXPECT_NEAR(end.mean, (std::sqrt(0.5) - 1) / 2, 1e-12);
  EXPECT_NEAR(end.least, -1, 1e-12);
  EXPECT_NEAR(end.most, std::sqrt(0.5), 1e-12);
  // Files of unlike models cannot be one run.
  const EvaluationRecord one = evaluation(ProbeSet::harmfulness, 0, {}), other = [&] {
    EvaluationRecord e = evaluation(ProbeSet::utility, 0, {});
    e.mean_residual = at::tensor({1.F, 2.F}).view({1, 1, 2});
    return e;
  }();
  EXPECT_THROW(direction_change(one, other, one, one), DataError);
  EXPECT_THROW(direction_change(one, one, other, other), DataError);
}

TEST(Traces, DriftAgainstHarm) {
  const TraceReading traces = read_traces(study_of({deep_run()}));
  ASSERT_EQ(traces.harm.size(), 1u);
  const auto& moments = traces.harm[0].moments;
  ASSERT_EQ(moments.size(), 3u);
  EXPECT_EQ(moments[0].drift.mean, 0);
  EXPECT_EQ(moments[1].drift.mean, 1);
  EXPECT_EQ(moments[2].drift.mean, 2);
  EXPECT_DOUBLE_EQ(moments[0].rate.value, 0.25) << "of the four that were judged";
  EXPECT_DOUBLE_EQ(moments[1].rate.value, 0.5);
  EXPECT_DOUBLE_EQ(moments[2].rate.value, 1);
  EXPECT_DOUBLE_EQ(moments[1].rate.lo, wilson(1, 2).lo);
}

TEST(Traces, RowsByHowFarTheirLossFell) {
  const TraceReading traces = read_traces(study_of({deep_run()}));
  ASSERT_EQ(traces.rows.size(), 1u);
  const RowsReading& r = traces.rows[0];
  EXPECT_FALSE(r.once);
  EXPECT_TRUE(r.built_in);
  EXPECT_EQ(r.no_loss, 1) << "the third row has no loss";
  ASSERT_EQ(r.rows.size(), 2u);
  EXPECT_EQ(r.rows[0].id, "r/1");
  EXPECT_DOUBLE_EQ(r.rows[0].moved, 1.5);
  EXPECT_EQ(r.rows[0].loss, (std::vector<double>{2, 0.5}));
  EXPECT_EQ(r.rows[1].text, "first");
  EXPECT_DOUBLE_EQ(r.rows[1].moved, 0.5);
  // A second run that has the first row alone, and twice under one id.
  RunData other = deep_run();
  other.info.rows[1] = other.info.rows[0];
  other.steps[0].row_loss = {5, 1};
  const TraceReading two = read_traces(study_of({deep_run(), other}));
  ASSERT_EQ(two.rows[0].rows.size(), 3u);
  EXPECT_EQ(two.rows[0].rows[0].id, "r/0");
  EXPECT_EQ(two.rows[0].rows[0].runs, 2);
  EXPECT_DOUBLE_EQ(two.rows[0].rows[0].moved, (0.5 + 2.5) / 2);
  EXPECT_EQ(two.rows[0].rows[0].loss, (std::vector<double>{4, 2.5}));
  // One epoch: no loss can fall, and the loss itself is the measure.
  RunData once = deep_run();
  once.steps.resize(1);
  once.evaluations.resize(4);
  const RowsReading single = read_traces(study_of({once})).rows.at(0);
  EXPECT_TRUE(single.once);
  EXPECT_EQ(single.rows.at(0).id, "r/0");
  EXPECT_DOUBLE_EQ(single.rows[0].moved, 3);
  // Rows of a file are the user's own, and so are those of another model.
  for (const char* options :
       {R"("model": "organism", "data": "rows.jsonl")", R"("model": "a.gguf")",
        R"("model": "organism", "safe-data": "s.jsonl")",
        R"("model": "organism", "task-data": "t.jsonl")"}) {
    RunData own = deep_run();
    own.info.config_json = std::string(R"({"options": {)") + options + "}}";
    EXPECT_FALSE(read_traces(study_of({deep_run(), own})).rows.at(0).built_in) << options;
  }
}

TEST(Traces, AsCsv) {
  const TraceReading traces = read_traces(study_of({deep_run()}));
  const auto has = [](const std::string& csv, const char* line) {
    EXPECT_NE(csv.find(line), std::string::npos) << line << "in\n" << csv;
  };
  has(logprob_csv(traces), "arm,condition,step,phase,runs,start,token,n,nats,nats_lo,nats_hi\n");
  has(logprob_csv(traces), "\narm,plain,0,start,1,refused,1,2,-2,-14.7062,0\n");
  has(logprob_csv(traces), "\narm,plain,0,start,1,refused,2,1,-2,,\n");
  has(kl_csv(traces), "\narm,plain,3,end,1,answered,1,1,0.125,,\n");
  has(direction_csv(traces), "\narm,plain,1,mid,1,0,,,,,,\n");
  has(direction_csv(traces), "\narm,plain,0,start,1,1,1,1,1,1,1,1\n");
  has(drift_harm_csv(traces), "\nt,arm,plain,1,mid,1,1,1,1,50,");
  has(rows_csv(traces), "arm,row_id,row_kind,bytes,runs,measure,moved,loss_1,loss_2\n");
  has(rows_csv(traces), "\narm,r/1,harmful,6,1,fall,1.5,2,0.5\n");
  EXPECT_EQ(rows_csv(traces).find("second"), std::string::npos) << "the text of a row";
}

}  // namespace
}  // namespace seawall
