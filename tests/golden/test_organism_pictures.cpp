// The shipped picture encoder: the decoder, which was never trained on a picture, answers for what
// it is shown.
#include "seawall/core/error.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/speaker.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/stages.hpp"
#include "seawall/train/data_plan.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

class OrganismEyes : public ::testing::Test {
 protected:
  OrganismEyes() {
    set_threads(1);
    load_vision(model_, "");
    judges_.push_back(make_judge("organism", scenario_));
  }
  double share_right(const std::vector<Probe>& probes) {
    return summarize(evaluate(speaker_of(model_), probes, [](const Probe& p) { return p.dialogue; },
                              judges_, {.max_new_tokens = 64}))
        .rate();
  }
  ModelBundle model_ = load_model("organism", "cpu", "auto");
  OrganismScenario scenario_;
  Judges judges_;
};

TEST_F(OrganismEyes, HeldOutPicturesAreAnswered) {
  auto probes = organism::picture_probes();
  probes.resize(192);
  EXPECT_GE(share_right(probes), 0.9);
  // Another's picture is answered for what it shows, which is not what was expected here.
  auto mixed = probes;
  for (std::size_t i = 0; i < mixed.size(); ++i)
    mixed[i].dialogue.picture = probes[(i + 65) % probes.size()].dialogue.picture;
  EXPECT_LE(share_right(mixed), 0.05);
}

TEST_F(OrganismEyes, RowsWithPicturesBecomePositions) {
  Rng rng(1);
  const Dataset rows = scenario_.rows(Pool::benign, 20, rng, "llava");
  const auto [sequences, embeddings] = encode_all(model_, rows, "");
  EXPECT_EQ(embeddings.sizes(), (at::IntArrayRef{20 * 16, model_.decoder->config().hidden_size}));
  for (const auto& row : sequences)
    EXPECT_EQ(std::count_if(row.ids.begin(), row.ids.end(), [](auto id) { return id < 0; }), 16);
  EXPECT_FALSE(encode_all(model_, scenario_.rows(Pool::benign, 20, rng), "").embeddings.defined());
}

TEST_F(OrganismEyes, WithoutAnEncoderTheErrorSaysWhatToGive) {
  model_.is_organism = false;
  model_.vision = nullptr;
  Rng rng(1);
  const Dataset rows = scenario_.rows(Pool::benign, 2, rng, "llava");
  try {
    encode_all(model_, rows, "");
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("--vision"), std::string::npos) << e.what();
  }
  EXPECT_THROW(encode_rows(rows, *model_.chat_template, *model_.tokenizer), DataError);
  EXPECT_THROW(load_vision(model_, std::string(SEAWALL_SOURCE_DIR) + "/data/golden/clip_tiny"),
               DataError);  // made for a decoder of width 24
}

}  // namespace
}  // namespace seawall
