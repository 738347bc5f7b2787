// Greedy search under generation_config.json, token for token as transformers: made by
// data/golden/make_decoding.py.
#include "seawall/model/decoding.hpp"

#include <algorithm>

#include "seawall/eval/stop_strings.hpp"
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
  const auto tokenizer = load_tokenizer_json(golden_folder() / "llama_tiny/tokenizer.json");
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
    const auto& stops = read.rules.stop_strings;
    if (!stops.empty())
      options.ends = [&](const auto prompt, const auto answer) {
        return completes_stop_string(*tokenizer, stops, prompt, answer);
      };
    // A second prompt in the batch must change nothing.
    const auto row = generate(decoder, {ids_of(each.at("prompt")), {7, 8, 9}}, options).rows.at(0);
    auto want = ids_of(each.at("ids"));
    const auto& eos = read.rules.eos;
    if (row.finished && std::ranges::count(eos, want.back()) > 0)
      want.pop_back();  // an end token is not kept
    EXPECT_EQ(row.ids, want);
    if (plain.empty()) plain = want;
    as_plain += want == plain;
    const bool greedy = each.at("name") == "plain" || each.at("name") == "eos";
    EXPECT_EQ(read.rules.plain(), greedy || !stops.empty());
    EXPECT_EQ(read.rules.change_answers(), !greedy);
  }
  EXPECT_EQ(as_plain, 2) << "a case that changes nothing tests nothing, but for a stop string that "
                            "the prompt alone has";
}

}  // namespace
}  // namespace seawall
