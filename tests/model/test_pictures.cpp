// Rows with pictures against the same rows with the pictures' embeddings written into an enlarged
// embedding table.
#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using testing::Composite;
using testing::gradients;
using testing::largest_difference;
using testing::random_row;
using testing::small_config;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t row_count = 6;  // of two pictures with three positions each
constexpr std::int64_t vocabulary = 61;

/// The decoder, and one whose table holds the pictures' rows after its own. Heads are untied.
struct Pair {
  Decoder plain, large;
  Tensor embeddings;  // [R,C]
};

Pair make_pair(at::ScalarType type = at::kDouble) {
  auto config = small_config(4, 2, false);
  const Decoder plain = testing::small_decoder(config, type);
  Tensor embeddings = at::linspace(-1, 1, row_count * config.hidden_size, at::TensorOptions(type))
                          .sin_()
                          .view({row_count, config.hidden_size});
  NamedTensors weights = plain.parameters();
  weights.front().tensor = at::cat({plain.embedding(), embeddings});
  weights.back().tensor =
      at::cat({plain.head(), at::zeros({row_count, config.hidden_size}, at::TensorOptions(type))});
  config.vocab_size += row_count;
  return {plain, Decoder(config, weights), embeddings};
}

/// Rows with picture 0, 0, 1, none; the first two share more than the picture.
std::vector<Sequence> rows() {
  std::mt19937 random(3);
  const auto show = [&](Ids before, std::int32_t picture, int after) {
    auto row = random_row(random, std::move(before), 2);
    for (std::int32_t i = 0; i < 3; ++i) {
      row.ids.push_back(-1 - (picture * 3 + i));
      row.loss.push_back(0);
    }
    auto grown = random_row(random, row.ids, after);
    for (std::size_t t = 0; t < grown.ids.size(); ++t)
      if (grown.ids[t] < 0 || t <= row.ids.size()) grown.loss[t] = 0;
    return grown;
  };
  std::vector<Sequence> out{show({5, 9, 11, 30}, 0, 7)};
  Sequence second = out[0];
  second.ids.resize(12);
  second.loss.resize(12);
  second.ids.push_back(44);
  second.loss.push_back(1);
  out.push_back(second);
  out.push_back(show({5, 9, 11, 30}, 1, 5));
  out.push_back(random_row(random, {5, 9, 11, 30}, 6));
  return out;
}

/// The same rows by ids of the enlarged table.
std::vector<Sequence> enlarged(std::vector<Sequence> all) {
  for (auto& row : all)
    for (auto& id : row.ids)
      if (id < 0) id = static_cast<std::int32_t>(vocabulary - 1 - id);
  return all;
}

TEST(Pictures, LossesAndGradientsAreThoseOfAnEnlargedTable) {
  for (const bool composite : {false, true}) {
    std::optional<Composite> path;
    if (composite) path.emplace();
    auto [plain, large, embeddings] = make_pair();
    embeddings.requires_grad_(true);
    const auto plan = plan_batch(rows(), at::kCPU, {.embeddings = embeddings});
    const auto want_plan = plan_batch(enlarged(rows()), at::kCPU);
    EXPECT_EQ(plan.tokens, want_plan.tokens);
    EXPECT_LT(plan.tokens, plan.real_tokens);
    // The plain head over both streams: an enlarged one would have more to choose from.
    const auto losses = [&](const Decoder& decoder, const BatchPlan& p) {
      return plain.loss(decoder.hidden(p), p, LossMode::per_token);  // [N], by row
    };
    EXPECT_LT(largest_difference(losses(plain, plan), losses(large, want_plan)), 1e-12);
    const auto got = gradients(plain, [&] { return losses(plain, plan).pow(2).sum(); });
    const auto want = gradients(large, [&] { return losses(large, want_plan).pow(2).sum(); });
    EXPECT_LT(largest_difference(got[0], want[0].narrow(0, 0, vocabulary)), 1e-9);
    EXPECT_LT(largest_difference(embeddings.grad(), want[0].narrow(0, vocabulary, row_count)),
              1e-9);
    EXPECT_GT(embeddings.grad().abs().max().item<double>(), 1e-3);
    for (std::size_t i = 1; i + 2 < got.size(); ++i)
      EXPECT_LT(largest_difference(got[i], want[i]), 1e-9) << plain.parameters()[i].name;
  }
}

TEST(Pictures, TheFasterLossSeesThem) {
  auto [plain, large, embeddings] = make_pair();
  const auto plan = plan_batch(rows(), at::kCPU, {.embeddings = embeddings});
  const auto slow = plain.loss(plain.hidden(plan), plan, LossMode::fused).item<double>();
  EXPECT_NEAR(plain.loss(plan, LossMode::fused).item<double>(), slow, 1e-12);
  const auto other = plan_batch(rows(), at::kCPU, {.embeddings = embeddings.flip(0)});
  EXPECT_GT(std::abs(plain.loss(other, LossMode::fused).item<double>() - slow), 1e-6);
}

