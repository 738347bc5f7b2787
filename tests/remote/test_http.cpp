#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/remote/http.hpp"

namespace seawall {
namespace {

TEST(Retry, WaitsDoubleAndJitterTakesAtMostHalf) {
  const HttpOptions options{.backoff = 0.5, .longest_wait = 60};
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 1, 0, -1), 0.5);
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 2, 0, -1), 1.0);
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 5, 0, -1), 8.0);
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 5, 1, -1), 4.0);
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 1000, 0, -1), 60.0);
  // What the server asks for is a least, not the wait itself.
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 1, 0, 7), 7.0);
  EXPECT_DOUBLE_EQ(wait_before_retry(options, 5, 0, 7), 8.0);
}

TEST(Retry, AfterIsSecondsOrADate) {
  EXPECT_DOUBLE_EQ(retry_after_seconds(" 12\r\n", 0), 12);
  EXPECT_DOUBLE_EQ(retry_after_seconds("0.25", 0), 0.25);
  EXPECT_DOUBLE_EQ(retry_after_seconds(" Thu, 01 Jan 1970 00:01:40 GMT\r\n", 40), 60);
  EXPECT_DOUBLE_EQ(retry_after_seconds("Thu, 01 Jan 1970 00:01:40 GMT", 400), 0);  // gone by
  EXPECT_LT(retry_after_seconds("soon", 0), 0);
  EXPECT_LT(retry_after_seconds("", 0), 0);
  EXPECT_LT(retry_after_seconds("inf", 0), 0);
}

// A port that nobody listens on: no answer, three tries, and a poll in between.
TEST(Http, AnUnreachableEndpointIsTriedAndSaid) {
  int polls = 0;
  HttpClient client(Endpoint("http://127.0.0.1:1"),
                    {.timeout = 2, .backoff = 0.01, .poll = [&] { ++polls; }});
  const HttpAnswer answer = client.ask({.path = "/models"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.tries, 3);
  EXPECT_EQ(answer.lost, 0);  // it never left
  EXPECT_NE(answer.error.find("after 3 tries"), std::string::npos) << answer.error;
  EXPECT_EQ(client.sent(), 3);
  EXPECT_EQ(client.repeated(), 2);
  EXPECT_GE(polls, 3);
}

TEST(Http, APollThatThrowsEndsTheTransfers) {
  HttpClient client(Endpoint("http://127.0.0.1:1"), {.backoff = 30, .poll = [n = 0]() mutable {
                                                       if (++n >= 3) throw RunError("stop");
                                                     }});
  EXPECT_THROW(client.ask({.path = "/models"}), RunError);
  EXPECT_THROW(client.wait(60), RunError) << "the poll counts on";
}

TEST(Http, AGateThatStaysShutLeavesTheRestUnsent) {
  HttpClient client(Endpoint("http://127.0.0.1:1"), {.concurrency = 1, .tries = 1});
  std::size_t ended = 0;
  const std::vector<HttpRequest> requests(5, {.path = "/models"});
  EXPECT_EQ(client.ask_all(
                requests, [&](std::size_t i, HttpAnswer) { EXPECT_EQ(i, ended++); },
                [](std::size_t i) { return i < 2; }),
            2u);
  EXPECT_EQ(ended, 2u);
  EXPECT_EQ(client.sent(), 2);
}

}  // namespace
}  // namespace seawall
