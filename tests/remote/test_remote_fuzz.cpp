// Damaged answers of an endpoint: each either reads, or is refused by an error of ours.
#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>

#include "seawall/core/error.hpp"
#include "seawall/remote/chat.hpp"
#include "seawall/remote/fine_tuning.hpp"
#include "seawall/remote/journal.hpp"
#include "seawall/remote/moderation.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

int trials() {
  const char* wanted = std::getenv("SEAWALL_FUZZ");
  return wanted != nullptr ? std::atoi(wanted) : 300;
}

std::string damaged(const std::string& whole, int trial, std::mt19937& random) {
  if (trial % 3 == 0) return whole.substr(0, random() % whole.size());
  auto bytes = whole;
  const auto flips = 1 + random() % 6;
  for (std::size_t i = 0; i < flips; ++i)
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
  return bytes;
}

/// `read` throws DataError for what it refuses.
void fuzz(const std::string& whole, const std::function<void(const std::string&)>& read) {
  std::mt19937 random(3);
  int refused = 0;
  EXPECT_NO_THROW(read(whole));
  for (int trial = 0; trial < trials(); ++trial) {
    try {
      read(damaged(whole, trial, random));
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, trials() / 10) << "damage went unseen";
}

TEST(RemoteFuzz, ChatCompletions) {
  fuzz(
      R"({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "é Yes."},
          "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})",
      [](const std::string& body) {
        if (const auto wrong = wrong_with_reply(body); !wrong.empty()) throw DataError(wrong);
        const ChatReply reply = parse_reply(body);
        EXPECT_GE(reply.usage.in, 0);
        EXPECT_GE(reply.usage.out, 0);
      });
}

TEST(RemoteFuzz, JobsAndEvents) {
  fuzz(R"({"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:x",
          "trained_tokens": 12, "error": {"message": "none"}})",
       [](const std::string& body) { EXPECT_FALSE(parse_job(body).id.empty()); });
  fuzz(R"({"has_more": true, "data": [{"id": "e2", "message": "Step 1",
          "data": {"step": 1, "train_loss": 0.5}}, {"id": "e1", "message": "Created"}]})",
       [](const std::string& body) {
         bool more = false;
         for (const auto& event : parse_events(body, more)) EXPECT_GE(event.step, 0);
       });
}

TEST(RemoteFuzz, Moderations) {
  fuzz(R"({"results": [{"flagged": true, "category_scores": {"a": 0.2, "b": 0.9}},
                      {"flagged": false, "category_scores": {}}]})",
       [](const std::string& body) { EXPECT_EQ(parse_moderation(body, 2).size(), 2u); });
}

TEST(RemoteFuzz, Journals) {
  const testing_support::Folder folder;
  fuzz(
      "{\"run\": \"key\", \"nonce\": \"0123\"}\n{\"file\": \"file-1\"}\n"
      "{\"question\": \"q\", \"text\": \"é\", \"error\": \"\", \"finished\": true, \"tokens\": 3}\n"
      "{\"purpose\": \"answers\", \"usd\": 0.5, \"tokens_in\": 1, \"tokens_out\": 2, "
      "\"requests\": 1}\n",
      [&](const std::string& text) {
        const auto path = folder.write("j", text);
        try {
          EXPECT_FALSE(Journal(path, "key").nonce().empty());
        } catch (const UsageError& e) {  // another key is another run
          throw DataError(e.what());
        }
      });
}

}  // namespace
}  // namespace seawall
