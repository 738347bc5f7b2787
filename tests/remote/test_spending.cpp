#include <gtest/gtest.h>

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/remote/reply_cache.hpp"
#include "seawall/remote/spending.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

TEST(Spending, PromisesAndChargesStayWithinTheBudget) {
  Spending spending(1.0);
  EXPECT_TRUE(spending.reserve(0.6));
  EXPECT_FALSE(spending.reserve(0.6));
  spending.release(0.6);
  spending.charge("answers", 0.3, {.in = 10, .out = 5});
  EXPECT_TRUE(spending.reserve(0.6));
  EXPECT_FALSE(spending.reserve(0.2));
  spending.charge("answers", 0.1, {.in = 1, .out = 1});
  EXPECT_DOUBLE_EQ(spending.spent(), 0.4);
  EXPECT_EQ(spending.accounts().at("answers").tokens_in, 11);
  EXPECT_EQ(spending.accounts().at("answers").requests, 2);
  // Ten tenths are one, though their sum in binary is not.
  Spending tenths(1.0);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(tenths.reserve(0.1)) << i;
  EXPECT_FALSE(tenths.reserve(0.1));
  EXPECT_TRUE(Spending().reserve(1e9)) << "no budget, no bound";
}

TEST(Spending, ChargesAreToldAndRestoredOnesAreNot) {
  int told = 0;
  Spending spending(1.0);
  spending.on_charge = [&](const std::string& purpose, const Spending::Account& change) {
    EXPECT_EQ(purpose, "training");
    EXPECT_DOUBLE_EQ(change.usd, 0.25);
    ++told;
  };
  spending.restore("training", {.usd = 0.5, .tokens_in = 3, .tokens_out = 0, .requests = 1});
  spending.charge("training", 0.25, {});
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(spending.reserve(0.3));
}

TEST(Spending, PricesAreAMillionTokens) {
  EXPECT_DOUBLE_EQ((Price{.in = 2, .out = 8}.of({.in = 500'000, .out = 250'000})), 3.0);
}

TEST(Spending, TokensAreEstimatedHigh) {
  EXPECT_EQ(tokens_about(""), 0);
  // 44 characters; byte-pair tokenizers make 9 or 10 of it.
  EXPECT_GE(tokens_about("The quick brown fox jumps over the lazy dog."), 12);
  EXPECT_EQ(tokens_about("\xE6\xB8\xAF\xE6\xB8\xAF"), 3) << "two characters of three bytes";
  const Dialogue dialogue{.messages = {{Role::user, "abc"}, {Role::assistant, "abc"}}};
  EXPECT_EQ(tokens_about(dialogue), 3 + 2 * (5 + 1));
}

TEST(ReplyCache, GivesBackWhatItKeptAndNothingElse) {
  const testing::Folder folder;
  const ReplyCache cache(folder.path());
  const std::string key(64, 'a'), other(64, 'b');
  EXPECT_FALSE(cache.find(key));
  cache.keep(key, {.text = "5", .usage = {.in = 7, .out = 1}});
  ASSERT_TRUE(cache.find(key));
  EXPECT_EQ(cache.find(key)->text, "5");
  EXPECT_EQ(cache.find(key)->usage.in, 7);
  EXPECT_FALSE(cache.find(other));
  EXPECT_FALSE(ReplyCache("").find(key));
  EXPECT_NO_THROW(ReplyCache("").keep(key, {}));

  // A changed, cut or exchanged entry counts as absent.
  const auto file = folder.path() / "aa" / (key + ".json");
  const std::string whole = folder.read("aa/" + key + ".json");
  std::filesystem::create_directories(folder.path() / "bb");
  std::filesystem::copy_file(file, folder.path() / "bb" / (other + ".json"));
  EXPECT_FALSE(cache.find(other));
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    folder.write("aa/" + key + ".json", whole.substr(0, size));
    EXPECT_FALSE(cache.find(key)) << size;
  }
  std::string changed = whole;
  changed[changed.find("\"5\"") + 1] = '4';
  folder.write("aa/" + key + ".json", changed);
  EXPECT_FALSE(cache.find(key));
  cache.keep(key, {.text = "3", .usage = {}});
  EXPECT_EQ(cache.find(key)->text, "3");
}

}  // namespace
}  // namespace seawall
