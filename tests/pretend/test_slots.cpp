// Decoding in slots on the pretended device, against the CPU's engine and the full forward pass.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/slots.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "tests/model/support.hpp"
#include "tests/support/files.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall {
namespace {

using pretend::there;
using namespace testing;
using Ids = std::vector<std::int32_t>;
using Prompts = std::vector<Ids>;

/// Eleven prompts of many lengths; most share a prefix, two are equal.
Prompts slot_prompts() {
  std::mt19937 random(2);
  const auto root = random_row(random, {}, 10).ids;
  Prompts out = {root};
  for (const int more : {6, 1, 45, 6, 12, 2}) out.push_back(random_row(random, root, more).ids);
  for (const int length : {3, 1, 30}) out.push_back(random_row(random, {}, length).ids);
  out.push_back(out[1]);
  return out;
}

Decoder moved(const Decoder& decoder, at::ScalarType type) {
  NamedTensors weights = decoder.parameters();
  for (auto& [name, tensor] : weights) tensor = tensor.to(type).to(there);
  return {decoder.config(), weights};
}
LlamaConfig untied() { return small_config(4, 2, false); }

void expect_same_answers(const GenerateResult& got, const GenerateResult& want) {
  ASSERT_EQ(got.rows.size(), want.rows.size());
  for (std::size_t r = 0; r < want.rows.size(); ++r) {
    EXPECT_EQ(got.rows[r].ids, want.rows[r].ids) << "prompt " << r;
    EXPECT_EQ(got.rows[r].finished, want.rows[r].finished) << "prompt " << r;
  }
}

TEST(Slots, EveryFamilyAnswersAsOnTheCpu) {
  auto configs = family_configs();
  configs.push_back(untied());
  for (const auto& config : configs) {
    SCOPED_TRACE(config.family->type);
    const Decoder here = small_decoder(config, at::kFloat);
    const GenerateOptions options{.max_new_tokens = 20, .max_batch = 4};
    expect_same_answers(generate(moved(here, at::kFloat), slot_prompts(), options),
                        generate(here, slot_prompts(), options));
  }
}

TEST(Slots, AnswersDoNotDependOnHowManyThereAre) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  GenerateOptions options{.max_new_tokens = 24};
  const auto whole = generate(here, slot_prompts(), options);
  options.stop_ids = {whole.rows[1].ids[4], whole.rows[3].ids[9], whole.rows[8].ids[1]};
  options.ends = [](std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer) {
    return answer.size() == prompt.size() % 13;
  };
  std::int64_t done = 0, tokens = 0;
  options.progress = [&](std::int64_t d, std::int64_t t) {
    EXPECT_GE(d, done);
    done = d, tokens = t;
  };
  const auto want = generate(here, slot_prompts(), options);
  const auto made = tokens;
  std::set<std::size_t> lengths;
  for (const auto& row : want.rows) lengths.insert(row.ids.size());
  ASSERT_GT(lengths.size(), 4u);  // they end at many places
  for (const std::int64_t slots : {1, 2, 3, 5, 8, 0}) {
    SCOPED_TRACE(slots);
    options.max_batch = slots;
    done = tokens = 0;
    expect_same_answers(generate(device, slot_prompts(), options), want);
    EXPECT_EQ(done, static_cast<std::int64_t>(want.rows.size()));
    EXPECT_EQ(tokens, made);
  }
}

TEST(Slots, WaitingPromptsDoNotWaitForTheLongestAnswer) {
  const Decoder device = moved(small_decoder(untied(), at::kFloat), at::kFloat);
  // Of eight answers in four slots the first one is long: waves would take 40 + 4 steps.
  const Prompts prompts{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}};
  std::int64_t steps = 0;
  GenerateOptions options{.max_new_tokens = 40, .max_batch = 4};
  options.ends = [](std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer) {
    return prompt[0] != 1 && answer.size() == 4;
  };
  std::int64_t fills = 0;
  options.edit = [&](const TapPoint& point, const Tensor& x) {
    if (point.kind == TapPoint::Kind::embed) ++(x.size(0) == 4 ? steps : fills);
    return x;
  };
  const auto rows = generate(device, prompts, options).rows;
  EXPECT_EQ(rows[0].ids.size(), 40u);
  EXPECT_EQ(rows[7].ids.size(), 4u);
  EXPECT_EQ(steps, 39 + 1);  // and the first four prompts
  EXPECT_EQ(fills, 2);
}

