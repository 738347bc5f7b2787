// Our kernels as a GPU is given them: compiled by NVRTC for an H100, loaded and launched through
// the driver's functions, here those of a pretended libcuda that runs the same kernels on the host.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "attacks/harmful_examples.hpp"
#include "device/kernels.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/core/error.hpp"
#include "seawall/device/kernels.hpp"
#include "tests/pretend/on_device.hpp"
#include "tests/support/pretend_cuda.hpp"
#include "tests/support/pretend_graph.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall::device {
namespace {

using pretend::there;
namespace fs = std::filesystem;

/// While it lives the pretended device runs kernels by launches.
class Launch : public testing::OnDevice {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (!fs::exists(SEAWALL_NVRTC)) GTEST_SKIP() << SEAWALL_NVRTC << ": not there";
    setenv("SEAWALL_CACHE", shared_cache().c_str(), 1);
    pretend_cuda_spoil(nullptr);
    pretend_cuda_refuse_modules(false);
    pretend_cuda_capability(90);
    set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
    add_gpu_kernels(library_);
    pretend_cuda_record([](std::function<void()> again) {
      if (auto* graph = pretend::capturing()) graph->calls.push_back(std::move(again));
    });
  }
  void TearDown() override {
    pretend_cuda_record({});
    set_gpu_libraries({});
    unsetenv("SEAWALL_CACHE");
    unsetenv("SEAWALL_GPU_KERNELS");
  }
  static const KernelsInUse& in_use() { return kernels_in_use(there); }
  static std::string words() {
    std::string out;
    for (const auto& name : in_use().names) out += name + " ";
    return out;
  }

 private:
  /// Compiled once for all tests of the process.
  static fs::path shared_cache() {
    static const testing::Folder folder;
    return folder.path();
  }
  torch::Library library_{torch::Library::IMPL, "seawall", c10::DispatchKey::PrivateUse1, __FILE__,
                          __LINE__};
};
constexpr const char* all_words = "adamw rms_norm rotary gate merge ";

TEST_F(Launch, EveryKernelIsTriedAndTaken) {
  EXPECT_EQ(words(), all_words) << in_use().why_not_all;
  EXPECT_EQ(in_use().why_not_all, "");
  for (const char* name :
       {"adamw_f32_from_bf16", "adamw_f32_bf16_from_bf16_one", "adamw_f32", "adamw_f32_bf16",
        "adamw_bf16", "adamw_f32_one", "adamw_f32_bf16_one", "adamw_bf16_one", "rms_norm_f32",
        "rms_norm_f32_back", "rms_norm_bf16_f32", "rms_norm_bf16_f32_back", "rms_norm_weight_bf16",
        "rotary_bf16", "gate_f32", "gate_back_bf16", "merge_f32", "merge_bf16"})
    EXPECT_GT(pretend_cuda_launches(name), 0) << name;
  EXPECT_EQ(kernels_in_use(at::kCPU).names.size(), 0u);
}

TEST_F(Launch, ALaunchComputesWhatTheRowFunctionsDo) {
  ASSERT_EQ(words(), all_words);
  const Tensor x = at::randn({5, 3, 64}).to(at::kBFloat16), w = at::randn({64}).to(at::kBFloat16),
               gate = at::randn({5, 3, 64}).to(at::kBFloat16);
  const auto before = pretend_cuda_launches(nullptr);
  const auto forward = [&](const c10::Device& where) {
    const auto leaf = [&](const Tensor& t) { return t.clone().to(where).requires_grad_(true); };
    const Tensor a = leaf(x), b = leaf(w), c = leaf(gate);
    const Tensor angle = at::arange(5, at::kFloat).view({5, 1, 1}).expand({5, 1, 64}) * 0.1;
    const Tensor cos = angle.cos().to(at::kBFloat16).to(where),
                 sin = angle.sin().to(at::kBFloat16).to(where);
    Tensor y = gated(c, rotary(rms_norm(a, b, 1e-5), cos, sin), false);
    y.backward(at::ones_like(y));
    return std::vector<Tensor>{y.detach().cpu(), a.grad().cpu(), b.grad().cpu(), c.grad().cpu()};
  };
  const auto here = forward(at::kCPU), device = forward(there);
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_TRUE(here[i].equal(device[i])) << i;
  EXPECT_EQ(pretend_cuda_launches(nullptr) - before, 7);  // three, and four back
}

