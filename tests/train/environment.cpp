// One thread for every test of this program but those that choose: tiny models gain nothing from
// more, and wait for them under load.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace {

struct OneThread final : ::testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
const ::testing::Environment* const one_thread = ::testing::AddGlobalTestEnvironment(new OneThread);

}  // namespace
