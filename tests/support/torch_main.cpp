// The main function of test programs with torch: libtorch seeds its default generator from the
// operating system, so each test starts from a seed of its own and draws the same numbers alone
// and among others.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace {

struct SeedEachTest : testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { at::manual_seed(20231005); }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new SeedEachTest);  // gtest owns it
  return RUN_ALL_TESTS();
}
