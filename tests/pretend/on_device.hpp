#pragma once
// A run on the pretended device, compared with the same run on the CPU.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "seawall/run/run.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/support/files.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall::testing {

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

/// How near: AdamW steps multiply rounding by 1/sqrt(v); 1e-3 is far above it and far below one
/// step. Of answers some have near ties, which may fall the other way.
struct Near {
  double loss = 1e-3, answers = 0.9;
};
/// Under bf16 the device rounds every activation to 2^-9 of it, the CPU's own kernels none.
inline constexpr Near near_in_bf16{5e-3, 0.7};

/// Losses near each other, answers alike.
inline void expect_alike(const RunData& got, const RunData& want, Near near) {
  ASSERT_EQ(got.steps.size(), want.steps.size());
  for (std::size_t i = 0; i < got.steps.size(); ++i) {
    const double loss = want.steps[i].loss, drift = want.steps[i].drift;
    if (std::isnan(loss)) {  // of an edit of weights there is none
      EXPECT_TRUE(std::isnan(got.steps[i].loss));
    } else {
      EXPECT_NEAR(got.steps[i].loss, loss, near.loss) << "step " << i + 1;
    }
    EXPECT_NEAR(got.steps[i].drift, drift, 1e-2 * drift) << "step " << i + 1;
  }
  ASSERT_EQ(got.evaluations.size(), want.evaluations.size());
  for (std::size_t e = 0; e < got.evaluations.size(); ++e) {
    int same = 0, all = 0;
    for (std::size_t p = 0; p < got.evaluations[e].results.size(); ++p, ++all)
      same += got.evaluations[e].results[p].response == want.evaluations[e].results[p].response;
    EXPECT_GE(same, near.answers * all);
  }
}

/// Runs `arm`, which is given a device and a file, there and on the CPU.
inline void expect_runs_alike(const auto& arm, Near near = {}) {
  pretend::reset();
  const RunData got = arm(pretend::device, "device.h5");
  const auto counts = pretend::counts();  // a token of an answer is one replay
  EXPECT_GT(counts.sum().launches + counts.replays, 500) << "it ran elsewhere";
  expect_alike(got, arm("cpu", "cpu.h5"), near);
}

}  // namespace seawall::testing
