// Damaged tokenizer files: each either loads and tokenizes, or is refused by an error of ours.
#include <sys/resource.h>

#include <cstdlib>
#include <random>

#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing_support;

int trials() {
  const char* wanted = std::getenv("SEAWALL_FUZZ");
  return wanted != nullptr ? std::atoi(wanted) : 300;
}

std::string damaged(const std::string& whole, int trial, std::mt19937& random) {
  if (trial % 3 == 0) return whole.substr(0, random() % whole.size());
  auto bytes = whole;
  const int flips = 1 + static_cast<int>(random() % 8);
  for (int i = 0; i < flips; ++i) {
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
  }
  return bytes;
}

/// Kilobytes of memory that the process has held at most.
long peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

template <class Load>
void fuzz(const std::string& whole, Load&& load) {
  std::mt19937 random(11);
  const auto before = peak_memory();
  int refused = 0;
  for (int trial = 0; trial < trials(); ++trial) {
    try {
      const auto tokenizer = load(damaged(whole, trial, random));
      tokenizer->decode(tokenizer->encode("hello <|user|> the é\n 12", trial % 2 == 0));
    } catch (const DataError& error) {
      ++refused;
      EXPECT_GT(std::string(error.what()).size(), 10u);
    }
  }
  EXPECT_GT(refused, trials() / 4) << "damage went unseen";
  EXPECT_LT(peak_memory() - before, 512 * 1024);
}

TEST(TextFuzz, SentencePiece) {
  fuzz(spm_model(), [](const std::string& bytes) { return make_sentencepiece(bytes, "m.model"); });
}

TEST(TextFuzz, TokenizerJson) {
  const Folder folder;
  make_bpe_tokenizer(bpe_spec())->save(folder.path());
  std::ifstream in(folder.path() / "tokenizer.json", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  fuzz(whole, [&](const std::string& bytes) {
    return load_tokenizer_json(folder.write("tokenizer.json", bytes));
  });
}

}  // namespace
}  // namespace seawall
