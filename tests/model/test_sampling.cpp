// Tokens that are drawn, and logits that a hook changes.
#include <ATen/ops/allclose.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "support.hpp"
#include "tests/support/files.hpp"

namespace seawall::sampling_test {
namespace {

using seawall::testing::message_of;
using seawall::testing::random_row;
using seawall::testing::small_config;
using seawall::testing::small_decoder;
using Ids = std::vector<std::int32_t>;
using Prompts = std::vector<Ids>;

Decoder varied_decoder() { return small_decoder(small_config(4, 2, false)); }

/// Seven prompts, of which the first two and the last are one.
Prompts prompts() {
  std::mt19937 random(2);
  const auto root = random_row(random, {}, 10).ids;
  return {root,
          root,
          random_row(random, root, 6).ids,
          random_row(random, {}, 3).ids,
          random_row(random, {}, 1).ids,
          random_row(random, root, 20).ids,
          root};
}

GenerateOptions drawn(double temperature, double top_p = 1, std::uint64_t seed = 1) {
  GenerateOptions options{.max_new_tokens = 24};
  options.temperature = temperature;
  options.top_p = top_p;
  for (std::size_t i = 0; i < prompts().size(); ++i)
    options.streams.push_back(Rng(seed).stream(std::to_string(i)));
  return options;
}

std::vector<Ids> answers(const GenerateOptions& options, const Prompts& asked = prompts()) {
  std::vector<Ids> out;
  for (const auto& row : generate(varied_decoder(), asked, options).rows) out.push_back(row.ids);
  return out;
}

TEST(Sampling, DrawMeetsEachTokenInProportion) {
  const float none = -std::numeric_limits<float>::infinity();
  const std::vector<float> scores{none, std::log(2.0f), none,
                                  0,    std::log(5.0f), none};  // 2 : 1 : 5
  EXPECT_EQ(draw(scores, 0), 1);
  EXPECT_EQ(draw(scores, 0.2499), 1);
  EXPECT_EQ(draw(scores, 0.2501), 3);
  EXPECT_EQ(draw(scores, 0.3749), 3);
  EXPECT_EQ(draw(scores, 0.3751), 4);
  EXPECT_EQ(draw(scores, std::nextafter(1.0, 0.0)), 4);
  EXPECT_HAS(message_of<RunError>([&] {
               draw(std::vector<float>{none, none}, 0.5);
             }),
             "the logits of an answer are not finite");
  EXPECT_HAS(message_of<RunError>([&] {
               draw(std::vector<float>{0, std::nanf("")}, 0.5);
             }),
             "the logits of an answer are not finite");
}

TEST(Sampling, NothingIsChosenFromLogitsThatAreNotFinite) {
  const Decoder decoder = small_decoder(small_config(4, 2, false), at::kFloat);
  NamedTensors weights = decoder.parameters();
  const auto norm = std::ranges::find(weights, "model.norm.weight", &NamedTensor::name);
  ASSERT_NE(norm, weights.end());
  norm->tensor = at::full_like(norm->tensor, std::nan(""));
  const Decoder broken(decoder.config(), weights);
  for (const auto path : {ComputePath::fused, ComputePath::composite})
    for (const double penalty : {1.0, 1.2}) {
      set_compute_path(path);
      GenerateOptions options{.max_new_tokens = 3};
      options.rules.repetition_penalty = penalty;
      EXPECT_HAS(message_of<RunError>([&] {
                   generate(broken, {{3, 4, 5}, {6}}, options);
                 }),
                 "tensor model.norm.weight has ");
    }
  set_compute_path(ComputePath::fused);
}

TEST(Sampling, AnAnswerDependsOnItsStreamAloneAndNotOnItsBatch) {
  GenerateOptions options = drawn(1);
  const auto whole = answers(options);
  for (const std::int64_t size : {1, 2, 5}) {
    options.max_batch = size;
    EXPECT_EQ(answers(options), whole) << size;
  }
  // The same prompt under streams of its own is answered otherwise each time, and the streams can
  // be dealt to the prompts in another order.
  EXPECT_NE(whole[0], whole[1]);
  EXPECT_NE(whole[0], whole[6]);
  GenerateOptions reversed = drawn(1);
  Prompts asked = prompts();
  std::ranges::reverse(asked);
  std::ranges::reverse(reversed.streams);
  auto backwards = answers(reversed, asked);
  std::ranges::reverse(backwards);
  EXPECT_EQ(backwards, whole);
  EXPECT_NE(answers(drawn(1, 1, 2)), whole);
}

TEST(Sampling, TheLikeliestTokenIsLeftWhereNothingElseCanBeDrawn) {
  const auto greedy = answers({.max_new_tokens = 24});
  EXPECT_EQ(answers(drawn(1, 1e-9)), greedy);
  EXPECT_EQ(answers(drawn(1e-6)), greedy);
  EXPECT_NE(answers(drawn(1)), greedy);
}

TEST(Sampling, FirstTokensComeAsOftenAsTheirProbabilitySays) {
  const Decoder decoder = varied_decoder();
  const Ids prompt{3, 1, 4};
  constexpr int times = 4000;
  GenerateOptions options{.max_new_tokens = 1};
  options.temperature = 0.5;
  for (int i = 0; i < times; ++i) options.streams.push_back(Rng(9).stream(std::to_string(i)));
  const auto rows = generate(decoder, Prompts(times, prompt), options).rows;
  std::vector<double> count(static_cast<std::size_t>(decoder.config().vocab_size));
  for (const auto& row : rows) ++count[static_cast<std::size_t>(row.ids.at(0))];
  const Tensor p = decoder.logits(seawall::testing::reference_hidden(decoder, prompt))[-1]
                       .to(at::kDouble)
                       .div(0.5)
                       .softmax(0);
  for (std::size_t i = 0; i < count.size(); ++i) {
    const double want = p[static_cast<std::int64_t>(i)].item<double>();
    const double error = std::sqrt(want * (1 - want) / times);
    EXPECT_NEAR(count[i] / times, want, 5 * error + 1e-9) << i;
  }
}

TEST(Choose, SeesEveryTokenOfEveryAnswerAndDecidesIt) {
  std::vector<std::vector<std::int64_t>> seen(prompts().size());
  GenerateOptions options{.max_new_tokens = 5, .max_batch = 3};
  options.choose = [&](const TokenChoice& choice, Tensor logits) {
    const auto& [place, rows, under] = choice;
    EXPECT_EQ(logits.size(0), static_cast<std::int64_t>(rows.size()));
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
    Tensor only = at::full_like(logits, -std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      seen[static_cast<std::size_t>(rows[i])].push_back(place);
      only[static_cast<std::int64_t>(i)][10 * rows[i] % 60 + place] = 0;
    }
    return only;
  };
  const auto rows = answers(options);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto first = static_cast<std::int32_t>(10 * r % 60);
    EXPECT_EQ(rows[r], (Ids{first, first + 1, first + 2, first + 3, first + 4})) << r;
    EXPECT_EQ(seen[r], (std::vector<std::int64_t>{0, 1, 2, 3, 4})) << r;
  }
}

TEST(Choose, LogitsUnderOtherWeightsAreThoseOfAModelThatHasThem) {
  NamedTensors turned = varied_decoder().parameters();
  for (auto& [name, tensor] : turned) tensor = tensor.flip(0);
  const Decoder other(varied_decoder().config(), turned);
  const auto most_likely = [](const Decoder& decoder) {
    std::vector<Ids> out;
    for (auto& row : generate(decoder, prompts(), {.max_new_tokens = 4}).rows)
      out.push_back(std::move(row.ids));
    return out;
  };
  GenerateOptions options{.max_new_tokens = 4, .max_batch = 3};
  options.choose = [&](const TokenChoice& choice, const Tensor& logits) {
    // None named: a pass over the whole texts finds what the kept keys and values give.
    EXPECT_TRUE(at::allclose(choice.under({}), logits, 1e-4, 1e-4)) << choice.place;
    return choice.under(other.parameters());
  };
  EXPECT_EQ(answers(options), most_likely(other));
  EXPECT_NE(answers(options), most_likely(varied_decoder()));
  options.choose = [](const TokenChoice& choice, const Tensor&) {
    return choice.under({{"no.such.weight", at::zeros({1})}});
  };
  EXPECT_HAS(message_of<DataError>([&] { answers(options); }), "no.such.weight");
}

TEST(Choose, WhatIsNoLogitsIsRefused) {
  const auto message = [](auto&& choose) {
    GenerateOptions options{.max_new_tokens = 2};
    options.choose = choose;
    return message_of<RunError>([&] { answers(options); });
  };
  EXPECT_HAS(message([](const TokenChoice&, Tensor x) { return x.narrow(1, 0, 3); }),
             "must give logits");
  EXPECT_HAS(message([](const TokenChoice&, Tensor x) { return at::full_like(x, std::nan("")); }),
             "without NaN");
  GenerateOptions options = drawn(1);
  options.streams.pop_back();
  EXPECT_HAS(message_of<UsageError>([&] { answers(options); }),
             "want a random stream per prompt (7), got 6");
}

}  // namespace
}  // namespace seawall::sampling_test
