// The same code on another device. `composite` is the path that a GPU takes, run on the CPU, so
// that these tests mean something everywhere; the CUDA ones say visibly that they did not run where
// there is no GPU.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "attacks/harmful_examples.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

/// Before main: libtorch counts its devices at the first backward pass, a CPU's too.
[[maybe_unused]] const bool looked = [] {
  std::string why;
  return load_cuda(why);
}();

class OnDevice : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    h5::start();
    at::set_num_threads(1);
    if (std::string(GetParam()) == "composite") {
      set_compute_path(ComputePath::composite);
      return;
    }
    std::string why;
    if (!load_cuda(why)) {
#ifdef SEAWALL_CUDA  // insisted on
      FAIL() << why;
#endif
      GTEST_SKIP() << "no GPU here: " << why;
    }
    device = at::Device(at::kCUDA);
  }
  void TearDown() override { set_compute_path(ComputePath::fused); }
  /// What the CPU's own kernels give.
  template <class Work>
  static auto on_cpu(const Work& work) {
    const ComputePath before = compute_path();
    set_compute_path(ComputePath::fused);
    auto result = work(at::Device(at::kCPU));
    set_compute_path(before);
    return result;
  }
  std::string word() const { return device.is_cpu() ? "cpu" : "cuda"; }
  at::Device device = at::kCPU;
};

LlamaConfig config() {
  LlamaConfig c;
  c.vocab_size = 97;
  c.hidden_size = 32;
  c.intermediate_size = 48;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.max_position_embeddings = 128;
  c.rms_norm_eps = 1e-5;
  c.tie_word_embeddings = false;
  return c;
}

std::vector<Sequence> rows() {
  std::mt19937 random(5);
  std::uniform_int_distribution<std::int32_t> id(0, 96);
  std::vector<std::int32_t> shared(10);
  for (auto& token : shared) token = id(random);
  std::vector<Sequence> out;
  for (int r = 0; r < 5; ++r) {
    Sequence row{shared, {}};
    for (int i = 0; i < 6 + r; ++i) row.ids.push_back(id(random));
    row.loss.assign(row.ids.size(), 0);
    for (std::size_t t = row.ids.size() - 4; t < row.ids.size(); ++t) row.loss[t] = 1;
    out.push_back(std::move(row));
  }
  return out;
}

Decoder decoder_on(at::Device device) {
  NamedTensors weights = random_weights(config(), 1);
  for (auto& w : weights) {
    w.tensor = w.tensor.to(at::kDouble);
    if (w.tensor.dim() == 2) w.tensor = w.tensor.mul(8);
    w.tensor = w.tensor.to(device);
  }
  return {config(), weights};
}

// fp64 on both sides, so sums in another order agree to about 1e-12.
TEST_P(OnDevice, LossAndGradients) {
  const auto work = [](at::Device where) {
    Decoder decoder = decoder_on(where);
    decoder.set_requires_grad(true);
    const Tensor loss = decoder.loss(plan_batch(rows(), where), LossMode::fused);
    loss.backward();
    std::vector<Tensor> out{loss.detach().to(at::kCPU, at::kDouble)};
    for (const auto& p : decoder.parameters()) out.push_back(p.tensor.grad().to(at::kCPU));
    return out;
  };
  const auto want = on_cpu(work), got = work(device);
  ASSERT_EQ(got.size(), want.size());
  EXPECT_NEAR(got[0].item<double>(), want[0].item<double>(), 1e-6);  // the mean is kept in fp32
  for (std::size_t i = 1; i < want.size(); ++i)
    EXPECT_LT((got[i] - want[i]).abs().max().item<double>(), 1e-6) << "parameter " << i - 1;
}

TEST_P(OnDevice, GreedyAndDrawnAnswers) {
  double temperature = 0;
  const auto work = [&](at::Device where) {
    const at::NoGradGuard no_grad;
    std::vector<std::vector<std::int32_t>> prompts, answers;
    for (const auto& row : rows()) prompts.push_back(row.ids);
    GenerateOptions options;
    options.max_new_tokens = 24;
    options.temperature = temperature;
    options.streams.assign(prompts.size(), Rng(1));
    const Decoder decoder = decoder_on(where);
    for (const auto& row : generate(decoder, prompts, options).rows) answers.push_back(row.ids);
    return answers;
  };
  for (temperature = 0; temperature < 2; temperature += 0.9)
    EXPECT_EQ(work(device), on_cpu(work)) << temperature;
}

// A whole arm in fp32: ten steps under a mitigation, the evaluation, the run file.
TEST_P(OnDevice, WholeArm) {
  const fs::path folder = fs::temp_directory_path() / ("seawall-gpu-" + std::string(GetParam()));
  fs::remove_all(folder);
  const auto run = [&](const std::string& where, const char* name) {
    RunSpec spec;
    spec.model.device = where;
    spec.training.epochs = 2;
    spec.training.lr = 2e-4;
    spec.place.out = (folder / name).string();
    spec.place.quiet = true;
    spec.place.threads = 1;
    Stack stack{WeightDrift{{.lambda = 1e-2}}};
    return seawall::run(AnyAttack(HarmfulExamples{{.count = 50}}), stack, spec);
  };
  const RunData want = on_cpu([&](at::Device) { return run("cpu", "cpu.h5"); });
  const RunData got = run(word(), "device.h5");
  ASSERT_EQ(got.steps.size(), 10U);
  // Ten AdamW steps multiply rounding by 1/sqrt(v); 1e-3 is far above it and far below one step.
  for (std::size_t i = 0; i < got.steps.size(); ++i)
    EXPECT_NEAR(got.steps[i].loss, want.steps[i].loss, 1e-3) << "step " << i + 1;
  EXPECT_NEAR(got.steps.back().drift, want.steps.back().drift, 1e-2 * want.steps.back().drift);
  ASSERT_EQ(got.evaluations.size(), want.evaluations.size());
  for (std::size_t e = 0; e < got.evaluations.size(); ++e) {
    int same = 0, all = 0;
    for (std::size_t p = 0; p < got.evaluations[e].results.size(); ++p, ++all)
      same += got.evaluations[e].results[p].response == want.evaluations[e].results[p].response;
    EXPECT_GE(same, 0.9 * all) << probe_set_name(
        got.evaluations[e].set);  // near ties may fall the other way
  }
  EXPECT_TRUE(fs::exists(folder / "device.checkpoints"));
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Path, OnDevice, ::testing::Values("composite", "cuda"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace seawall
