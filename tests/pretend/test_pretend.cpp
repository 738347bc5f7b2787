// What a GPU would run, on a device that no CPU code can touch: training, evaluation, checkpoints
// and every policy.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "attacks/catalogue.hpp"
#include "attacks/harmful_examples.hpp"
#include "mitigations/catalogue.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/core/rethrow.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/contract/trial.hpp"
#include "tests/pretend/on_device.hpp"

namespace seawall {
namespace {

using pretend::there;
using testing::expect_runs_alike;
using testing::OnDevice;

TEST(PretendDevice, NoCpuCodeReadsIt) {
  const Tensor x = at::ones({4}).to(there);
  EXPECT_EXIT(std::printf("%f", static_cast<double>(x.const_data_ptr<float>()[0])),
              ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(x.sum().item<double>(), 4);
}

TEST(PretendDevice, ItsMemoryIsNotANumberUntilItIsWritten) {
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16})
    EXPECT_TRUE(at::empty({8}, at::TensorOptions(there).dtype(type)).isnan().all().item<bool>());
}

TEST(PretendDevice, DevicesAreNotMixed) {
  const Tensor x = at::ones({4}).to(there), host = at::ones({4});
  EXPECT_THROW(x + host, c10::Error);
  EXPECT_THROW(at::mm(x.view({2, 2}), host.view({2, 2})), c10::Error);
  EXPECT_EQ((x + at::scalar_tensor(1)).sum().item<double>(), 8);  // a number is none's
}

TEST(PretendDevice, SaysThatItHasNoMemory) {
  try {
    at::empty({std::int64_t{1} << 40}, at::TensorOptions(there));
    FAIL() << "want an error";
  } catch (const std::exception& error) {
    EXPECT_TRUE(is_out_of_memory(error)) << error.what();
  }
}

TEST(PretendDevice, CountsWhatRuns) {
  pretend::reset();
  const Tensor x = at::ones({4, 4}).to(there);
  EXPECT_EQ(pretend::counts().uploads, 1);
  EXPECT_EQ(pretend::counts().sum().launches, 0);
  pretend::reset();
  const Tensor y = at::mm(x, x);
  EXPECT_EQ(pretend::counts().sum().launches, 1);
  EXPECT_EQ(pretend::counts().sum().bytes, 3 * 16 * 4);
  EXPECT_EQ(pretend::counts().syncs, 0);
  EXPECT_EQ(y[0][0].item<double>(), 4);
  EXPECT_EQ(pretend::counts().syncs, 1);
}

TEST_F(OnDevice, AWholeArm) {
  expect_runs_alike([&](const char* device, const char* file) {
    Stack stack{WeightDrift{{.lambda = 1e-2}}};
    return run(AnyAttack(HarmfulExamples{{.count = 50}}), stack, spec(device, file));
  });
}

// Each policy in a run of its own.
class EveryPolicy : public OnDevice, public ::testing::WithParamInterface<std::string> {
 protected:
  void expect_alike_with(const AnyAttack& attack, const auto& stack_of) {
    expect_runs_alike([&](const char* device, const char* file) {
      AnyStack stack = stack_of();
      RunSpec with = spec(device, file);
      with.training.epochs = 1;
      return run(attack, stack, with);
    });
  }
};

/// The names of a catalogue's entries.
auto names_of(const auto& catalogue) {
  std::vector<std::string> names;
  for (const auto& entry : catalogue.entries()) names.emplace_back(entry.name);
  return ::testing::ValuesIn(names);
}
std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

class EveryMitigation : public EveryPolicy {};
TEST_P(EveryMitigation, RunsThere) {
  expect_alike_with(AnyAttack(HarmfulExamples{{.count = 20}}), [&] {
    AnyStack stack;
    stack.push_back(mitigation_catalogue().make(GetParam(), testing::options_to_try(GetParam())));
    return stack;
  });
}
INSTANTIATE_TEST_SUITE_P(Catalogue, EveryMitigation, names_of(mitigation_catalogue()), test_name);

class EveryAttack : public EveryPolicy {};
TEST_P(EveryAttack, RunsThere) {
  expect_alike_with(attack_catalogue().make(GetParam()), [] { return AnyStack(); });
}
INSTANTIATE_TEST_SUITE_P(Catalogue, EveryAttack, names_of(attack_catalogue()), test_name);

}  // namespace
}  // namespace seawall
