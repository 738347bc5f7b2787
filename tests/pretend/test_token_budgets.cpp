// What a generated token may cost on a device, counted on the pretended one: launches, bytes,
// memory, and the times that the host waits.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "tests/pretend/tiny_there.hpp"

namespace seawall {
namespace {

using pretend::Counts;
using pretend::there;
using namespace testing;

/// Of answers of ten and of twenty tokens, greedy or drawn; `graphs`: whether steps are captured.
std::array<Counts, 2> counted_answers(double temperature, bool graphs) {
  const Decoder decoder = on_device(tiny_config());
  std::array<Counts, 2> out;
  for (const std::size_t i : {0u, 1u}) {
    GenerateOptions options{.max_new_tokens = 10 + 10 * static_cast<std::int64_t>(i)};
    options.temperature = temperature;
    options.top_p = 0.9;
    options.streams.assign(3, Rng(1));
    if (!graphs) options.edit = [](const TapPoint&, const Tensor& x) { return x; };
    pretend::reset();
    generate(decoder, {{3, 4, 5}, {6, 7, 8, 9}, {1}}, options);
    out[i] = pretend::counts();
  }
  return out;
}

TEST(TokenBudget, NothingWaitsForAToken) {
  for (const double temperature : {0.0, 0.8})
    for (const bool graphs : {false, true}) {
      if (graphs && !pretend::has_graphs) continue;
      SCOPED_TRACE(::testing::Message() << temperature << (graphs ? " captured" : " launched"));
      const auto [ten, twenty] = counted_answers(temperature, graphs);
      EXPECT_EQ(twenty.syncs, 0);
      EXPECT_EQ(twenty.uploads, ten.uploads);
      EXPECT_EQ(twenty.later, 20);  // the ids, read behind
      const auto launches = (twenty.sum().launches - ten.sum().launches) / 10;
      RecordProperty(
          std::string(temperature > 0 ? "drawn" : "greedy") + (graphs ? "_captured" : "_launched"),
          static_cast<int>(launches));
      if (graphs) {
        EXPECT_EQ(launches, 0);
        EXPECT_EQ(twenty.replays - ten.replays, 10);
      } else {
        EXPECT_LE(launches, temperature > 0 ? 110 : 90);
        EXPECT_EQ(twenty.replays, 0);
      }
    }
}

TEST(TokenBudget, LaunchesABlockOfAToken) {
  const auto launches = [](std::int64_t layers) {
    const Decoder decoder = on_device(of_layers(layers));
    std::int64_t all[2];
    for (const int i : {0, 1}) {
      GenerateOptions options{.max_new_tokens = 10 + i};
      options.edit = [](const TapPoint&, const Tensor& x) { return x; };
      pretend::reset();
      generate(decoder, {{3, 4, 5}, {6, 7}}, options);
      all[i] = pretend::counts().sum().launches;
    }
    return all[1] - all[0];
  };
  const auto block = launches(3) - launches(2);
  RecordProperty("launches_a_block", static_cast<int>(block));
  EXPECT_LE(block, 17);
}

TEST(TokenBudget, ATokenCopiesNoKeysThatAreKept) {
  const Decoder decoder = on_device(tiny_config());
  // Besides attention and the append, which are given all places but touch those they need.
  const auto bytes = [&](std::int64_t places, std::size_t tokens) {
    GenerateOptions options{.max_new_tokens = places};
    options.edit = [](const TapPoint&, const Tensor& x) { return x; };
    options.ends = [=](std::span<const std::int32_t>, std::span<const std::int32_t> answer) {
      return answer.size() == tokens;
    };
    pretend::reset();
    generate(decoder, {{3, 4, 5}, {6, 7}}, options);
    std::int64_t sum = 0;
    for (const auto& [name, counted] : pretend::counts().operators)
      if (name != "aten::index_copy.out" && name != "aten::_flash_attention_forward")
        sum += counted.bytes;
    return sum;
  };
  EXPECT_EQ(bytes(50, 20) - bytes(50, 10), bytes(25, 20) - bytes(25, 10));
}

TEST(TokenBudget, ATokenTakesNoMemory) {
  const Decoder decoder = on_device(tiny_config());
  std::vector<std::int64_t> held;
  GenerateOptions options{.max_new_tokens = 40};
  options.progress = [&](std::int64_t, std::int64_t) { held.push_back(pretend::bytes_held()); };
  generate(decoder, {{3, 4, 5}, {6, 7, 8, 9}, {1}}, options);
  // The first tokens launch a step and capture one.
  for (std::size_t t = 4; t + 2 < held.size(); ++t) EXPECT_EQ(held[t], held[3]) << t;
}

TEST(TokenBudget, KeysOfAnswersTakeMostOfALargeCard) {
  const double gib = 1 << 30;
  for (const auto& [size, share] : {std::pair(16.0, 0.7), {20.0, 0.7}, {140.0, 0.9 - 4 / 140.0}}) {
    const auto memory = static_cast<std::int64_t>(size * gib) + pretend::bytes_held();
    pretend::count_only(static_cast<std::size_t>(memory));
    EXPECT_NEAR(static_cast<double>(cache_budget(there)), share * size * gib, 2);
  }
  pretend::compute_all();
}

TEST(TokenBudget, ScaledRotaryPositionsAreMadeOnce) {
  LlamaConfig config = tiny_config();
  config.rope_scaling = {.type = RopeScaling::Type::llama3, .factor = 8};
  const Decoder decoder = on_device(config);
  generate(decoder, {{3, 4, 5}}, {.max_new_tokens = 2});
  std::int64_t uploads[2];
  for (const int i : {0, 1}) {
    pretend::reset();
    generate(decoder, {{3, 4, 5}}, {.max_new_tokens = 4 + 4 * i});
    uploads[i] = pretend::counts().uploads;
  }
  EXPECT_EQ(uploads[0], uploads[1]);
}

std::vector<std::vector<std::int32_t>> answers(const Decoder& decoder,
                                               const GenerateOptions& options) {
  std::vector<std::vector<std::int32_t>> out;
  for (const auto& row : generate(decoder, {{3, 4, 5}, {6, 7, 8, 9}, {1}, {9, 2}}, options).rows)
    out.push_back(row.ids);
  return out;
}

TEST(TokenBudget, RowsThatEndLeaveTheDeviceAndTheOthersGoOn) {
  const Decoder there_too = on_device(tiny_config(), at::kFloat), here = tiny_decoder();
  const auto whole = answers(here, {.max_new_tokens = 12});
  EXPECT_EQ(answers(there_too, {.max_new_tokens = 12}), whole);
  // Every id that some answer has as a stop: rows end at different places.
  std::set<std::int32_t> ids;
  for (const auto& answer : whole) ids.insert(answer.begin(), answer.end());
  for (const auto id : ids) {
    const GenerateOptions options{.max_new_tokens = 12, .stop_ids = {id}};
    EXPECT_EQ(answers(there_too, options), answers(here, options)) << id;
  }
}

TEST(TokenBudget, WhatIsNotFiniteIsSaidOfATokenToo) {
  LlamaConfig config = tiny_config();
  config.tie_word_embeddings = false;
  const auto count = random_weights(config, 1).size();
  // In a block, in the last norm and in one row of the head.
  for (const std::size_t bad : {std::size_t{3}, count - 2, count - 1})
    for (const double temperature : {0.0, 0.8}) {
      NamedTensors weights = random_weights(config, 1);
      SCOPED_TRACE(weights[bad].name);
      weights[bad].tensor.view(-1)[0].fill_(std::nan(""));
      for (auto& [name, tensor] : weights) tensor = tensor.to(there);
      const Decoder decoder(config, weights);
      GenerateOptions options{.max_new_tokens = 4};
      options.temperature = temperature;
      options.streams.assign(4, Rng(1));
      try {
        answers(decoder, options);
        FAIL() << "want an error";
      } catch (const RunError& error) {
        EXPECT_NE(std::string(error.what()).find(weights[bad].name), std::string::npos)
            << error.what();
      }
    }
}

}  // namespace
}  // namespace seawall