TEST(Slots, TheLastAnswersGoOnInFewerSlots) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  Prompts prompts;
  for (std::int32_t i = 0; i < 20; ++i) prompts.push_back({i, 7, 2 * i});
  GenerateOptions options{.max_new_tokens = 24};
  options.streams.assign(prompts.size(), Rng(4));
  options.ends = [](std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer) {
    return prompt[0] % 5 != 2 && answer.size() == 4;
  };
  for (const int way : {0, 1, 2}) {  // greedy, drawn, by rules
    SCOPED_TRACE(way);
    options.temperature = way == 1 ? 1 : 0;
    options.rules.repetition_penalty = way == 2 ? 1.3 : 1;
    options.rules.min_new_tokens = way == 2 ? 30 : 0;
    options.rules.eos = {9};
    const auto want = generate(here, prompts, options);
    pretend::reset();
    expect_same_answers(generate(device, prompts, options), want);
    EXPECT_EQ(pretend::counts().syncs, 0);
    // Of the 4 steps with all slots and the 19 with four the first ones are launched.
    EXPECT_EQ(pretend::counts().replays, pretend::has_graphs ? 3 + 18 : 0);
  }
  std::vector<std::int64_t> rows;
  options.edit = [&](const TapPoint& point, const Tensor& x) {
    if (point.kind == TapPoint::Kind::embed) rows.push_back(x.size(0));
    return x;
  };
  generate(device, prompts, options);
  EXPECT_EQ(rows[4], 20);
  for (std::size_t i = 5; i < rows.size(); ++i) EXPECT_EQ(rows[i], 4) << i;
}

TEST(Slots, ManyPromptsAreRunInParts) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  std::mt19937 random(3);
  Prompts prompts;
  for (int i = 0; i < 300; ++i) prompts.push_back(random_row(random, {}, 60).ids);
  GenerateOptions options{.max_new_tokens = 2};
  const auto want = generate(here, prompts, options);
  std::vector<std::int64_t> runs;
  options.edit = [&](const TapPoint& point, const Tensor& x) {
    if (point.kind == TapPoint::Kind::embed) runs.push_back(x.size(0));
    return x;
  };
  expect_same_answers(generate(device, prompts, options), want);
  ASSERT_EQ(runs.size(), 3u);  // two parts, and a step of all slots
  EXPECT_LE(runs[0], 16384);
  EXPECT_LE(runs[1], 2000);
  EXPECT_EQ(runs[2], 300);
}

TEST(Slots, TheDeviceItselfEndsAnAnswerAtAStopId) {
  const Decoder device = moved(small_decoder(untied(), at::kFloat), at::kFloat);
  const std::vector<SlotPrompt> prompts{{.slot = 0, .ids = {3, 4, 5}, .room = 9},
                                        {.slot = 1, .ids = {6, 7}, .room = 9}};
  const auto streams = [&](const std::vector<std::int32_t>& stop_ids, std::int32_t& first) {
    SlotEngine engine(device, {.slots = 2,
                               .places = 12,
                               .max_new_tokens = 9,
                               .stop_ids = stop_ids,
                               .layers = {device.config().layers}});
    first = static_cast<std::int32_t>(
        engine.fill(prompts).first.facts.to(at::kCPU)[0][0].item<double>());
    engine.step(4);
    return engine.step(5).streams.to(at::kCPU);  // [2,1,C]
  };
  const at::NoGradGuard no_grad;
  std::int32_t first = -1;
  const Tensor free = streams({}, first), stopped = streams({first}, first);
  EXPECT_GT(largest_difference(free[0], stopped[0]), 1e-3);  // it sees its first place alone
  EXPECT_EQ(largest_difference(free[1], stopped[1]), 0);
}

