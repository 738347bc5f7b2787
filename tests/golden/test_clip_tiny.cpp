// A tiny random CLIP encoder with a LLaVA projector against transformers in float64, and its
// preprocessing against Pillow, made by data/golden/make_clip_tiny.py.
#include "seawall/core/picture.hpp"
#include "seawall/model/vision.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_tensors;
using testing::largest_difference;

class ClipTiny : public ::testing::Test {
 protected:
  Vision vision_ = read_vision(golden_folder() / "clip_tiny");
  std::map<std::string, Tensor> golden_ = golden_tensors("clip_tiny/golden.safetensors");
  const Tensor& pixels_ = golden_.at("pixel_values");  // [2,3,32,32]
};

// Streams are up to 20 and the longest sums have 192 terms: float32 rounding gives some 1e-5.
constexpr double clip_tolerance = 1e-4;

TEST_F(ClipTiny, HiddenStatesAndPooledOutput) {
  const auto& encoder = vision_.encoder();
  EXPECT_LT(largest_difference(encoder.hidden(pixels_, 0), golden_.at("hidden_0")), clip_tolerance);
  EXPECT_LT(largest_difference(encoder.hidden(pixels_, 2), golden_.at("hidden_before_last")),
            clip_tolerance);
  const Tensor last = encoder.hidden(pixels_, 3);
  EXPECT_LT(largest_difference(last, golden_.at("last_hidden_state")), clip_tolerance);
  EXPECT_LT(largest_difference(encoder.pooled(last), golden_.at("pooler_output")), clip_tolerance);
}

TEST_F(ClipTiny, EmbeddingsAreThoseOfTheLayerBeforeTheLastWithoutTheClassToken) {
  EXPECT_EQ(vision_.config().positions(), 16);
  EXPECT_EQ(vision_.width(), 24);
  // Embeddings are up to 20, after two more sums.
  EXPECT_LT(largest_difference(vision_.embed(pixels_), golden_.at("embeddings")),
            2 * clip_tolerance);
}

TEST_F(ClipTiny, PreprocessingFollowsPillow) {
  // 1/255 is one grey level, 0.015 after normalizing: resizing may round the other way, and libjpeg
  // builds differ by a level.
  const char* names[] = {"wide.png", "tall.jpg"};
  for (std::int64_t i = 0; i < 2; ++i) {
    const Picture picture(golden_folder() / "clip_tiny" / names[i]);
    const Tensor ours = vision_.preprocess()(picture.pixels());
    EXPECT_LT(largest_difference(ours, pixels_[i]), 2.1 * 0.0155) << names[i];
    EXPECT_LT((ours - pixels_[i]).abs().mean().item<double>(), 0.1 * 0.0155) << names[i];
  }
}

}  // namespace
}  // namespace seawall
