// Encoder, projector and preprocessing on disk.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/vision.hpp"
#include "test_files_support.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const json clip = {{"model_type", "clip_vision_model"},
                   {"image_size", 8},
                   {"patch_size", 4},
                   {"hidden_size", 6},
                   {"intermediate_size", 10},
                   {"num_hidden_layers", 3},
                   {"num_attention_heads", 2}};

Vision tiny(std::int64_t width = 5) {
  VisionConfig config = VisionConfig::from_json(clip.dump(), "x");
  Preprocess preprocess;
  preprocess.shortest_edge = preprocess.crop = 8;
  NamedTensors projector{{"multi_modal_projector.linear_1.weight", at::randn({width, 6})},
                         {"multi_modal_projector.linear_1.bias", at::randn({width})}};
  return {config, preprocess, random_clip_weights(config.encoder, 1), projector};
}

class VisionFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "seawall-vision-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  void weights(const NamedTensors& w) const { write_safetensors(folder_ / "model.safetensors", w); }
  std::string error() const {
    try {
      read_vision(folder_);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
  fs::path folder_;
};

TEST_F(VisionFiles, WhatIsWrittenComesBack) {
  const Vision vision = tiny();
  write_vision(folder_, vision);
  const Vision back = read_vision(folder_);
  const Tensor x = at::randn({2, 3, 8, 8});
  EXPECT_TRUE(at::equal(back.embed(x), vision.embed(x)));
  EXPECT_EQ(back.width(), 5);
  EXPECT_EQ(back.config().positions(), 4);
  EXPECT_EQ(back.config().blocks(), 2);
  EXPECT_EQ(back.preprocess().crop, 8);
}

TEST_F(VisionFiles, NamesOfOtherProgramsAreTaken) {
  const Vision vision = tiny();
  write_vision(folder_, vision);
  const Tensor x = at::randn({1, 3, 8, 8}), want = vision.embed(x);
  const auto renamed = [&](const std::string& encoder, const std::string& projector) {
    NamedTensors out;
    for (auto [name, tensor] : vision.parameters()) {
      if (name.starts_with("vision_tower.vision_model."))
        name = encoder + name.substr(26);
      else
        name = projector + name.substr(name.rfind('.'));
      out.push_back({name, tensor});
    }
    out.push_back({"language_model.model.norm.weight", at::ones({3})});
    out.push_back({"model.layers.0.mlp.up_proj.weight", at::ones({3})});
    weights(out);
    return read_vision(folder_).embed(x);
  };
  EXPECT_TRUE(at::equal(renamed("vision_model.", "multi_modal_projector.linear_1"), want));
  EXPECT_TRUE(at::equal(renamed("", "mm_projector"), want));
  EXPECT_TRUE(at::equal(
      renamed("model.vision_tower.vision_tower.vision_model.", "model.mm_projector"), want));
}

TEST_F(VisionFiles, TheLastNormMayBeMissingAndAnythingElseMayNot) {
  const Vision vision = tiny();
  write_vision(folder_, vision);
  NamedTensors some;
  for (const auto& w : vision.parameters())
    if (w.name.find("post_layernorm") == std::string::npos) some.push_back(w);
  weights(some);
  EXPECT_EQ(error(), "no error");
  some.erase(some.begin() + 3);
  weights(some);
  EXPECT_NE(error().find("tensor 'vision_model.pre_layrnorm.weight' of shape [6] is missing"),
            std::string::npos)
      << error();
  some = vision.parameters();
  some.pop_back();
  weights(some);
  EXPECT_NE(error().find("the projector lacks a weight or a bias"), std::string::npos) << error();
  some = vision.parameters();
  some.push_back({"vision_model.encoder.layers.3.layer_norm1.bias", at::ones({6})});
  weights(some);
  EXPECT_NE(error().find("does not belong to the model"), std::string::npos) << error();
  some = vision.parameters();
  some[0].tensor = at::ones({7});
  weights(some);
  EXPECT_NE(error().find("config.json wants shape [6], found [7]"), std::string::npos) << error();
}

TEST_F(VisionFiles, ErrorsOfTheConfigNameTheField) {
  const auto message = [](json change) {
    json all = clip;
    all.update(change);
    try {
      VisionConfig::from_json(all.dump(), "c.json");
    } catch (const DataError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message({{"hidden_size", "six"}}),
            "c.json: hidden_size: want an integer, found string");
  EXPECT_NE(message({{"num_attention_heads", 4}}).find("not a multiple of num_attention_heads 4"),
            std::string::npos);
  EXPECT_NE(message({{"hidden_act", "relu"}}).find("hidden_act is 'relu'"), std::string::npos);
  EXPECT_NE(message({{"patch_size", 9}}).find("patch_size is 9"), std::string::npos);
  EXPECT_NE(message({{"model_type", "siglip_vision_model"}}).find("model_type is"),
            std::string::npos);
  EXPECT_NE(message({{"vision_feature_layer", -5}}).find("vision_feature_layer is -5"),
            std::string::npos);
  EXPECT_NE(message({{"vision_config", {{"image_size", 0}}}}).find("vision_config: "),
            std::string::npos);
}

TEST_F(VisionFiles, FeatureLayerAndClassTokenAreSelectable) {
  const auto features = [](json change) {
    json all = {{"model_type", "llava"}, {"vision_config", clip}};
    all.update(change);
    const auto config = VisionConfig::from_json(all.dump(), "x");
    const Vision vision(config, {}, random_clip_weights(config.encoder, 1), {});
    const Tensor x = at::linspace(-1, 1, 192).view({1, 3, 8, 8});
    return std::pair(vision.features(x), vision.encoder().hidden(x, config.blocks()));
  };
  const auto [two, two_all] = features(json::object());
  EXPECT_TRUE(at::equal(two, two_all.narrow(1, 1, 4)));
  const auto [last, last_all] = features({{"vision_feature_layer", -1}});
  EXPECT_FALSE(at::allclose(last, two));
  const auto [third, third_all] =
      features({{"vision_feature_layer", 3}, {"vision_feature_select_strategy", "full"}});
  EXPECT_TRUE(at::equal(third, last_all));
}

TEST_F(VisionFiles, PreprocessingReadsOldAndNewFiles) {
  const auto read = [](const json& j) { return Preprocess::from_json(j.dump(), "p.json"); };
  EXPECT_EQ(read({{"size", 336}, {"crop_size", 300}}).crop, 300);
  const auto p = read({{"size", {{"shortest_edge", 336}}},
                       {"crop_size", {{"height", 224}, {"width", 224}}},
                       {"image_mean", {0.1, 0.2, 0.3}}});
  EXPECT_EQ(p.shortest_edge, 336);
  EXPECT_EQ(p.crop, 224);
  EXPECT_EQ(p.mean[1], 0.2);
  EXPECT_THROW(read({{"image_std", {1, 0, 1}}}), DataError);
  EXPECT_THROW(read({{"crop_size", {{"height", 224}, {"width", 200}}}}), DataError);
  EXPECT_THROW(read({{"resample", 2}}), DataError);
}

TEST(PictureRows, EqualPicturesShareRowsAndOthersDoNot) {
  const Vision vision = tiny();
  PictureRows pictures(vision);
  Pixels grey{8, 8, std::vector<std::uint8_t>(192, 90)}, light = grey;
  light.rgb[7] = 200;
  std::vector<std::int32_t> first{4, picture_id, 5}, second = first, third = first;
  std::vector<std::uint8_t> loss{0, 0, 1};
  pictures.place(Picture(grey), first, &loss);
  pictures.place(Picture(light), second);
  pictures.place(Picture(grey), third);
  EXPECT_EQ(first, (std::vector<std::int32_t>{4, -1, -2, -3, -4, 5}));
  EXPECT_EQ(second, (std::vector<std::int32_t>{4, -5, -6, -7, -8, 5}));
  EXPECT_EQ(third, first);
  EXPECT_EQ(loss, (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 1}));
  const Tensor rows = pictures.embeddings();
  ASSERT_EQ(rows.sizes(), (at::IntArrayRef{8, 5}));
  // A batch of two and one of one may sum in another order.
  const Tensor alone = vision.embed(vision.pixels({light}))[0];
  EXPECT_TRUE(at::allclose(rows.narrow(0, 4, 4), alone, 1e-5, 1e-5));
  EXPECT_FALSE(rows.requires_grad());
  std::vector<std::int32_t> none{4, 5};
  EXPECT_THROW(pictures.place(Picture(grey), none), DataError);
  Pixels small{4, 8, std::vector<std::uint8_t>(96)};
  std::vector<std::int32_t> fourth{picture_id};
  EXPECT_NO_THROW(pictures.place(Picture(small), fourth));  // resized to 8 x 16, then cropped
}

}  // namespace
}  // namespace seawall
