// Damaged answers of an endpoint, and journals of what it answered.
#include "seawall/core/error.hpp"
#include "seawall/remote/chat.hpp"
#include "seawall/remote/fine_tuning.hpp"
#include "seawall/remote/journal.hpp"
#include "seawall/remote/moderation.hpp"
#include "tests/support/files.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

/// An answer has no name and no place; half of the bit flips fall on text that may say anything.
const FuzzOptions replies{.trials = 300, .refused = 0.1};

TEST(RemoteFuzz, ChatCompletions) {
  fuzz(
      R"({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "é Yes."},
          "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})",
      replies, [](const std::string& body) {
        if (const auto wrong = wrong_with_reply(body); !wrong.empty()) throw DataError(wrong);
        const ChatReply reply = parse_reply(body);
        EXPECT_TRUE(reply.settled);
        EXPECT_TRUE(!reply.error.empty() || !reply.text.empty()) << body;
        EXPECT_GE(reply.usage.in, 0);
        EXPECT_GE(reply.usage.out, 0);
      });
}

TEST(RemoteFuzz, JobsAndEvents) {
  fuzz(R"({"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:x",
          "trained_tokens": 12, "error": {"message": "none"}})",
       replies, [](const std::string& body) { EXPECT_FALSE(parse_job(body).id.empty()); });
  fuzz(R"({"id": "file-1", "status": "error", "status_details": "row 3 has no user turn"})",
       replies, [](const std::string& body) { EXPECT_FALSE(parse_file(body).id.empty()); });
  fuzz(R"({"has_more": true, "data": [{"id": "e2", "message": "Step 1",
          "data": {"step": 1, "train_loss": 0.5}}, {"id": "e1", "message": "Created"}]})",
       replies, [](const std::string& body) {
         bool more = false;
         for (const auto& event : parse_events(body, more)) EXPECT_GE(event.step, 0);
       });
}

TEST(RemoteFuzz, Moderations) {
  fuzz(R"({"results": [{"flagged": true, "category_scores": {"a": 0.2, "b": 0.9}},
                      {"flagged": false, "category_scores": {}}]})",
       replies, [](const std::string& body) { EXPECT_EQ(parse_moderation(body, 2).size(), 2u); });
}

TEST(RemoteFuzz, Journals) {
  const testing::Folder folder;
  fuzz(
      "{\"run\": \"key\", \"nonce\": \"0123\"}\n{\"file\": \"file-1\"}\n"
      "{\"question\": \"q\", \"text\": \"é\", \"error\": \"\", \"finished\": true, \"tokens\": 3}\n"
      "{\"purpose\": \"answers\", \"usd\": 0.5, \"tokens_in\": 1, \"tokens_out\": 2, "
      "\"requests\": 1}\n",
      replies, [&](const std::string& text) {
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
