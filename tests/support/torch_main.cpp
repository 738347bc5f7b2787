// The main function of test programs with torch: libtorch seeds its default generator from the
// operating system, so each test starts from a seed of its own and draws the same numbers alone
// and among others.
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

namespace {

struct SeedEachTest : testing::EmptyTestEventListener {
  /// The CPU's alone: at::manual_seed asks for every device, and one whose library is not loaded
  /// yet then counts as absent for ever.
  void OnTestStart(const testing::TestInfo&) override {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    generator.set_current_seed(20231005);
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new SeedEachTest);  // gtest owns it
  return RUN_ALL_TESTS();
}
