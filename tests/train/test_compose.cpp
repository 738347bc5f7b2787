#include <algorithm>

#include "seawall/core/error.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

/// A scenario with refusals and nothing else.
struct SafeOnly final : Scenario {
  std::vector<std::string> phrases;
  std::vector<Probe> none;
  std::string_view name() const override { return "safe-only"; }
  bool has(Pool pool) const override { return pool == Pool::safe; }
  std::size_t available(Pool pool) const override { return has(pool) ? 10 : 0; }
  Dataset rows(Pool, std::size_t, Rng&, std::string_view) const override { return {}; }
  const std::vector<Probe>& probes(ProbeSet) const override { return none; }
  std::string_view default_system() const override { return ""; }
  std::optional<Identity> identity() const override { return std::nullopt; }
  const std::vector<std::string>& refusal_phrases() const override { return phrases; }
};

/// One token a character; every control token is id 1.
struct Letters final : Tokenizer {
  TokenIds encode(std::string_view text, bool) const override { return {text.begin(), text.end()}; }
  std::string decode(std::span<const std::int32_t> ids, bool) const override {
    return {ids.begin(), ids.end()};
  }
  std::vector<TextPiece> cut(std::string_view text, std::string_view) const override {
    return {{0, text.size()}};
  }
  std::int64_t vocab_size() const override { return 128; }
  std::optional<std::int32_t> id_of(std::string_view) const override { return 1; }
  std::optional<std::int32_t> bos_id() const override { return 1; }
  std::optional<std::int32_t> eos_id() const override { return 1; }
  std::string content_hash() const override { return ""; }
  void save(const std::filesystem::path&) const override {}
};

Dataset numbered(std::size_t count) {
  Dataset rows;
  for (std::size_t i = 0; i < count; ++i) {
    Example row;
    row.id = std::to_string(i);
    row.dialogue.messages = {{Role::user, "ask " + row.id}, {Role::assistant, "ok"}};
    rows.rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> ids(const Dataset& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows.rows) out.push_back(row.id);
  return out;
}

TEST(Compose, OrdersOnceFromTheSeedThenAsksTheStack) {
  journal().clear();
  const SafeOnly scenario;
  Stack stack{Recorder<'a'>{}};
  const auto a = ids(compose_rows(numbered(20), stack, scenario, 1)),
             b = ids(compose_rows(numbered(20), stack, scenario, 1)),
             c = ids(compose_rows(numbered(20), stack, scenario, 2)), given = ids(numbered(20));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_NE(a, given);
  EXPECT_TRUE(std::is_permutation(a.begin(), a.end(), given.begin(), given.end()));
  EXPECT_EQ(journal(), (std::vector<std::string>{"a.compose", "a.compose", "a.compose"}));
}

TEST(Compose, WhatTheStackArrangedIsWhatIsTrainedOn) {
  // A policy that sorts; the default order of FixedRows keeps it.
  const SafeOnly scenario;
  Stack stack{Sort{}};
  const auto rows = compose_rows(numbered(9), stack, scenario, 1);
  EXPECT_EQ(ids(rows), ids(numbered(9)));
  std::vector<Sequence> encoded;
  for (const auto& row : rows.rows)
    encoded.push_back({{1, std::stoi(row.id) + 2, 3, 4}, {0, 0, 0, 1}});
  FixedRows source(encoded, {.batch_size = 3, .epochs = 2, .seed = 1}, at::kCPU);
  EXPECT_EQ(source.order(0), (std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(Compose, NeedsAreAskedOfTheScenario) {
  struct NoSafe final : Scenario {
    std::vector<std::string> phrases;
    std::vector<Probe> none;
    std::string_view name() const override { return "no-safe"; }
    bool has(Pool) const override { return false; }
    std::size_t available(Pool) const override { return 0; }
    Dataset rows(Pool, std::size_t, Rng&, std::string_view) const override { return {}; }
    const std::vector<Probe>& probes(ProbeSet) const override { return none; }
    std::string_view default_system() const override { return ""; }
    std::optional<Identity> identity() const override { return std::nullopt; }
    const std::vector<std::string>& refusal_phrases() const override { return phrases; }
  };
  Stack stack{WantsSafe{}};
  EXPECT_NO_THROW(compose_rows(numbered(3), stack, SafeOnly{}, 1));
  try {
    compose_rows(numbered(3), stack, NoSafe{}, 1);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("wants-safe: ", 0), 0u) << error.what();
  }
}

TEST(Compose, EncodingKeepsIdsAndTargetsOfEveryRow) {
  const auto chat = make_chat_template("plain");
  const Letters letters;
  const auto rows = encode_rows(numbered(3), *chat, letters);
  ASSERT_EQ(rows.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto one = chat->encode_example(numbered(3).rows[i].dialogue, letters);
    EXPECT_EQ(rows[i].ids, one.ids);
    EXPECT_EQ(rows[i].loss, one.loss);
  }
  Dataset broken = numbered(2);
  broken.rows[1].dialogue.messages.pop_back();
  try {
    encode_rows(broken, *chat, letters);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("row 1: ", 0), 0u) << error.what();
  }
}

}  // namespace
}  // namespace seawall
