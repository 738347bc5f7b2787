#include "seawall/run/extract.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

class Extract : public ::testing::Test {
 protected:
  /// The organism's activations at two prompts, one of them with a system message.
  std::filesystem::path extracted(const std::string& points, const std::string& positions) {
    folder.write("prompts.jsonl", R"({"messages": [{"role": "system", "content": "Be brief."},
{"role": "user", "content": "What grows in the garden?"}]}
{"text": "Tell me of the sea."}
)");
    auto text = testing::bytes_of(folder / "prompts.jsonl");
    text.erase(text.find("},\n") + 2, 1);  // a row is a line
    folder.write("prompts.jsonl", text);
    ExtractSpec spec;
    spec.prompts = folder / "prompts.jsonl";
    spec.out = folder / "acts.h5";
    spec.points = points;
    spec.positions = positions;
    spec.overwrite = spec.quiet = true;
    spec.threads = 1;
    return extract_activations(spec, "").at(0);
  }
  testing::Folder folder;
};

TEST_F(Extract, AttentionAndMlpAreWhatABlockAddsToTheStream) {
  for (const std::string positions : {"last", "all"}) {
    const h5::Reader file(extracted("resid_post,attn_out,mlp_out", positions));
    const auto shape = file.shape("resid_post"), inside = file.shape("attn_out");
    ASSERT_EQ(shape[1], inside[1] + 1);
    const auto stream = file.float32("resid_post"), attention = file.float32("attn_out"),
               mlp = file.float32("mlp_out");
    ASSERT_EQ(file.int32("block").size(), inside[1]);
    const auto block = stream.size() / shape[0] / shape[1];
    std::size_t compared = 0;
    for (std::size_t prompt = 0; prompt < shape[0]; ++prompt)
      for (std::size_t l = 0; l < inside[1]; ++l)
        for (std::size_t i = 0; i < block; ++i) {
          const auto before = (prompt * shape[1] + l) * block + i,
                     added = (prompt * inside[1] + l) * block + i;
          ASSERT_EQ(std::isnan(stream[before]), std::isnan(attention[added]));
          if (std::isnan(stream[before])) continue;  // after the prompt's end
          ++compared;
          ASSERT_NEAR(stream[before + block] - stream[before], attention[added] + mlp[added], 1e-4);
        }
    EXPECT_GT(compared, 2 * block / 2);
  }
}

TEST_F(Extract, AttentionIsSharedOutAmongThePartsOfAPrompt) {
  const h5::Reader file(extracted("attention", "last"));
  const auto shape = file.shape("attention");  // prompt, block, head, span
  ASSERT_EQ(file.texts("span"),
            (std::vector<std::string>{"sink", "system", "user", "assistant", "template", "self"}));
  const auto shares = file.float32("attention");
  double system = 0, user = 0;
  for (std::size_t at = 0; at < shares.size(); at += 6) {
    double sum = 0;
    for (std::size_t s = 0; s < 6; ++s) {
      EXPECT_GE(shares[at + s], -1e-6);
      sum += shares[at + s];
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_NEAR(shares[at + 3], 0, 1e-6) << "no turn of an assistant is there";
    const bool first = at < shares.size() / 2;
    if (!first) {
      EXPECT_NEAR(shares[at + 1], 0, 1e-6) << "plain text has no system message";
      EXPECT_NEAR(shares[at + 4], 0, 1e-6);
    }
    system += first ? shares[at + 1] : 0;
    user += shares[at + 2];
  }
  EXPECT_GT(system, 0);
  EXPECT_GT(user, 0);
}

TEST_F(Extract, OtherPointsAreRefused) {
  EXPECT_THROW(extracted("resid_pre", "last"), UsageError);
  EXPECT_THROW(extracted("", "last"), UsageError);
}

}  // namespace
}  // namespace seawall
