// Damaged weight files: each either loads, or is refused by an error of ours; never a crash, a hang
// or a flood of memory.
#include <sys/resource.h>

#include <cstdlib>
#include <random>

#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing_support;

int trials() {
  const char* wanted = std::getenv("SEAWALL_FUZZ");
  return wanted != nullptr ? std::atoi(wanted) : 300;
}

long peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// Cuts the file at every third trial, else flips up to eight bits of its first `header` bytes.
std::string damaged(const std::string& whole, std::size_t header, int trial, std::mt19937& random) {
  if (trial % 3 == 0) return whole.substr(0, random() % whole.size());
  auto bytes = whole;
  const auto flips = 1 + random() % 8;
  for (std::size_t i = 0; i < flips; ++i) {
    bytes[random() % header] ^= static_cast<char>(1 << random() % 8);
  }
  return bytes;
}

template <class Load>
void fuzz(const std::string& whole, std::size_t header, Load&& load) {
  std::mt19937 random(5);
  const Folder folder;
  const auto before = peak_kilobytes();
  int refused = 0;
  for (int trial = 0; trial < trials(); ++trial) {
    const auto file = folder.write("damaged", damaged(whole, header, trial, random));
    try {
      load(file);
    } catch (const DataError& error) {
      ++refused;
      EXPECT_HAS(error.what(), "damaged");
    }
  }
  EXPECT_GT(refused, trials() / 4) << "damage went unseen";
  EXPECT_LT(peak_kilobytes() - before, 512 * 1024);
}

TEST(FilesFuzz, Safetensors) {
  const Folder folder;
  const auto config = tiny_config();
  write_safetensors(folder.path() / "whole", tiny_weights(config), {{"format", "pt"}});
  const auto whole = folder.read("whole");
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  fuzz(whole, 8 + header, [](const auto& file) { read_safetensors(file); });
}

TEST(FilesFuzz, Gguf) {
  GgufBuilder file;
  file.str("general.architecture", "llama").u32("llama.block_count", 1).f32("x", 1.0f);
  file.u32("llama.embedding_length", 32).u32("general.alignment", 32);
  file.pair("texts", 9, raw(8u) + raw<std::uint64_t>(2) + file.text("x") + file.text("yy"));
  file.pair("numbers", 9, raw(5u) + raw<std::uint64_t>(3) + raw(3) + raw(-4) + raw(0));
  for (std::uint32_t i = 0; i < 6; ++i) {
    file.tensor("blk." + std::to_string(i) + ".weight", {32, 4}, 3, std::string(80, 'x'));
  }
  const auto whole = file.build();
  fuzz(whole, whole.size() - 6 * 96, [](const auto& path) {
    const GgufFile gguf(path);
    for (const auto& info : gguf.tensors()) gguf.load(info);
  });
}

TEST(FilesFuzz, Config) {
  const auto whole = tiny_config().to_json();
  fuzz(whole, whole.size(), [](const auto& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    LlamaConfig::from_json(text, file.string()).parameter_count();
  });
}

}  // namespace
}  // namespace seawall
