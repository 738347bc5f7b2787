#include "seawall/model/generate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "seawall/core/error.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using testing::random_row;
using testing::small_config;
using testing::small_decoder;
using Ids = std::vector<std::int32_t>;
/// Answers of an untied head vary from token to token; a tied one repeats itself at random weights.
Decoder varied_decoder() { return small_decoder(small_config(4, 2, false)); }
using Prompts = std::vector<Ids>;

Prompts prompts() {
  std::mt19937 random(2);
  const auto root = random_row(random, {}, 10).ids;
  Prompts out = {root,
                 random_row(random, root, 6).ids,
                 random_row(random, root, 1).ids,
                 random_row(random, {}, 3).ids,
                 random_row(random, {}, 1).ids,
                 random_row(random, root, 45).ids};
  out.push_back(out[1]);
  return out;
}

/// Argmax decoding by running the whole row again for every token.
Ids reference(const Decoder& decoder, Ids ids, std::int64_t count) {
  const auto prompt = ids.size();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto rows = decoder.logits(testing::reference_hidden(decoder, ids));
    ids.push_back(static_cast<std::int32_t>(rows[-1].argmax().item<std::int64_t>()));
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end()};
}

void expect_reference(const Decoder& decoder, const GenerateOptions& options) {
  const auto all = prompts();
  const auto result = generate(decoder, all, options);
  ASSERT_EQ(result.rows.size(), all.size());
  for (std::size_t p = 0; p < all.size(); ++p) {
    EXPECT_EQ(result.rows[p].ids, reference(decoder, all[p], options.max_new_tokens))
        << "prompt " << p;
    EXPECT_FALSE(result.rows[p].finished);
  }
}

TEST(Generate, EqualsTheFullForwardPass) {
  expect_reference(varied_decoder(), {.max_new_tokens = 40});
}
TEST(Generate, EqualsTheFullForwardPassInSmallBatches) {
  expect_reference(small_decoder(small_config(6, 3, false)), {.max_new_tokens = 5, .max_batch = 2});
}
TEST(Generate, CompositeEqualsTheFullForwardPass) {
  const testing::Composite path;
  expect_reference(varied_decoder(), {.max_new_tokens = 12});
}

TEST(Generate, EveryFamilyEqualsItsFullForwardPass) {
  for (const auto& config : testing::family_configs())
    for (bool composite : {false, true}) {
      SCOPED_TRACE(std::string(config.family->type) + (composite ? ", composite" : ""));
      std::optional<testing::Composite> path;
      if (composite) path.emplace();
      expect_reference(small_decoder(config), {.max_new_tokens = 20});
    }
}
// Windows that end within a prompt's runs, at their seams, within pages of new tokens and between.
TEST(Generate, EveryWindow) {
  auto config = small_config(4, 2, false);
  config.family = &family_of("mistral");
  for (std::int64_t window : {1, 2, 6, 9, 10, 11, 16, 17, 33, 60, 1000}) {
    SCOPED_TRACE(window);
    config.sliding_window = window;
    expect_reference(small_decoder(config), {.max_new_tokens = 37});
  }
}

TEST(Generate, StopsRowsAtTheirStopIds) {
  const auto decoder = varied_decoder();
  const auto all = prompts();
  const auto free = generate(decoder, all, {.max_new_tokens = 30});
  const auto stop = free.rows[1].ids[4];
  std::int64_t done = 0, tokens = 0;
  GenerateOptions options{.max_new_tokens = 30, .stop_ids = {stop}};
  options.progress = [&](std::int64_t d, std::int64_t t) {
    EXPECT_GE(d, done);
    done = d;
    tokens = t;
  };
  const auto stopped = generate(decoder, all, options);
  std::int64_t made = 0;
  for (std::size_t p = 0; p < all.size(); ++p) {
    auto want = free.rows[p].ids;
    const auto at = std::find(want.begin(), want.end(), stop);
    EXPECT_EQ(stopped.rows[p].finished, at != want.end());
    made += (at - want.begin()) + (at != want.end());
    want.erase(at, want.end());
    EXPECT_EQ(stopped.rows[p].ids, want) << "prompt " << p;
  }
  EXPECT_TRUE(stopped.rows[1].finished);
  EXPECT_EQ(done, static_cast<std::int64_t>(all.size()));
  EXPECT_EQ(tokens, made);
}

TEST(Generate, ResidualIsTheStreamAtTheLastPromptToken) {
  const auto decoder = varied_decoder();
  const auto all = prompts();
  for (bool composite : {false, true}) {
    if (composite) set_compute_path(ComputePath::composite);
    for (std::int64_t tokens : {0, 3}) {
      const auto result =
          generate(decoder, all, {.max_new_tokens = tokens, .max_batch = 4, .residual = true});
      ASSERT_EQ(result.residual.sizes(), (at::IntArrayRef{7, 4, 24}));
      EXPECT_EQ(result.residual.scalar_type(), at::kFloat);
      for (std::size_t p = 0; p < all.size(); ++p) {
        const auto row = result.residual[static_cast<std::int64_t>(p)];
        EXPECT_LT(
            testing::largest_difference(row[3], testing::reference_hidden(decoder, all[p])[-1]),
            1e-5);  // kept as fp32
        EXPECT_LT(testing::largest_difference(row[0], decoder.embedding()[all[p].back()]), 1e-6);
      }
      EXPECT_EQ(static_cast<std::int64_t>(result.rows[0].ids.size()), tokens);
    }
    set_compute_path(ComputePath::fused);
  }
}

