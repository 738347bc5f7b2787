// What loading costs: memory, and time beside a plain copy.
#include <ATen/ops/ones.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing;

/// 65 M parameters, 130 MB in bf16; no tensor is more than an eighth of them.
LlamaConfig large_config() {
  auto config = tiny_config(false);
  config.vocab_size = 8192;
  config.hidden_size = 1024;
  config.intermediate_size = 2816;
  config.layers = 4;
  config.heads = 8;
  config.kv_heads = 8;
  config.head_dim = 128;
  return config;
}

std::uint64_t bytes_of(const LlamaConfig& config, std::uint64_t each) {
  return static_cast<std::uint64_t>(config.parameter_count()) * each;
}

/// A field of /proc/self/status in bytes.
std::uint64_t status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == name + ":") {
      std::uint64_t kibibytes = 0;
      file >> kibibytes;
      return kibibytes << 10;
    }
  return 0;
}

/// Largest resident memory of `load` above what was there before; the result lives until it is
/// measured.
template <class Load>
std::uint64_t peak_of(Load&& load) {
  ::malloc_trim(0);  // else what was freed before would be used without a trace
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush;  // VmHWM starts at the present size
  const auto before = status("VmRSS");
  const auto result = load();
  return status("VmHWM") - std::min(status("VmHWM"), before);
}

class Loading : public ::testing::Test {
 protected:
  void SetUp() override {
    NamedTensors weights;
    for (const auto& [name, shape] : config_.parameter_shapes())
      weights.push_back({name, at::ones(shape, at::kBFloat16)});
    write_hf_folder(folder_.path(), config_, weights, {.bos = 1, .eos = {2}});
  }
  std::uint64_t largest(std::uint64_t each) const {
    return static_cast<std::uint64_t>(config_.vocab_size * config_.hidden_size) * each;
  }
  const LlamaConfig config_ = large_config();
  Folder folder_;
};

TEST_F(Loading, PeakMemoryIsTheWeightsAndOneTensor) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory is more than the weights";
#endif
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto each = static_cast<std::uint64_t>(at::elementSize(type));
    const auto peak = peak_of([&] { return read_hf_folder(folder_.path(), type); });
    EXPECT_GE(peak, bytes_of(config_, each) * 9 / 10) << "nothing was measured";
    EXPECT_LE(peak, bytes_of(config_, each) + largest(each) + (std::uint64_t{8} << 20)) << type;
  }
}

TEST_F(Loading, WhatIsLoadedIsWhatWasWritten) {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto loaded = read_hf_folder(folder_.path(), type);
    EXPECT_EQ(loaded.weights.front().tensor.scalar_type(), type);
    EXPECT_EQ(loaded.weights[9].tensor.sum(at::kDouble).item<double>(), 1024.0 * 2816);
  }
}

// No claim of speed from a busy machine: bench/loading.cpp measures it. This is a bound that only a
// pass over single values, or a file read twice, would miss.
TEST_F(Loading, TakesNoMoreThanAFewPlainReads) {
  const auto seconds = [](auto&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double read = 1e9, load = 1e9;
  for (int i = 0; i < 3; ++i) {
    read = std::min(read, seconds([&] { folder_.read("model.safetensors"); }));
    load = std::min(load, seconds([&] { read_hf_folder(folder_.path(), at::kBFloat16); }));
  }
  EXPECT_LT(load, 8 * read);
  RecordProperty("read_GB_per_s",
                 std::to_string(static_cast<double>(bytes_of(config_, 2)) / read / 1e9));
  RecordProperty("load_GB_per_s",
                 std::to_string(static_cast<double>(bytes_of(config_, 2)) / load / 1e9));
}

// safetensors may begin its data anywhere; a header padded by 3 puts every value across words.
TEST(Safetensors, DataAtAnOddByteIsReadAsAnyOther) {
  const std::string entry = R"({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}})";
  for (std::size_t pad = 0; pad < 4; ++pad) {
    const Folder folder;
    const auto file = folder.write(
        "m.safetensors",
        safetensors(entry + std::string(pad, ' '), std::string("\x80\x3F\x00\x40", 4)));
    const auto tensors = read_safetensors(file);
    EXPECT_EQ(tensors[0].tensor[0].item<float>(), 1.0f) << pad;
    EXPECT_EQ(tensors[0].tensor[1].item<float>(), 2.0f) << pad;
    const auto listed = list_safetensors(file);
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].name, "a");
    EXPECT_EQ(listed[0].type, "BF16");
    EXPECT_EQ(listed[0].shape, (std::vector<std::int64_t>{2}));
    EXPECT_EQ(listed[0].bytes, 4u);
  }
}

}  // namespace
}  // namespace seawall
