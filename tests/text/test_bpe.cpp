#include <algorithm>
#include <random>
#include <thread>

#include "text/bpe_merger.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(Bpe, MergesByRankAndDropsNothing) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  EXPECT_EQ(tokenizer->encode("hello hello"), (TokenIds{259, 260}));
  EXPECT_EQ(tokenizer->encode("hell"), (TokenIds{258}));
  EXPECT_EQ(tokenizer->encode(""), TokenIds{});
  EXPECT_EQ(tokenizer->encode("é"), (TokenIds{0xC3, 0xA9}));
}

TEST(Bpe, ControlLookAlikesStayTextUnlessAsked) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  const auto ids = tokenizer->encode("<|im_end|>");
  EXPECT_EQ(ids.size(), 10u);
  EXPECT_LT(*std::ranges::max_element(ids), 256);
  EXPECT_EQ(tokenizer->encode("<|im_end|>hello<|im_start|>", true), (TokenIds{264, 259, 263}));
  // The longest control token wins.
  EXPECT_EQ(tokenizer->encode("<|im_end|>>", true), (TokenIds{265}));
  EXPECT_EQ(tokenizer->encode("<|im_end|> >", true), (TokenIds{264, ' ', '>'}));
}

TEST(Bpe, AddedTokensThatAreNotControlMatchInAnyText) {
  auto spec = bpe_spec();
  spec.added_ids.push_back(static_cast<std::int32_t>(spec.tokens.size()));
  spec.tokens.emplace_back("[[tab]]");
  const auto tokenizer = make_bpe_tokenizer(spec);
  EXPECT_EQ(tokenizer->encode("a[[tab]]"), (TokenIds{'a', 266}));
}

TEST(Bpe, BytesWithoutATokenAreDroppedAsInHuggingFace) {
  auto spec = bpe_spec();
  spec.tokens[4] = "[UNUSED4]";
  const auto tokenizer = make_bpe_tokenizer(spec);
  EXPECT_EQ(tokenizer->encode("h\x04"
                              "e"),
            (TokenIds{'h', 'e'}));
  EXPECT_EQ(tokenizer->encode("\x04"), TokenIds{});
}

TEST(Bpe, DecodingRepairsCutCharactersAndSkipsControl) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  const TokenIds ids{263, 259, 0xE4, 0xB8, 264};
  EXPECT_EQ(tokenizer->decode(ids), "hello\uFFFD");
  EXPECT_EQ(tokenizer->decode(ids, false), "<|im_start|>hello\uFFFD<|im_end|>");
  EXPECT_EQ(tokenizer->decode(TokenIds{266}), "");  // a row of a padded embedding
  EXPECT_THROW(tokenizer->decode(TokenIds{-1}), UsageError);
}

TEST(Bpe, RepairReplacesEachBrokenSequenceOnce) {
  // As Python's errors="replace" and Rust's from_utf8_lossy do.
  EXPECT_EQ(repair_utf8("a\xF0\x9F\x98z"), "a\uFFFDz");
  EXPECT_EQ(repair_utf8("\xC0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xE4\xB8"), "\uFFFD");
  EXPECT_EQ(repair_utf8("ok é"), "ok é");
}

TEST(Bpe, AWordThatIsATokenIsTakenWholeWhereMergesAreIgnored) {
  auto spec = bpe_spec();
  spec.tokens.emplace_back("xyz");
  EXPECT_EQ(make_bpe_tokenizer(spec)->encode("xyz").size(), 3u);
  spec.ignore_merges = true;
  EXPECT_EQ(make_bpe_tokenizer(spec)->encode("xyz"), (TokenIds{266}));
}

/// The definition: join the best-ranked pair, leftmost first, until none is left.
TokenIds merge_by_definition(TokenIds ids, const MergeTable& table) {
  for (;;) {
    std::size_t best = ids.size();
    auto rank = MergeTable::no_rank;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto merge = table.find(ids[i], ids[i + 1]);
      if (merge.rank < rank) best = i, rank = merge.rank;
    }
    if (rank == MergeTable::no_rank) return ids;
    ids[best] = table.find(ids[best], ids[best + 1]).id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Bpe, ShortAndLongWordsMergeAsDefined) {
  std::mt19937 random(7);
  std::vector<std::string> names{"a", "b", "c"};
  MergeTable table(60);
  for (std::uint32_t rank = 0; rank < 60; ++rank) {
    const auto left = random() % names.size(), right = random() % names.size();
    const auto name = names[left] + names[right];
    auto found = std::ranges::find(names, name) - names.begin();
    if (found == static_cast<std::ptrdiff_t>(names.size())) names.push_back(name);
    table.insert(static_cast<int>(left), static_cast<int>(right), {rank, static_cast<int>(found)});
  }
  for (std::size_t trial = 0; trial < 400; ++trial) {
    TokenIds ids(1 + random() % (trial % 2 == 0 ? 32 : 200));
    for (auto& id : ids) id = static_cast<int>(random() % 3);
    const auto wanted = merge_by_definition(ids, table);
    merge_word(ids, table);
    ASSERT_EQ(ids, wanted) << "trial " << trial;
  }
}

TEST(Bpe, AVeryLongWordTakesNoQuadraticTime) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  const std::string word(1 << 20, 'l');
  EXPECT_EQ(tokenizer->encode(word).size(), word.size() / 2);
}

TEST(Bpe, ThreadsShareATokenizerAndTokenizersShareAThread) {
  const auto one = make_bpe_tokenizer(bpe_spec());
  auto spec = bpe_spec();
  spec.merges.clear();
  const auto other = make_bpe_tokenizer(spec);
  const auto work = [&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(one->encode("hello"), (TokenIds{259}));
      EXPECT_EQ(other->encode("hello").size(), 5u);
    }
  };
  std::thread thread(work);
  work();
  thread.join();
}

TEST(Bpe, WrongSpecsAreRefusedByName) {
  const auto refuse = [](auto&& change) {
    auto spec = bpe_spec();
    change(spec);
    return message_of<DataError>([&] { make_bpe_tokenizer(spec); });
  };
  EXPECT_HAS(refuse([](BpeSpec& s) { s.merges[3] = "hell x y"; }), "merge 3");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.merges[3] = "hello"; }), "merge 3");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.merges[0] = "z z"; }), "merge 0 'z z'");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.tokens[65] = "B"; }), "'B' is there twice");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.special_ids.push_back(9999); }), "control id 9999");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.eos = -3; }), "-3");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.pre_tokenizer = "mpt"; }), "'mpt'");
  EXPECT_HAS(refuse([](BpeSpec& s) { s.tokens.clear(); }), "0 tokens");
  // Ordinary text must not be able to make a control token.
  EXPECT_HAS(refuse([](BpeSpec& s) { s.special_ids.push_back(259); }), "control");
}

TEST(Bpe, TheHashCoversWhatDecidesTheIds) {
  const auto base = make_bpe_tokenizer(bpe_spec())->content_hash();
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(make_bpe_tokenizer(bpe_spec())->content_hash(), base);
  auto spec = bpe_spec();
  std::swap(spec.merges[0], spec.merges[1]);
  EXPECT_NE(make_bpe_tokenizer(spec)->content_hash(), base);
  spec = bpe_spec();
  spec.pre_tokenizer = "gpt-2";
  EXPECT_NE(make_bpe_tokenizer(spec)->content_hash(), base);
  spec = bpe_spec();
  spec.special_ids.pop_back();
  EXPECT_NE(make_bpe_tokenizer(spec)->content_hash(), base);
}

}  // namespace
}  // namespace seawall
