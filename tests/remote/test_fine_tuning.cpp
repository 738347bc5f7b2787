#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/remote/fine_tuning.hpp"
#include "seawall/remote/moderation.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

TEST(FineTuning, AJobIsReadAndWhatIsMissingIsNamed) {
  const TuningJob job = parse_job(
      R"({"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:x",
          "trained_tokens": 12})");
  EXPECT_EQ(job.id, "ftjob-1");
  EXPECT_EQ(job.model, "ft:x");
  EXPECT_EQ(job.trained_tokens, 12);
  EXPECT_TRUE(job.ended());
  EXPECT_FALSE(parse_job(R"({"id": "a", "status": "validating_files"})").ended());
  const TuningJob failed =
      parse_job(R"({"id": "a", "status": "failed", "error": {"message": "too\nfew rows"}})");
  EXPECT_TRUE(failed.ended());
  EXPECT_EQ(failed.error, "too few rows");
  // Other providers' words for the same ends.
  EXPECT_EQ(parse_job(R"({"id": "a", "status": "SUCCESS"})").status, "succeeded");
  EXPECT_EQ(parse_job(R"({"id": "a", "status": "canceled"})").status, "cancelled");
  EXPECT_EQ(parse_job(R"({"id": "a", "status": "user_error"})").status, "failed");
  for (const char* waits : {"paused", "queued", "QUEUED", "pending", "something new"})
    EXPECT_FALSE(parse_job(R"({"id": "a", "status": ")" + std::string(waits) + "\"}").ended());
  for (const char* bad :
       {"", "[]", "{}", R"({"id": 7, "status": "failed"})", R"({"id": "a"})",
        R"({"id": "a/../b", "status": "failed"})", R"({"id": "", "status": "x"})"})
    EXPECT_THROW(parse_job(bad), DataError) << bad;
}

TEST(FineTuning, AFileIsThereOrWaitedForOrFailed) {
  const auto file = [](const std::string& rest) {
    return parse_file("{\"id\": \"f\"" + rest + "}");
  };
  EXPECT_TRUE(file(R"(, "status": "uploaded")").waits());
  EXPECT_TRUE(file(R"(, "status": "processing")").waits());
  for (const char* there : {"", R"(, "status": "processed")", R"(, "status": null)"}) {
    EXPECT_FALSE(file(there).waits()) << there;
    EXPECT_FALSE(file(there).failed()) << there;
  }
  const auto bad = file(R"(, "status": "error", "status_details": "row 3 has no user turn")");
  EXPECT_TRUE(bad.failed());
  EXPECT_EQ(bad.error, "row 3 has no user turn");
}

TEST(FineTuning, EventsKeepWhatTheyMeasure) {
  bool more = false;
  const auto events = parse_events(
      R"({"has_more": true, "data": [
        {"id": "e2", "message": "Step 1", "data": {"step": 1, "train_loss": 0.5}},
        {"id": "e1", "message": "Created\u001b[2J", "data": {"step": 2}},
        {"id": "../x", "message": "an id that would leave its path"}, 7]})",
      more);
  EXPECT_TRUE(more);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].step, 1);
  EXPECT_DOUBLE_EQ(events[0].loss, 0.5);
  EXPECT_EQ(events[1].step, 0) << "a step without a loss measures nothing";
  EXPECT_EQ(events[1].message, "Created [2J") << "nothing that steers a terminal";
  EXPECT_THROW(parse_events("{}", more), DataError);
}

TEST(Moderation, AnswersAreReadOrSayWhatIsMissing) {
  const auto said = parse_moderation(
      R"({"results": [{"flagged": true, "category_scores": {"a": 0.2, "b": 0.9}},
                      {"flagged": false}]})",
      2);
  EXPECT_TRUE(said[0].flagged);
  EXPECT_DOUBLE_EQ(said[0].score, 0.9);
  EXPECT_FALSE(said[1].flagged);
  EXPECT_DOUBLE_EQ(said[1].score, 0);
  for (const char* bad :
       {"", "{}", R"({"results": [{}, {}]})", R"({"results": [{"flagged": true}]})",
        R"({"results": [{"flagged": 1}, {"flagged": true}]})", R"({"results": 3})"})
    EXPECT_THROW(parse_moderation(bad, 2), DataError) << bad;
}

TEST(Moderation, TheSystemPromptIsNotSent) {
  const Example row{
      .dialogue = {
          .messages = {{Role::system, "secret"}, {Role::user, "ask"}, {Role::assistant, "say"}}}};
  EXPECT_EQ(moderated_text(row), "ask\n\nsay");
}

}  // namespace
}  // namespace seawall
