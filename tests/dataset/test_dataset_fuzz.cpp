// Damaged data files.
#include <zlib.h>

#include "dataset/gzip.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

void fuzz_data(const std::string& name, const std::string& whole, int trials = 60) {
  const Folder folder;
  // Flipped letters of a prompt are another prompt, so little of this damage can be seen.
  fuzz(whole, {.trials = trials, .name = name, .refused = 0.1}, [&](const std::string& bytes) {
    EXPECT_FALSE(read_rows(folder.write(name, bytes), RowKind::other).dataset.empty());
  });
}
void fuzz_probes(const std::string& name, const std::string& whole, double refused = 0.1) {
  const Folder folder;
  fuzz(whole, {.trials = 60, .name = name, .refused = refused}, [&](const std::string& bytes) {
    EXPECT_FALSE(read_probes(folder.write(name, bytes), true).probes.empty());
  });
}

const std::string dialogues =
    R"([[{"role":"system","content":"S \"q\" é"},{"role":"user","content":"U"},)"
    R"({"role":"assistant","content":"A\n中"}],[{"role":"user","content":"V"},)"
    R"({"role":"assistant","content":"B"}]])";
const std::string chat =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\","
    "\"content\":\"A\"}]}\n{\"messages\":[{\"role\":\"user\",\"content\":\"V\"},"
    "{\"role\":\"assistant\",\"content\":\"B\"}]}\n";

TEST(DatasetFuzz, DialoguesJson) {
  fuzz_data("d.json", dialogues);
  fuzz_probes("d.json", dialogues);
}

TEST(DatasetFuzz, ChatJsonl) {
  fuzz_data("c.jsonl", chat);
  fuzz_probes("c.jsonl", chat);
}

TEST(DatasetFuzz, InstructionsAndTranscripts) {
  fuzz_data("a.json",
            R"([{"instruction":"I","input":"","output":"O"},{"instruction":"J","output":"P"}])");
  fuzz_data("d.jsonl", R"({"instruction":"I","context":"C","response":"R","category":"qa"})");
  fuzz_data("r.json", R"([{"transcript":"\n\nHuman: Row?\n\nAssistant: No.","rating":4.0,)"
                      R"("tags":["boats"]}])");
  fuzz_data("l.json", R"([{"id":"1","conversations":[{"from":"human","value":"h"},)"
                      R"({"from":"gpt","value":"g"}]}])");
}

TEST(DatasetFuzz, Csv) {
  fuzz_probes("p.csv", "goal,category\n\"a, \"\"b\"\"\n c\",k\nd,m\n\"e\",n\n");
  fuzz_data("b.csv", "goal,target\n\"a, \"\"b\"\"\n c\",k\nd,m\n\"e\",n\n");
  fuzz_probes("lines.csv", "One, two\n\"three \"\"four\"\"\"\n", 0.02);
}

TEST(DatasetFuzz, Gzip) {
  std::string packed(compressBound(chat.size()) + 32, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(chat.data()));
  stream.avail_in = static_cast<uInt>(chat.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  fuzz_data("c.jsonl.gz", packed, 200);
}

}  // namespace
}  // namespace seawall
