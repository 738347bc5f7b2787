#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/remote/journal.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::Folder;
using testing::message_of;

TEST(Journal, IsThereFromTheFirstLineOnAndGoesOn) {
  const Folder folder;
  const auto path = folder.path() / "run.remote.jsonl";
  std::string nonce;
  {
    Journal journal(path, "key");
    nonce = journal.nonce();
    EXPECT_FALSE(std::filesystem::exists(path)) << "nothing was done yet";
    journal.file("file-1");
    journal.job("ftjob-1");
    journal.charge("answers", {.usd = 0.25, .tokens_in = 3, .tokens_out = 4, .requests = 1}, false);
    EXPECT_EQ(folder.read("run.remote.jsonl").find("answers"), std::string::npos)
        << "a charge goes with what it bought";
    journal.answer("q1", {.text = "a\xFF\n", .finished = false, .tokens = 2});
    journal.charge("rubric:m", {.usd = 0.5, .requests = 1}, true);
    journal.tuned("ft:x", 99);
    journal.answer("q2", {.error = "HTTP 400"});
    journal.answer("q4", {.text = "No.", .declined = true});
    EXPECT_TRUE(journal.style().temperature);
    journal.style({.completion_field = true, .temperature = false});
  }
  const Journal again(path, "key");
  EXPECT_EQ(again.nonce(), nonce);
  EXPECT_EQ(again.file_id(), "file-1");
  EXPECT_EQ(again.job_id(), "ftjob-1");
  EXPECT_EQ(again.tuned_model(), "ft:x");
  EXPECT_EQ(again.trained_tokens(), 99);
  ASSERT_EQ(again.answers(), 3u);
  EXPECT_EQ(again.style().text(), "max_completion_tokens, no temperature");
  EXPECT_TRUE(again.style().proven);
  EXPECT_TRUE(again.find("q4")->declined);
  EXPECT_FALSE(again.find("q1")->declined);
  EXPECT_EQ(again.find("q1")->text, "a\xEF\xBF\xBD\n");
  EXPECT_FALSE(again.find("q1")->finished);
  EXPECT_EQ(again.find("q2")->error, "HTTP 400");
  EXPECT_EQ(again.find("q3"), nullptr);
  EXPECT_DOUBLE_EQ(again.accounts().at("answers").usd, 0.25);
  EXPECT_EQ(again.accounts().at("answers").tokens_out, 4);
  EXPECT_DOUBLE_EQ(again.accounts().at("rubric:m").usd, 0.5);
  EXPECT_HAS(message_of<UsageError>([&] { Journal(path, "other"); }), "other options");
  EXPECT_NE(Journal(folder.path() / "b", "key").nonce(), nonce) << "another run, another name";
}

TEST(Journal, CutAnywhereItKeepsItsWholeLinesAndGoesOn) {
  const Folder folder;
  const auto path = folder.path() / "j";
  {
    Journal journal(path, "key");
    journal.file("file-1");
    for (int i = 0; i < 3; ++i) journal.answer("q" + std::to_string(i), {.text = "some text"});
  }
  const std::string whole = folder.read("j");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    folder.write("j", whole.substr(0, size));
    std::size_t lines = 0;
    for (const char c : whole.substr(0, size)) lines += c == '\n';
    Journal cut(path, "key");
    EXPECT_EQ(cut.answers(), lines < 2 ? 0 : lines - 2) << size;
    cut.answer("more", {.text = "x"});
    const Journal again(path, "key");
    EXPECT_EQ(again.answers(), (lines < 2 ? 0 : lines - 2) + 1) << size;
    EXPECT_NE(again.find("more"), nullptr) << size;
  }
}

TEST(Journal, ALineThatIsNotOursIsNamed) {
  const Folder folder;
  const auto path = folder.write("j", "{\"run\": \"key\", \"nonce\": \"n\"}\nnot json\n");
  EXPECT_HAS(message_of<DataError>([&] { Journal(path, "key"); }), "line 2");
  folder.write("j", "{\"run\": \"key\", \"nonce\": \"n\"}\n{\"question\": 5}\n");
  EXPECT_HAS(message_of<DataError>([&] { Journal(path, "key"); }), "line 2");
  folder.write("j", "[]\n");
  EXPECT_HAS(message_of<DataError>([&] { Journal(path, "key"); }), "line 1");
}

}  // namespace
}  // namespace seawall
