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
#include "tests/support/files.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall {
namespace {

using testing::Folder;

const at::Device there(at::kPrivateUse1, 0);
/// Before main, and so before anything is differentiated.
[[maybe_unused]] const bool started = (pretend::start(), true);

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

class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    h5::start();
    at::set_num_threads(1);
  }
  Folder folder;

  RunSpec spec(const std::string& device, const char* name) const {
    RunSpec out;
    out.model.device = device;
    out.training.epochs = 2;
    out.training.lr = 2e-4;
    out.place.out = (folder.path() / name).string();
    out.place.quiet = true;
    out.place.threads = 1;
    return out;
  }
};

/// Losses near each other, answers alike.
void expect_alike(const RunData& got, const RunData& want) {
  ASSERT_EQ(got.steps.size(), want.steps.size());
  // AdamW steps multiply rounding by 1/sqrt(v); 1e-3 is far above it and far below one step.
  for (std::size_t i = 0; i < got.steps.size(); ++i) {
    const double loss = want.steps[i].loss, drift = want.steps[i].drift;
    if (std::isnan(loss)) {  // of an edit of weights there is none
      EXPECT_TRUE(std::isnan(got.steps[i].loss));
    } else {
      EXPECT_NEAR(got.steps[i].loss, loss, 1e-3) << "step " << i + 1;
    }
    EXPECT_NEAR(got.steps[i].drift, drift, 1e-2 * drift) << "step " << i + 1;
  }
  ASSERT_EQ(got.evaluations.size(), want.evaluations.size());
  for (std::size_t e = 0; e < got.evaluations.size(); ++e) {
    int same = 0, all = 0;
    for (std::size_t p = 0; p < got.evaluations[e].results.size(); ++p, ++all)
      same += got.evaluations[e].results[p].response == want.evaluations[e].results[p].response;
    EXPECT_GE(same, 0.9 * all);  // near ties may fall the other way
  }
}

/// Runs `arm`, which is given a device and a file, there and on the CPU.
void expect_runs_alike(const auto& arm) {
  pretend::reset();
  const RunData got = arm(pretend::device, "device.h5");
  EXPECT_GT(pretend::counts().sum().launches, 1000) << "it ran elsewhere";
  expect_alike(got, arm("cpu", "cpu.h5"));
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
