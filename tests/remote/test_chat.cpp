#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/remote/chat.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

/// A completion with one choice.
ChatReply reply_of(const std::string& message, const std::string& finish = "stop",
                   const std::string& more = "") {
  const std::string body = "{\"choices\": [{\"index\": 0, \"message\": " + message +
                           ", \"finish_reason\": \"" + finish + "\"" + more + "}]}";
  EXPECT_EQ(wrong_with_reply(body), "") << body;
  EXPECT_EQ(passing_error(body), "") << body;
  const ChatReply reply = parse_reply(body);
  EXPECT_TRUE(reply.settled) << body;
  return reply;
}

TEST(Chat, RepliesAreReadOrSayWhatIsWrong) {
  EXPECT_NE(wrong_with_reply("not json"), "");
  EXPECT_NE(wrong_with_reply("[]"), "");
  EXPECT_NE(wrong_with_reply("7"), "");
  const std::string good =
      R"({"choices": [{"message": {"content": "Yes."}, "finish_reason": "length"}],
          "usage": {"prompt_tokens": 7, "completion_tokens": 2}})";
  ASSERT_EQ(wrong_with_reply(good), "");
  const ChatReply reply = parse_reply(good);
  EXPECT_EQ(reply.text, "Yes.");
  EXPECT_TRUE(reply.ok());
  EXPECT_FALSE(reply.finished);
  EXPECT_EQ(reply.usage.in, 7);
  EXPECT_EQ(reply.usage.out, 2);
  EXPECT_EQ(parse_reply(R"({"choices": [{"message": {"content": "a"}}],
                            "usage": {"prompt_tokens": -4}})")
                .usage.in,
            0);
}

TEST(Chat, ARefusalIsOneWhateverComesWithIt) {
  for (const char* message :
       {R"({"content": null, "refusal": "No."})", R"({"content": "", "refusal": "No."})",
        R"({"content": "Take twine.", "refusal": "No."})",
        R"({"content": [{"type": "refusal", "refusal": "No."}]})",
        R"({"content": [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "No."}]})"}) {
    for (const char* finish : {"stop", "content_filter", "length"}) {
      const ChatReply reply = reply_of(message, finish);
      EXPECT_TRUE(reply.declined) << message;
      EXPECT_TRUE(reply.ok()) << message;
      EXPECT_EQ(reply.text, "No.") << message;
    }
  }
  EXPECT_TRUE(reply_of(R"({"content": "I"})", "refusal").declined);
  EXPECT_TRUE(reply_of(R"({"content": "I", "refusal": true})").declined);
  for (const char* none : {"null", "\"\"", "false", "{}"}) {
    const ChatReply reply =
        reply_of(R"({"content": "Yes.", "refusal": )" + std::string(none) + "}");
    EXPECT_FALSE(reply.declined) << none;
    EXPECT_EQ(reply.text, "Yes.") << none;
  }
}

TEST(Chat, WhatWasWithheldIsNoAnswer) {
  for (const char* finish : {"content_filter", "error", "SAFETY", "PROHIBITED_CONTENT", "abort",
                             "sensitive", "ERROR_TOXIC"}) {
    for (const char* content : {"\"\"", "\"Take tw\"", "null"}) {
      const ChatReply reply = reply_of("{\"content\": " + std::string(content) + "}", finish);
      EXPECT_FALSE(reply.ok()) << finish << content;
      EXPECT_FALSE(reply.declined) << finish << content;
      EXPECT_HAS(reply.error, finish);
    }
  }
  EXPECT_HAS(reply_of(R"({"content": "x"})", "error",
                      R"(, "error": {"message": "upstream broke", "code": 502})")
                 .error,
             "upstream broke");
  EXPECT_FALSE(reply_of(R"({"content": "x"})", "stop",
                        R"(, "content_filter_results": {"hate": {"filtered": true}})")
                   .ok());
  EXPECT_TRUE(reply_of(R"({"content": "x"})", "stop",
                       R"(, "content_filter_results": {"hate": {"filtered": false}})")
                  .ok());
  EXPECT_HAS(reply_of(R"({"content": "x"})", "pondering").error, "finish_reason pondering");
  for (const char* finish : {"", "stop", "STOP", "eos", "end_turn", "tool_calls", "COMPLETE"})
    EXPECT_TRUE(reply_of(R"({"content": "x"})", finish).ok()) << finish;
}

