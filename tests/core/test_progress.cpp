#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "seawall/core/progress.hpp"

namespace seawall {
namespace {

std::string stderr_of(auto&& f) {
  testing::internal::CaptureStderr();  // a file, so what a pipe would see
  f();
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, PipedLeavesOneClosingLine) {
  const auto text = stderr_of([] {
    Progress p("train", 3);
    for (int i = 1; i <= 3; ++i) p.update(i, 100, 0.5 / i);
    p.finish();
    p.finish();
  });
  EXPECT_TRUE(
      std::regex_match(text, std::regex("train 3/3  loss 0\\.1667  [0-9]+ tokens/s  took 0:00\n")))
      << text;
}

TEST(Progress, LeavesOutWhatItDoesNotKnow) {
  const auto text = stderr_of([] {
    Progress p("read", 0);
    p.update(5, 0, std::nan(""));
  });
  EXPECT_EQ(text, "read 5  took 0:00\n");
}

TEST(Progress, QuietOrUnusedPrintsNothing) {
  EXPECT_EQ(stderr_of([] {
              Progress p("train", 3, true);
              p.update(3, 1, 1);
            }),
            "");
  EXPECT_EQ(stderr_of([] { Progress p("train", 3); }), "");
}

}  // namespace
}  // namespace seawall
