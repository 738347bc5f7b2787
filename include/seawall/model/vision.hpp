#pragma once
// Pictures as prefix embeddings of a decoder, as LLaVA has them: CLIP's features, one layer before
// the last, through a projector to the decoder's width. Source: Liu et al. 2023 (LLaVA) and 2024
// (LLaVA-1.5, sec. 3.3).
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/clip.hpp"

namespace seawall {

/// How CLIP sees a picture: shortest side resized (bicubic), centre cropped, scaled, normalized.
struct Preprocess {
  std::int64_t shortest_edge = 224, crop = 224;
  double rescale = 1.0 / 255.0;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073};  // CLIPImageProcessor's defaults
  std::array<double, 3> deviation{0.26862954, 0.26130258, 0.27577711};
  bool resize = true, centre_crop = true, normalize = true;
  /// Reads preprocessor_config.json. Errors: DataError naming the field.
  static Preprocess from_json(const std::string& text, const std::string& where);
  std::string to_json() const;
  /// Shapes: -> [3,S,S] fp32. Errors: DataError where the picture is smaller than the crop.
  Tensor operator()(const Pixels& pixels) const;
};

struct VisionConfig {
  ClipConfig encoder;
  /// Whose output is taken: -1 the last block's, -2 (LLaVA) the one before, or a number from 0.
  std::int64_t feature_layer = -2;
  bool class_token = false;            // keep it (vision_feature_select_strategy `full`)
  std::string projector_act = "gelu";  // between the two layers of LLaVA-1.5's projector
  /// Blocks that are run.
  std::int64_t blocks() const;
  std::int64_t positions() const { return encoder.patches() + (class_token ? 1 : 0); }
  /// Reads config.json of a LLaVA, CLIP or CLIP vision model. Errors: DataError naming the field.
  static VisionConfig from_json(const std::string& text, const std::string& where);
  /// What transformers' LlavaConfig reads of it. `width` is the decoder's.
  std::string to_json(std::int64_t width) const;
};

/// Encoder, projector and preprocessing together.
class Vision {
 public:
  /// `projector`: weight and bias of one linear layer (LLaVA) or of two (LLaVA-1.5), or nothing,
  /// where only features are wanted. Errors: DataError for shapes that do not fit.
  Vision(VisionConfig config, Preprocess preprocess, NamedTensors encoder, NamedTensors projector);

  const VisionConfig& config() const { return config_; }
  const ClipEncoder& encoder() const { return encoder_; }
  const Preprocess& preprocess() const { return preprocess_; }
  /// Encoder's, then projector's, under the names of a LLaVA file; the forward pass reads them.
  NamedTensors parameters() const;
  std::int64_t width() const;  // C of the decoder; 0 without a projector

  /// N preprocessed pictures. Shapes: -> [N,3,S,S].
  Tensor pixels(const std::vector<Pixels>& pictures) const;
  /// Shapes: pixels [B,3,S,S] -> [B,N,W], N = config().positions().
  Tensor features(const Tensor& pixels) const;
  /// Features through the projector. Differentiable in the weights that require grad. Shapes:
  /// pixels [B,3,S,S] -> [B,N,C]. Errors: DataError where there is no projector.
  Tensor embed(const Tensor& pixels) const;

 private:
  VisionConfig config_;
  Preprocess preprocess_;
  ClipEncoder encoder_;
  NamedTensors projector_;
};

/// Reads config.json, preprocessor_config.json and safetensors: a LLaVA model (its language model
/// is left unread), or a CLIP model. Names may have the prefixes vision_tower. and vision_model.;
/// the projector is multi_modal_projector.linear_1 and linear_2, or mm_projector as LLaVA's own
/// files have it. Errors: IoError; DataError naming file and tensor or field.
Vision read_vision(const std::filesystem::path& folder);
/// Writes these three files as transformers' LlavaConfig and CLIPImageProcessor read them.
void write_vision(const std::filesystem::path& folder, const Vision& vision);

/// The pictures of some rows: puts their positions into the rows and computes each one once.
class PictureRows {
 public:
  explicit PictureRows(const Vision& vision) : vision_(vision) {}
  /// Replaces picture_id in `ids` by the positions of `picture`; `loss`, where given, grows with
  /// it. Equal pictures (by content hash) share their rows. Errors: those of Picture; DataError
  /// where there is no such id.
  void place(const Picture& picture, std::vector<std::int32_t>& ids,
             std::vector<std::uint8_t>* loss = nullptr);
  /// What the positions read, without gradients. Memory: 4 N C bytes a picture. Shapes: -> [R,C];
  /// undefined where no picture was placed.
  Tensor embeddings() const;

 private:
  const Vision& vision_;
  std::map<std::string, std::int64_t> first_row_;  // by content hash
  std::vector<Tensor> pixels_;                     // [3,S,S], in order
};

}  // namespace seawall