TEST(Slots, AttentionGrowsByWidthsAndGraphsAreReplayed) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  const Prompts prompts{{3, 4, 5}, {6, 7, 8, 9}};
  GenerateOptions options{.max_new_tokens = 300};
  const auto want = generate(here, prompts, options);
  pretend::reset();
  expect_same_answers(generate(device, prompts, options), want);
  // Of 299 steps the first one of each of two widths is launched.
  EXPECT_EQ(pretend::counts().replays, pretend::has_graphs ? 297 : 0);
  pretend::reset();
  options.edit = [](const TapPoint&, const Tensor& x) { return x; };
  expect_same_answers(generate(device, prompts, options), want);
  EXPECT_EQ(pretend::counts().replays, 0);  // a hook may do what no capture permits
}

TEST(Slots, FlashAttentionReadsTheSlotsInBf16) {
  LlamaConfig config = untied();
  config.head_dim = 16;
  NamedTensors weights = lively_weights(config, at::kBFloat16);
  const Decoder device = moved(Decoder(config, weights), at::kBFloat16);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kDouble);
  const Decoder exact(config, weights);
  const GenerateOptions options{.max_new_tokens = 40, .max_batch = 5};
  pretend::reset();
  const auto got = generate(device, slot_prompts(), options);
  for (const auto& [name, counted] : pretend::counts().operators)
    EXPECT_EQ(name.find("softmax"), std::string::npos) << name;  // of masked attention
  // Each token is the likeliest one of the same weights in fp64, or nearly: logits of bf16 values
  // are off by a few 2^-8 of the largest.
  int best = 0, all = 0;
  for (std::size_t r = 0; r < got.rows.size(); ++r) {
    const auto prompt = slot_prompts()[r];
    Ids text = prompt;
    text.insert(text.end(), got.rows[r].ids.begin(), got.rows[r].ids.end());
    const Tensor logits = exact.logits(reference_hidden(exact, text));  // [T,V]
    const double most = logits.abs().max().item<double>();
    for (std::size_t t = prompt.size(); t < text.size(); ++t, ++all) {
      const Tensor row = logits[static_cast<std::int64_t>(t) - 1];
      const double lost = (row.max() - row[text[t]]).item<double>();
      EXPECT_LE(lost, 0.05 * most) << "prompt " << r << " token " << t - prompt.size();
      best += lost == 0;
    }
  }
  EXPECT_GE(best, 0.9 * all);
}

TEST(Slots, TokensAreDrawnAsOnTheCpu) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  for (const auto& [temperature, top_p] :
       {std::pair(1.0, 1.0), std::pair(0.6, 1.0), std::pair(1.3, 0.8)}) {
    SCOPED_TRACE(temperature);
    GenerateOptions options{.max_new_tokens = 20, .stop_ids = {7}};
    options.temperature = temperature;
    options.top_p = top_p;
    for (std::size_t i = 0; i < slot_prompts().size(); ++i)
      options.streams.push_back(Rng(3).stream(std::to_string(i)));
    const auto want = generate(here, slot_prompts(), options);
    EXPECT_NE(want.rows[1].ids, want.rows[10].ids);  // one prompt, two streams
    for (const std::int64_t slots : {3, 0}) {
      options.max_batch = slots;
      expect_same_answers(generate(device, slot_prompts(), options), want);
    }
  }
}

TEST(Slots, RulesAreAppliedAsOnTheCpu) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  GenerateOptions options{.max_new_tokens = 20, .max_batch = 4};
  const auto ids = generate(here, slot_prompts(), options).rows[1].ids;
  options.stop_ids = {ids[3]};
  const auto all_ids = [](const GenerateResult& result) {
    Prompts out;
    for (const auto& row : result.rows) out.push_back(row.ids);
    return out;
  };
  auto plain = all_ids(generate(here, slot_prompts(), options));
  const auto compare = [&](const DecodingRules& rules, bool there_too) {
    options.rules = rules;
    const auto want = generate(here, slot_prompts(), options);
    EXPECT_NE(all_ids(want), plain) << "the rule changes nothing";
    pretend::reset();
    expect_same_answers(generate(device, slot_prompts(), options), want);
    EXPECT_EQ(pretend::counts().syncs == 0, there_too);
  };
  compare({.repetition_penalty = 1.4}, true);
  compare({.min_length = 30, .eos = {ids[3]}}, true);
  compare({.min_new_tokens = 6, .eos = {ids[3]}}, true);
  compare({.suppress = {ids[0], 5}}, true);
  compare({.begin_suppress = {ids[0]}}, true);
  compare({.repetition_penalty = 1.2, .min_new_tokens = 9, .suppress = {ids[0]}, .eos = {ids[3]}},
          true);
  compare({.no_repeat_ngram_size = 1}, false);
  options.temperature = 0.8;
  options.streams.assign(slot_prompts().size(), Rng(6));
  options.rules = {};
  plain = all_ids(generate(here, slot_prompts(), options));
  compare({.repetition_penalty = 1.3}, true);
}

