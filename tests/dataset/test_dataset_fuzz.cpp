// Damaged data files: each either reads, or is refused by an error of ours.
#include <cstdlib>
#include <random>

#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"

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
  const auto flips = 1 + random() % 6;
  for (std::size_t i = 0; i < flips; ++i) {
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
  }
  return bytes;
}

void fuzz(const std::string& name, const std::string& whole) {
  std::mt19937 random(3);
  const Folder folder;
  int refused = 0;
  for (int trial = 0; trial < trials(); ++trial) {
    const auto file = folder.write(name, damaged(whole, trial, random));
    for (const bool as_rows : {true, false}) {
      try {
        if (as_rows) {
          EXPECT_FALSE(read_rows(file, RowKind::other).dataset.empty());
        } else {
          EXPECT_FALSE(read_probes(file, true).probes.empty());
        }
      } catch (const DataError& error) {
        ++refused;
        EXPECT_HAS(error.what(), name);
      }
    }
  }
  EXPECT_GT(refused, trials() / 10) << "damage went unseen";
}

TEST(DatasetFuzz, DialoguesJson) {
  fuzz("d.json", R"([[{"role":"system","content":"S \"q\" é"},{"role":"user","content":"U"},)"
                 R"({"role":"assistant","content":"A\n中"}],[{"role":"user","content":"V"},)"
                 R"({"role":"assistant","content":"B"}]])");
}

TEST(DatasetFuzz, ChatJsonl) {
  fuzz("c.jsonl",
       "{\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\","
       "\"content\":\"A\"}]}\n{\"messages\":[{\"role\":\"user\",\"content\":\"V\"},"
       "{\"role\":\"assistant\",\"content\":\"B\"}]}\n");
}

TEST(DatasetFuzz, Csv) { fuzz("p.csv", "goal,category\n\"a, \"\"b\"\"\n c\",k\nd,m\n\"e\",n\n"); }

}  // namespace
}  // namespace seawall
