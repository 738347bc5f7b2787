// What a GPU would run, on a device that no CPU code can touch: training, evaluation, checkpoints
// and every policy.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "attacks/catalogue.hpp"
#include "attacks/harmful_examples.hpp"
#include "mitigations/catalogue.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/contract/trial.hpp"
#include "tests/support/files.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using testing::Folder;

const at::Device there(at::kPrivateUse1, 0);
/// Before main, and so before anything is differentiated.
[[maybe_unused]] const bool started = (pretend::start(), true);

TEST(PretendDevice, NoCpuCodeReadsIt) {
  const Tensor x = at::ones({4}).to(there);
  EXPECT_DEATH(std::printf("%f", static_cast<double>(x.const_data_ptr<float>()[0])), "");
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

TEST(PretendDevice, CountsWhatRuns) {
  const Tensor x = at::ones({4, 4}).to(there);
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
    if (std::isnan(loss))  // of an edit of weights there is none
      EXPECT_TRUE(std::isnan(got.steps[i].loss));
    else
      EXPECT_NEAR(got.steps[i].loss, loss, 1e-3) << "step " << i + 1;
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

TEST_F(OnDevice, AWholeArm) {
  const auto run = [&](const std::string& where, const char* name) {
    Stack stack{WeightDrift{{.lambda = 1e-2}}};
    return seawall::run(AnyAttack(HarmfulExamples{{.count = 50}}), stack, spec(where, name));
  };
  pretend::reset();
  const RunData got = run(pretend::device, "device.h5");
  EXPECT_GT(pretend::counts().sum().launches, 1000);
  expect_alike(got, run("cpu", "cpu.h5"));
}

// Each policy in a run of its own, on the device and on the CPU.
class EveryMitigation : public OnDevice, public ::testing::WithParamInterface<std::string> {};
TEST_P(EveryMitigation, RunsThere) {
  const auto run = [&](const std::string& where, const char* name) {
    AnyStack stack;
    stack.push_back(mitigation_catalogue().make(GetParam(), testing::options_to_try(GetParam())));
    RunSpec with = spec(where, name);
    with.training.epochs = 1;
    return seawall::run(AnyAttack(HarmfulExamples{{.count = 20}}), stack, with);
  };
  expect_alike(run(pretend::device, "device.h5"), run("cpu", "cpu.h5"));
}
INSTANTIATE_TEST_SUITE_P(Catalogue, EveryMitigation, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& e : mitigation_catalogue().entries())
                             names.emplace_back(e.name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

class EveryAttack : public OnDevice, public ::testing::WithParamInterface<std::string> {};
TEST_P(EveryAttack, RunsThere) {
  const auto run = [&](const std::string& where, const char* name) {
    AnyStack stack;
    RunSpec with = spec(where, name);
    with.training.epochs = 1;
    return seawall::run(attack_catalogue().make(GetParam()), stack, with);
  };
  expect_alike(run(pretend::device, "device.h5"), run("cpu", "cpu.h5"));
}
INSTANTIATE_TEST_SUITE_P(Catalogue, EveryAttack, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& e : attack_catalogue().entries())
                             names.emplace_back(e.name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace seawall