TEST(Pictures, AFrozenDecoderStillPassesGradientsToThem) {
  auto [plain, large, embeddings] = make_pair();
  plain.set_requires_grad(false);
  Tensor projector = at::eye(24, at::kDouble).requires_grad_(true);
  const auto plan = plan_batch(rows(), at::kCPU, {.embeddings = at::matmul(embeddings, projector)});
  plain.loss(plan, LossMode::fused).backward();
  ASSERT_TRUE(projector.grad().defined());
  // By differences in one place.
  const double h = 1e-5;
  const auto loss_at = [&](double by) {
    Tensor moved = projector.detach().clone();
    moved[2][7] += by;
    return plain
        .loss(plan_batch(rows(), at::kCPU, {.embeddings = at::matmul(embeddings, moved)}),
              LossMode::fused)
        .item<double>();
  };
  EXPECT_NEAR(projector.grad()[2][7].item<double>(), (loss_at(h) - loss_at(-h)) / (2 * h), 1e-7);
}

TEST(Pictures, AnswersAreThoseOfAnEnlargedTable) {
  const auto [plain, large, embeddings] = make_pair();
  std::vector<Ids> prompts, want_prompts;
  for (const auto& row : rows()) prompts.push_back(row.ids);
  for (const auto& row : enlarged(rows())) want_prompts.push_back(row.ids);
  for (const bool composite : {false, true}) {
    std::optional<Composite> path;
    if (composite) path.emplace();
    const auto got =
        generate(plain, prompts, {.max_new_tokens = 9, .embeddings = embeddings, .residual = true});
    const auto want = generate(large, want_prompts, {.max_new_tokens = 9, .residual = true});
    EXPECT_LT(largest_difference(got.residual, want.residual), 1e-6);
    // Ids that only the large table has get the logit 0, which never wins here.
    for (std::size_t p = 0; p < prompts.size(); ++p)
      EXPECT_EQ(got.rows[p].ids, want.rows[p].ids) << p;
    const auto blind =
        generate(plain, prompts, {.max_new_tokens = 9, .embeddings = at::zeros_like(embeddings)});
    EXPECT_NE(blind.rows[0].ids, got.rows[0].ids);
    EXPECT_EQ(blind.rows[3].ids, got.rows[3].ids);
  }
}

TEST(Pictures, APlanWithoutThemIsWhatItWas) {
  const auto [plain, large, embeddings] = make_pair(at::kFloat);
  const auto row = rows()[3];
  const auto bare = plan_batch({row}, at::kCPU),
             with = plan_batch({row}, at::kCPU, {.embeddings = embeddings});
  EXPECT_FALSE(bare.picture_tokens.defined());
  EXPECT_FALSE(with.picture_tokens.defined());
  EXPECT_FALSE(with.embeddings.defined());
  EXPECT_TRUE(at::equal(plain.hidden(bare), plain.hidden(with)));
}

TEST(Pictures, EqualPicturesShareTheirPrefix) {
  const auto [plain, large, embeddings] = make_pair();
  const Sequence a{{7, -1, -2, -3, 8, 9}, {}}, b{{7, -1, -2, -3, 8, 10}, {}},
      c{{7, -4, -5, -6, 8, 9}, {}}, ends{{7, -1, -2, -3}, {}};
  EXPECT_EQ(plan_batch({a, b}, at::kCPU, {.embeddings = embeddings}).tokens, 7);
  EXPECT_EQ(plan_batch({a, c}, at::kCPU, {.embeddings = embeddings}).tokens, 12);
  // A row that ends where another one's picture with id -1 begins is no prefix with a picture.
  const auto plan = plan_batch({{{7, 5, 5, 5}, {}}, {{7, 5, 5, 5, -1, 9}, {}}, ends}, at::kCPU,
                               {.embeddings = embeddings});
  EXPECT_EQ(plan.tokens, 10);
  EXPECT_EQ(plan.picture_tokens.size(0), 4);
}

TEST(Pictures, ErrorsNameTheRow) {
  const auto [plain, large, embeddings] = make_pair();
  const auto message = [&](const Sequence& row, const Tensor& with) {
    try {
      plan_batch({{{1, 2}, {}}, row}, at::kCPU, {.embeddings = with});
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message({{1, -1}, {}}, {})
                .find("row 1: id -1 is row 0 of a picture's embeddings, "
                      "there are 0"),
            std::string::npos);
  EXPECT_NE(message({{1, -7}, {}}, embeddings).find("id -7 is row 6"), std::string::npos);
  EXPECT_NE(message({{1, -1}, {0, 1}}, embeddings).find("cannot be a target"), std::string::npos);
  const auto plan = plan_batch({{{1, -1}, {}}}, at::kCPU, {.embeddings = at::zeros({2, 5})});
  EXPECT_THROW(plain.hidden(plan), UsageError);
  EXPECT_THROW(generate(plain, {Ids{1, -3}}, {.embeddings = at::zeros({2, 24}, at::kDouble)}),
               UsageError);
}

}  // namespace
}  // namespace seawall