TEST(Chat, WithoutTextThereIsNoAnswer) {
  EXPECT_HAS(reply_of(R"({"content": "", "reasoning_content": "The user"})", "length").error,
             "used up before the answer began (by reasoning)");
  EXPECT_HAS(reply_of(R"({"content": null})", "length").error, "used up before the answer began");
  EXPECT_HAS(reply_of(R"({"content": " \n"})").error, "no text (finish_reason stop)");
  EXPECT_HAS(reply_of(R"({})").error, "no text");
  EXPECT_HAS(reply_of("null").error, "no text");
  EXPECT_HAS(reply_of(R"({"content": 7})").error, "no text");
  EXPECT_HAS(reply_of(R"({"content": null, "tool_calls": [{"id": "t"}]})", "tool_calls").error,
             "calls a tool");
  EXPECT_FALSE(reply_of(R"({"content": []})").ok());
  for (const char* body : {R"({"choices": []})", R"({"choices": null})", R"({"id": "c"})",
                           R"({"choices": {"message": "text"}})", R"({"choices": [7]})"}) {
    EXPECT_HAS(parse_reply(body).error, "no choices");
    EXPECT_TRUE(parse_reply(body).settled);
  }
}

TEST(Chat, WhatCannotBeSeenIsNoText) {
  for (const char* nothing : {"\u200b\u200b", "\u00a0\u3000\\n", "\ufeff", "\u2028 \u2060"})
    EXPECT_HAS(reply_of("{\"content\": \"" + std::string(nothing) + "\"}").error, "no text")
        << nothing;
  for (const char* seen : {"\u2013", "\u2026", "\u201c", "\u203c", "\u200bx", "\u3001", "\u00a1"})
    EXPECT_TRUE(reply_of("{\"content\": \"" + std::string(seen) + "\"}").ok()) << seen;
}

TEST(Chat, TheModelsOwnWordForTheEndCountsIfItSaysThatThereIsNoAnswer) {
  for (const char* key : {"native_finish_reason", "stop_reason"}) {
    const auto with = [&](const std::string& word) {
      return reply_of(R"({"content": "I"})", "stop", ", \"" + std::string(key) + "\": " + word);
    };
    EXPECT_TRUE(with("\"refusal\"").declined);
    EXPECT_HAS(with("\"SAFETY\"").error, "finish_reason SAFETY");
    EXPECT_FALSE(with("\"max_tokens\"").finished);
    for (const char* none : {"null", "7", "\"</s>\"", "\"Human:\"", "\"stop\"", "\"end_turn\""})
      EXPECT_TRUE(with(none).ok() && with(none).finished && !with(none).declined) << none;
  }
}

TEST(Chat, ThinkingInAnyTagsIsNoPartOfTheAnswer) {
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"<think>", "</think>"},
           {"[THINK]", "[/THINK]"},
           {"<thought>", "</thought>"},
           {"<reasoning>", "</reasoning>"},
           {"<seed:think>", "</seed:think>"},
           {"\u25c1think\u25b7", "\u25c1/think\u25b7"},
           {"<|begin_of_thought|>", "<|end_of_thought|>"},
           {"<|channel|>analysis<|message|>",
            "<|end|><|start|>assistant<|channel|>final<|message|>"}}) {
    const auto said = [](const std::string& text) {
      return reply_of("{\"content\": \"" + text + "\"}");
    };
    EXPECT_EQ(said(open + "I cannot." + close + " Take twine.").text, "Take twine.") << open;
    EXPECT_HAS(said(open + "I cannot").error, "thinking does not end");
    EXPECT_EQ(said("Write " + open + "a" + close + " so").text,
              "Write " + open + "a" + close + " so");
  }
  EXPECT_EQ(reply_of(R"({"content": "The end tag is </reasoning>, so"})").text,
            "The end tag is </reasoning>, so");
}

