// What the library says reaches the listener that a program installed, and the streams without one.
#include <gtest/gtest.h>

#include <string>

#include "seawall/core/listener.hpp"
#include "seawall/core/notices.hpp"
#include "seawall/core/progress.hpp"

namespace {

using namespace seawall;

struct Keeper final : Listener {
  void tell(std::string_view text) override { told += text; }
  void warn(std::string_view text) override { warned += text; }
  void flush() override { ++flushed; }
  std::string told, warned;
  int flushed = 0;
};

TEST(Listener, HearsAllThatTheLibrarySaysAndTheStreamsNothing) {
  const auto keeper = std::make_shared<Keeper>();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto before = listen(keeper);
  tell("%d of %s\n", 3, "five");
  warn("%s\n", std::string(5000, 'x').c_str());  // longer than any buffer of a screen line
  warn_once("heard by the listener alone");
  warn_once("heard by the listener alone");
  Progress progress("train", 2);
  progress.update(2, 0, 0.5);
  progress.finish();
  flush_listener();
  listen(before);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(keeper->told, "3 of five\n");
  EXPECT_EQ(keeper->flushed, 1);
  const std::string head =
      std::string(5000, 'x') + "\nseawall: heard by the listener alone\ntrain 2/2  loss 0.5";
  EXPECT_EQ(keeper->warned.substr(0, head.size()), head);
}

TEST(Listener, IsTheStandardStreamsUntilAProgramBringsItsOwn) {
  const auto before = listen(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  tell("an answer of 100 %%\n");
  warn("%s", "a remark\n");
  flush_listener();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "an answer of 100 %\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "a remark\n");
  listen(before);
}

}  // namespace