TEST_F(Launch, AWrongKernelIsLeftToItsTwin) {
  for (const auto& [kernel, word] :
       {std::pair("adamw_bf16", "adamw"), std::pair("adamw_f32_one", "adamw"),
        std::pair("rms_norm_bf16_back", "rms_norm"), std::pair("rms_norm_weight_f32", "rms_norm"),
        std::pair("rotary_f32", "rotary"), std::pair("gate_bf16", "gate"),
        std::pair("gate_back_f32", "gate"), std::pair("merge_bf16", "merge")}) {
    SCOPED_TRACE(kernel);
    pretend_cuda_spoil(kernel);
    set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
    std::string want = all_words;
    want.erase(want.find(word), std::string(word).size() + 1);
    EXPECT_EQ(words(), want);
    EXPECT_EQ(in_use().why_not_all,
              "on this device they do not compute what ATen does: " + std::string(word));
  }
  // The results are the twin's.
  pretend_cuda_spoil("rms_norm_f32");
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  const Tensor x = at::randn({5, 64}), w = at::randn({64});
  EXPECT_LT((rms_norm(x.to(there), w.to(there), 1e-5).cpu() - rms_norm(x, w, 1e-5))
                .abs()
                .max()
                .item<double>(),
            1e-5);
}

TEST_F(Launch, WithoutADriverOrACompilerPlainOperatorsRun) {
  const Tensor x = at::randn({5, 64}), w = at::randn({64}), want = rms_norm(x, w, 1e-5);
  const auto expect_plain = [&](const std::string& why) {
    EXPECT_EQ(words(), "");
    EXPECT_NE(in_use().why_not_all.find(why), std::string::npos) << in_use().why_not_all;
    const auto before = pretend_cuda_launches(nullptr);
    EXPECT_LT((rms_norm(x.to(there), w.to(there), 1e-5).cpu() - want).abs().max().item<double>(),
              1e-5);
    EXPECT_EQ(pretend_cuda_launches(nullptr), before);
  };
  set_gpu_libraries({"libcuda-not-there.so", SEAWALL_NVRTC});
  expect_plain("the driver cannot be opened");
  set_gpu_libraries({SEAWALL_NVRTC, SEAWALL_NVRTC});
  expect_plain("the driver has no cuInit");
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, "libnvrtc-not-there.so"});
  expect_plain("the compiler of kernels cannot be opened");
  pretend_cuda_refuse_modules(true);
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  expect_plain("no kernel image is available");
  pretend_cuda_refuse_modules(false);
  pretend_cuda_capability(20);
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  expect_plain("NVRTC cannot compile kernels for sm_20");
  pretend_cuda_capability(90);
  setenv("SEAWALL_GPU_KERNELS", "off", 1);
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  expect_plain("SEAWALL_GPU_KERNELS=off");
  setenv("SEAWALL_GPU_KERNELS", "of", 1);
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  for (int i = 0; i < 2; ++i) try {
      in_use();
      FAIL() << "want an error";
    } catch (const UsageError& error) {
      EXPECT_STREQ(error.what(), "SEAWALL_GPU_KERNELS: want on or off, got 'of'");
    }
}