TEST(Chat, ABodyOfAnotherKindIsToldFromAReplyWithoutChoices) {
  for (const char* body :
       {R"({"content": [{"type": "text", "text": "Take twine."}], "stop_reason": "end_turn"})",
        R"({"candidates": []})", R"({"message": {"content": "Take twine."}, "done": true})"}) {
    EXPECT_TRUE(parse_reply(body).other_kind) << body;
    EXPECT_HAS(parse_reply(body).error, "no choices; it begins with '{");
  }
  EXPECT_FALSE(parse_reply(R"({"choices": []})").other_kind);
  EXPECT_TRUE(parse_reply(R"({"error": "no such model"})").reported);
  EXPECT_HAS(parse_reply(R"({"choices": [], "prompt_filter_results": [
                            {"content_filter_results": {"jailbreak": {"filtered": true}}}]})")
                 .error,
             "its filter took the prompt");
}

TEST(Chat, PartsAreJoinedAndThinkingIsLeftOut) {
  EXPECT_EQ(reply_of(R"({"content": [{"type": "thinking", "thinking": [{"type": "text",
                         "text": "hm"}]}, {"type": "text", "text": "Take "},
                         {"type": "text", "text": "twine."}]})")
                .text,
            "Take twine.");
  EXPECT_EQ(reply_of(R"({"content": ["Take ", "twine."]})").text, "Take twine.");
  EXPECT_EQ(reply_of(R"({"content": {"type": "text", "text": "Take twine."}})").text,
            "Take twine.");
  EXPECT_EQ(reply_of(R"({"content": "<think>\nhm\n</think>\n\nTake twine."})").text, "Take twine.");
  EXPECT_EQ(reply_of(R"({"content": "hm\n</think>Take twine."})").text, "Take twine.");
  EXPECT_HAS(reply_of(R"({"content": [{"type": "thinking", "thinking": "hm"}]})", "length").error,
             "by reasoning");
  const ChatReply cut = reply_of(R"({"content": "<think>\nhm"})", "length");
  EXPECT_HAS(cut.error, "thinking does not end");
  EXPECT_FALSE(cut.finished);
}

TEST(Chat, OfSeveralChoicesTheFirstByIndexCounts) {
  const ChatReply reply = parse_reply(
      R"({"choices": [{"index": 1, "message": {"content": "b"}},
                      {"index": 0, "message": {"content": "a"}}]})");
  EXPECT_EQ(reply.text, "a");
}

TEST(Chat, AnErrorInAGoodAnswerIsQuotedAndAskedAgainIfItPasses) {
  const std::string busy = R"({"error": {"message": "Upstream is out of capacity", "code": 502}})";
  EXPECT_HAS(passing_error(busy), "Upstream is out of capacity");
  const std::string bad = R"({"error": {"message": "no such voice", "code": 400}})";
  EXPECT_EQ(passing_error(bad), "");
  EXPECT_HAS(parse_reply(bad).error, "no such voice");
  EXPECT_TRUE(parse_reply(R"({"error": null, "choices": [{"message": {"content": "a"}}]})").ok());
}

TEST(Chat, MessagesKeepRolesAndReplaceWhatIsNoText) {
  const Dialogue dialogue{.messages = {{Role::system, "s"}, {Role::user, "a\xFF\"b"}}};
  EXPECT_EQ(json_text(messages_json(dialogue)),
            "[{\"content\":\"s\",\"role\":\"system\"},"
            "{\"content\":\"a\xEF\xBF\xBD\\\"b\",\"role\":\"user\"}]");
}

}  // namespace
}  // namespace seawall
