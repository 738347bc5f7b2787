#include <gtest/gtest.h>

#include "remote/endpoint_error.hpp"
#include "seawall/remote/http.hpp"

namespace seawall {
namespace {

TEST(EndpointError, TheMessageIsOneShortLine) {
  EXPECT_EQ(error_message(R"({"error": {"message": "slow\ndown"}})"), "slow down");
  EXPECT_EQ(error_message(R"({"error": "no"})"), "no");
  EXPECT_EQ(error_message("<html>"), "");
  EXPECT_EQ(error_message(R"({"error": {"message": 7}})"), "7");
  EXPECT_LE(error_message(R"({"error": ")" + std::string(5000, 'x') + "\"}").size(), 310u);
}

TEST(EndpointError, EveryFormOfABodyIsRead) {
  EXPECT_EQ(error_message(R"([{"error": {"code": 400, "message": "in a list"}}])"), "in a list");
  EXPECT_EQ(error_message(R"({"object": "error", "message": "at the top", "code": 400})"),
            "at the top");
  EXPECT_EQ(error_message(R"({"detail": "a text"})"), "a text");
  EXPECT_EQ(
      error_message(R"({"detail": [{"loc": ["body", "max_tokens"], "msg": "Extra inputs"}]})"),
      "max_tokens: Extra inputs");
  EXPECT_EQ(error_message(R"({"object": "error", "message": {"detail": [{"loc": ["body", "n"],
                              "msg": "Extra inputs"}]}})"),
            "n: Extra inputs");
  EXPECT_EQ(error_message(R"({"error": {"message": "Provider returned error",
                              "metadata": {"raw": "out of memory"}}})"),
            "Provider returned error: out of memory");
  EXPECT_FALSE(endpoint_error(R"({"error": null, "choices": []})"));
  EXPECT_FALSE(endpoint_error(R"({"error": {}, "choices": []})"));
  EXPECT_FALSE(endpoint_error(R"({"error": {"code": null, "message": null, "param": null}})"));
  EXPECT_FALSE(endpoint_error(R"({"id": "c", "type": "x", "code": 7})"));
  EXPECT_EQ(endpoint_error(R"({"error": {"message": "busy", "code": 502}})").text(), "502: busy");
}

TEST(EndpointError, WhatPassesByItselfIsToldFromWhatDoesNot) {
  const auto passes = [](const std::string& error) {
    return endpoint_error("{\"error\": " + error + "}").passes();
  };
  EXPECT_TRUE(passes(R"({"message": "m", "code": 502})"));
  EXPECT_TRUE(passes(R"({"message": "m", "code": "429"})"));
  EXPECT_TRUE(passes(R"({"message": "m", "type": "overloaded_error"})"));
  EXPECT_TRUE(passes(R"({"message": "The server is temporarily out of capacity"})"));
  EXPECT_FALSE(passes(R"({"message": "m", "code": 400})"));
  EXPECT_FALSE(passes(R"({"message": "m", "code": "insufficient_quota"})"));
  EXPECT_FALSE(passes(R"({"message": "m"})"));
  HttpAnswer answer{.status = 429, .body = R"({"error": {"code": "insufficient_quota"}})"};
  EXPECT_TRUE(answer.hopeless());
  answer.body = R"({"error": {"code": "rate_limit_exceeded"}})";
  EXPECT_FALSE(answer.hopeless());
  answer.status = 403;
  EXPECT_TRUE(answer.hopeless());
  answer.body = R"({"error": {"message": "m", "metadata": {"reasons": ["violence"]}}})";
  EXPECT_FALSE(answer.hopeless()) << "one prompt was flagged";
}

TEST(EndpointError, AComplaintIsOfTheRowOrOfEveryRequest) {
  const auto of = [](const std::string& message, const std::string& rest = "", long status = 400) {
    return complaint_of(
        endpoint_error("{\"error\": {\"message\": \"" + message + "\"" + rest + "}}"), status);
  };
  EXPECT_EQ(of("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
               "'max_completion_tokens' instead.",
               R"(, "param": "max_tokens", "code": "unsupported_parameter")"),
            Complaint::token_field);
  EXPECT_EQ(of("max_tokens is not supported here, use max_completion_tokens"),
            Complaint::token_field);
  EXPECT_EQ(of("max_tokens is too large: 4000. This model supports at most 512",
               R"(, "param": "max_tokens", "code": "invalid_value")"),
            Complaint::request);
  EXPECT_EQ(of("Unsupported value: 'temperature' does not support 0 with this model. Only the "
               "default (1) value is supported.",
               R"(, "param": "temperature", "code": "unsupported_value")"),
            Complaint::temperature);
  EXPECT_EQ(of("`temperature` must be strictly positive"), Complaint::temperature);
  EXPECT_EQ(complaint_of(endpoint_error(R"({"detail": [{"loc": ["body", "temperature"],
                                            "msg": "Extra inputs are not permitted"}]})"),
                         422),
            Complaint::temperature);
  EXPECT_EQ(of("Unsupported parameter: 'messages'", R"(, "code": "unsupported_parameter")"),
            Complaint::request);
  EXPECT_EQ(of("The model `m` does not exist", R"(, "code": "model_not_found")"),
            Complaint::request);
  EXPECT_EQ(of("bad", R"(, "param": "n")"), Complaint::request);
  EXPECT_EQ(of("The response was filtered due to the prompt triggering the content management "
               "policy",
               R"(, "param": "prompt", "code": "content_filter")"),
            Complaint::content);
  EXPECT_EQ(of("m", R"(, "innererror": {"code": "ResponsibleAIPolicyViolation"})"),
            Complaint::content);
  EXPECT_EQ(of("This model's maximum context length is 4096 tokens",
               R"(, "param": "messages", "code": "context_length_exceeded")"),
            Complaint::too_long);
  EXPECT_EQ(of("'max_tokens' or 'max_completion_tokens' is too large: 256. This model's maximum "
               "context length is 4096 tokens"),
            Complaint::too_long);
  EXPECT_EQ(of("invalid request"), Complaint::unknown);
}

}  // namespace
}  // namespace seawall
