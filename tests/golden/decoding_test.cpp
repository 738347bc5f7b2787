// Greedy search under generation_config.json, token for token as transformers: made by
// data/golden/make_decoding.py.
#include "seawall/model/decoding.hpp"

#include "seawall/model/generate.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_json;
using testing::ids_of;

TEST(DecodingGolden, EveryFieldChoosesTheTokensOfTransformers) {
  const auto folder = read_hf_folder(golden_folder() / "llama_tiny");
  const Decoder decoder(folder.config, folder.weights);
  int as_plain = 0;
  std::vector<std::int32_t> plain;
  for (const auto& each : golden_json("decoding.json")) {
    SCOPED_TRACE(each.at("name").get<std::string>());
    const auto read = read_decoding(each.at("settings").dump(), "generation_config.json",
                                    folder.config.vocab_size);
    GenerateOptions options;
    options.max_new_tokens = 24;
    options.stop_ids = read.rules.eos;
    options.rules = read.rules;
    // A second prompt in the batch must change nothing.
    const auto row = generate(decoder, {ids_of(each.at("prompt")), {7, 8, 9}}, options).rows.at(0);
    auto want = ids_of(each.at("ids"));
    if (row.finished) want.pop_back();  // the end itself is not kept
    EXPECT_EQ(row.ids, want);
    if (plain.empty()) plain = want;
    as_plain += want == plain;
    EXPECT_EQ(read.rules.plain(), each.at("name") == "plain" || each.at("name") == "eos");
  }
  EXPECT_EQ(as_plain, 1) << "a case that changes nothing tests nothing";
}

}  // namespace
}  // namespace seawall