TEST_F(Launch, MachineCodeIsKeptAndABrokenCopyIsMadeAgain) {
  const testing::Folder cache;
  setenv("SEAWALL_CACHE", cache.path().c_str(), 1);
  EXPECT_EQ(words(), all_words);
  std::vector<fs::path> kept;
  for (const auto& entry : fs::directory_iterator(cache.path() / "kernels"))
    kept.push_back(entry.path());
  ASSERT_EQ(kept.size(), 1u);
  const std::string whole = testing::bytes_of(kept[0]);
  const auto written = fs::last_write_time(kept[0]);
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  EXPECT_EQ(words(), all_words);
  EXPECT_EQ(fs::last_write_time(kept[0]), written);
  std::ofstream(kept[0]) << "half of";
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  EXPECT_EQ(words(), all_words);
  EXPECT_EQ(testing::bytes_of(kept[0]), whole);
  pretend_cuda_capability(86);  // another card has a file of its own
  set_gpu_libraries({SEAWALL_PRETEND_CUDA, SEAWALL_NVRTC});
  EXPECT_EQ(words(), all_words);
  EXPECT_EQ(std::distance(fs::directory_iterator(cache.path() / "kernels"), {}), 2);
}

/// Launches of the second step of so many blocks, forward, backward and optimizer.
std::int64_t launches_a_step(std::int64_t layers) {
  LlamaConfig config = testing::tiny_config();
  config.layers = layers;
  config.hidden_size = 64;
  config.intermediate_size = 176;
  config.head_dim = 16;
  NamedTensors weights = random_weights(config, 1);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16).to(there);
  Decoder decoder(config, weights);
  FixedRows source(testing::tiny_rows(4), {.batch_size = 4, .epochs = 3}, there);
  struct Sink final : TraceSink {
    std::vector<std::int64_t> steps;
    std::int64_t before = 0;
    void on_step(const StepRecord&) override {
      const auto now = pretend::counts().sum().launches + pretend_cuda_launches(nullptr);
      steps.push_back(now - before);
      before = now;
    }
    void on_evaluation(EvaluationRecord) override {}
    bool wants_residual() const override { return false; }
  } sink;
  Stack<> none;
  train(decoder, source, none, {.precision = Precision::pure_bf16}, sink);
  return sink.steps.at(1);
}

TEST_F(Launch, LaunchesABlock) {
  ASSERT_EQ(words(), all_words);
  launches_a_step(1);  // compiled
  const auto block = launches_a_step(3) - launches_a_step(2);
  RecordProperty("launches_a_block", static_cast<int>(block));
  EXPECT_LE(block,
            84);  // of them 27 the optimizer's: nine weights, a norm, a kernel and a sum each
}

TEST_F(Launch, AWholeArmRunsByPlainOperators) {
  setenv("SEAWALL_GPU_KERNELS", "off", 1);
  for (const char* precision : {"fp32", "pure-bf16"}) {
    SCOPED_TRACE(precision);
    testing::expect_runs_alike(
        [&](const std::string& device, const char* name) {
          RunSpec with = spec(device, (std::string(precision) + name).c_str());
          with.training.precision = precision;
          with.training.clip_norm = 0.5;  // a factor that is not one
          Stack<> none;
          return run(AnyAttack(HarmfulExamples{{.count = 20}}), none, with);
        },
        precision == std::string("fp32") ? testing::Near{} : testing::near_in_bf16);
    EXPECT_EQ(words(), "");
  }
}

TEST_F(Launch, AWholeArmRunsByLaunches) {
  ASSERT_EQ(words(), all_words);
  for (const char* precision : {"pure-bf16", "kahan", "bf16-master"}) {
    SCOPED_TRACE(precision);
    const auto before = pretend_cuda_launches(nullptr);
    testing::expect_runs_alike(
        [&](const std::string& device, const char* name) {
          RunSpec with = spec(device, (std::string(precision) + name).c_str());
          with.training.precision = precision;
          Stack stack{WeightDrift{{.lambda = 1e-2}}};
          return run(AnyAttack(HarmfulExamples{{.count = 20}}), stack, with);
        },
        testing::near_in_bf16);
    EXPECT_GT(pretend_cuda_launches(nullptr) - before, 300);
  }
}

}  // namespace
}  // namespace seawall::device