TEST(Slots, LogProbabilitiesAndStreamsAreThoseOfAForwardPass) {
  const Decoder here = small_decoder(untied(), at::kFloat), device = moved(here, at::kFloat);
  const auto prompts = slot_prompts();
  GenerateOptions options{.max_new_tokens = 12, .max_batch = 4};
  const auto free = generate(here, prompts, options);
  EXPECT_TRUE(free.rows[0].log_probs.empty());
  EXPECT_FALSE(free.rows[0].residual.defined());
  options.stop_ids = {free.rows[1].ids[4]};
  options.log_probs = true;
  options.answer_layers = {0, 2, 3};
  options.residual = true;
  for (const int way : {0, 1, 2}) {  // greedy, drawn, by rules that the host applies
    options.temperature = way == 1 ? 0.9 : 0;
    options.rules.no_repeat_ngram_size = way == 2 ? 2 : 0;
    options.streams.assign(prompts.size(), Rng(4));
    const auto want = generate(here, prompts, options);
    for (const Decoder* decoder : {&here, &device}) {
      SCOPED_TRACE(std::to_string(way) + (decoder == &here ? " cpu" : " device"));
      const auto got = generate(*decoder, prompts, options);
      expect_same_answers(got, want);
      EXPECT_LT(largest_difference(got.residual, want.residual), 1e-4);
      for (std::size_t r = 0; r < prompts.size(); ++r) {
        const Generation& row = got.rows[r];
        const auto n = static_cast<std::int64_t>(row.ids.size());
        ASSERT_EQ(row.log_probs.size(), row.ids.size());
        ASSERT_EQ(row.residual.sizes(), (at::IntArrayRef{n, 3, 24}));
        Ids text = prompts[r];
        text.insert(text.end(), row.ids.begin(), row.ids.end());
        std::vector<Tensor> streams;
        ForwardHooks hooks;
        hooks.take = [&](const TapPoint&, const Tensor& x) { streams.push_back(x.clone()); };
        const BatchPlan plan = plan_batch({{text, {}}}, at::kCPU);
        const Tensor log_probs = here.logits(here.hidden(plan, hooks)).log_softmax(1);
        for (std::int64_t t = 0; t < n; ++t) {
          const auto from = static_cast<std::int64_t>(prompts[r].size()) + t - 1;
          const auto id = row.ids[static_cast<std::size_t>(t)];
          EXPECT_NEAR(row.log_probs[static_cast<std::size_t>(t)],
                      log_probs[from][id].item<double>(), 2e-4);
          for (const auto& [k, layer] : {std::pair(0, 0), std::pair(1, 2), std::pair(2, 3)})
            EXPECT_LT(largest_difference(row.residual[t][k],
                                         streams[static_cast<std::size_t>(layer)][from]),
                      1e-4);
        }
      }
    }
  }
}

TEST(Slots, LayersThatAreNotThereAreRefused) {
  const Decoder here = small_decoder(untied(), at::kFloat);
  for (const std::vector<std::int64_t>& layers :
       {std::vector<std::int64_t>{4}, {-1}, {2, 2}, {3, 1}})
    EXPECT_HAS(message_of<UsageError>([&] { generate(here, {{1}}, {.answer_layers = layers}); }),
               "answer_layers: want some of 0 to 3, ascending");
}

}  // namespace
}  // namespace seawall