TEST(Generate, EditsActInPrefillAndDecode) {
  const auto decoder = varied_decoder();
  const auto all = prompts();
  Tensor direction = at::linspace(-1, 2, 24, at::kDouble);
  direction = direction / direction.norm();
  GenerateOptions options{.max_new_tokens = 6};
  options.edit = [&](const TapPoint&, const Tensor& x) {
    return x - at::outer(x.mv(direction), direction);
  };
  const auto fused = generate(decoder, all, options);
  const auto plain = generate(decoder, all, {.max_new_tokens = 6});
  // The same by full forward passes with the edit.
  ForwardHooks hooks{.edit = options.edit, .wants = {}, .take = {}};
  Ids ids = all[1];
  for (int i = 0; i < 6; ++i) {
    const auto plan = plan_batch({{ids, {}}}, at::kCPU);
    ids.push_back(static_cast<std::int32_t>(
        decoder.logits(decoder.hidden(plan, hooks))[-1].argmax().item<std::int64_t>()));
  }
  EXPECT_EQ(fused.rows[1].ids, Ids(ids.end() - 6, ids.end()));
  EXPECT_NE(fused.rows[1].ids, plain.rows[1].ids);
  EXPECT_NE(plain.rows[1].ids, plain.rows[0].ids);
  options.edit = [](const TapPoint&, const Tensor& x) { return x; };
  EXPECT_EQ(generate(decoder, all, options).rows[1].ids, plain.rows[1].ids);
}

TEST(Generate, StopsAtTheLastPosition) {
  auto config = small_config();
  config.max_position_embeddings = 12;
  const auto decoder = small_decoder(config);
  const auto result =
      generate(decoder, {Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Ids{1}}, {.max_new_tokens = 50});
  EXPECT_EQ(result.rows[0].ids.size(), 3u);  // the last token needs no position of its own
  EXPECT_EQ(result.rows[1].ids.size(), 12u);
  EXPECT_FALSE(result.rows[0].finished);
}

TEST(Generate, Bf16Runs) {
  const auto decoder = small_decoder(small_config(), at::kBFloat16);
  const auto result = generate(decoder, prompts(), {.max_new_tokens = 4, .residual = true});
  for (const auto& row : result.rows) EXPECT_EQ(row.ids.size(), 4u);
  EXPECT_TRUE(result.residual.isfinite().all().item<bool>());
}

TEST(Generate, ErrorsSayWhichPrompt) {
  auto config = small_config();
  config.max_position_embeddings = 4;
  const auto decoder = small_decoder(config);
  auto message = [&](const Prompts& p) {
    try {
      generate(decoder, p, {});
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message({{1}, {}}), "generate: prompt 1 is empty");
  EXPECT_NE(message({{1, 2, 3, 4, 5}})
                .find("prompt 0: want at most max_position_embeddings=4 tokens, got 5"),
            std::string::npos);
  EXPECT_NE(message({{1, 61}}).find("token 61 is outside the vocabulary of 61"), std::string::npos);
  EXPECT_TRUE(generate(decoder, {}, {}).rows.empty());
}

TEST(Generate, OutputsThatAreNotFiniteNameWhatMadeThemSo) {
  Decoder decoder = varied_decoder();
  NamedTensors weights = decoder.parameters();
  const auto down =
      std::ranges::find(weights, "model.layers.1.mlp.down_proj.weight", &NamedTensor::name);
  down->tensor = down->tensor.clone();
  down->tensor.view({-1})[3] = std::numeric_limits<double>::quiet_NaN();
  const Decoder broken(decoder.config(), weights);
  const auto message = [](const Decoder& decoder, const GenerateOptions& options) -> std::string {
    try {
      generate(decoder, prompts(), options);
    } catch (const RunError& error) {
      return error.what();
    }
    return "";
  };
  const auto weight = message(broken, {.max_new_tokens = 4});
  EXPECT_NE(weight.find("tensor model.layers.1.mlp.down_proj.weight has 1 value"),
            std::string::npos)
      << weight;
  // All weights finite, and the stream overflows in a block.
  weights = decoder.parameters();
  for (auto& [name, tensor] : weights)
    if (name == "model.layers.1.mlp.gate_proj.weight" ||
        name == "model.layers.1.mlp.up_proj.weight")
      tensor = at::full_like(tensor, 1e200);
  const auto block = message(Decoder(decoder.config(), weights), {.max_new_tokens = 4});
  EXPECT_NE(block.find("the output of block 1"), std::string::npos) << block;
}

}  // namespace
}  // namespace seawall
