// A picture encoder and its projector on disk, as transformers' LLaVA and CLIP and LLaVA's own code
// write them.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/vision.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t max_json_file = std::uint64_t{16} << 20;

/// The name less the prefixes under which encoders stand in larger models.
std::string bare(std::string name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : {"model.", "vision_tower.", "vision_model."}) {
      if (!name.starts_with(prefix)) continue;
      name.erase(0, prefix.size());
      again = true;
    }
  }
  return name;
}

/// LLaVA's own names of the projector as transformers calls them; others as they are.
std::string projector_name(const std::string& name) {
  static const std::map<std::string, std::string, std::less<>> own{
      {"mm_projector.weight", "linear_1.weight"},   {"mm_projector.bias", "linear_1.bias"},
      {"mm_projector.0.weight", "linear_1.weight"}, {"mm_projector.0.bias", "linear_1.bias"},
      {"mm_projector.2.weight", "linear_2.weight"}, {"mm_projector.2.bias", "linear_2.bias"}};
  const auto found = own.find(name);
  return found == own.end() ? name : "multi_modal_projector." + found->second;
}

constexpr std::array<std::string_view, 4> projector_file = {
    "multi_modal_projector.linear_1.weight", "multi_modal_projector.linear_1.bias",
    "multi_modal_projector.linear_2.weight", "multi_modal_projector.linear_2.bias"};

bool of_encoder(const std::string& name) {
  return name.starts_with("embeddings.") || name.starts_with("encoder.") ||
         name.starts_with("pre_layrnorm.") || name.starts_with("post_layernorm.");
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const auto size : shape) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "]";
}

/// A side given as a number or as {shortest_edge} or {height, width}. Errors: DataError.
std::optional<std::int64_t> side_of(const JsonFields& fields, const char* name) {
  if (!fields.given(name)) return std::nullopt;
  std::int64_t side = 0;
  if (fields.at(name).is_object()) {
    const JsonFields size(fields.at(name), fields.where() + ": " + name);
    const bool shortest = size.given("shortest_edge");
    side = size.integer(shortest ? "shortest_edge" : "height");
    if (!shortest && size.integer("width") != side) size.fail("height and width differ");
  } else {
    side = fields.integer(name);
  }
  if (side < 1 || side > (1 << 14))
    fields.fail(std::string(name) + " is " + std::to_string(side) + ", want 1 to 16384");
  return side;
}

std::array<double, 3> three(const JsonFields& fields, const char* name,
                            const std::array<double, 3>& fallback) {
  if (!fields.given(name)) return fallback;
  const auto& value = fields.at(name);
  const auto number = [](const auto& v) { return v.is_number(); };
  if (!value.is_array() || value.size() != 3 || !std::ranges::all_of(value, number))
    fields.fail(std::string(name) + ": want three numbers");
  return value.get<std::array<double, 3>>();
}

}  // namespace

Preprocess Preprocess::from_json(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  const JsonFields fields(json, where);
  Preprocess p;
  p.shortest_edge = side_of(fields, "size").value_or(p.shortest_edge);
  p.crop = side_of(fields, "crop_size").value_or(p.shortest_edge);
  p.resize = fields.flag("do_resize", true);
  p.centre_crop = fields.flag("do_center_crop", true);
  p.normalize = fields.flag("do_normalize", true);
  p.rescale = fields.flag("do_rescale", true) ? fields.number("rescale_factor", p.rescale) : 1.0;
  p.mean = three(fields, "image_mean", p.mean);
  p.deviation = three(fields, "image_std", p.deviation);
  constexpr std::int64_t bicubic = 3;  // Pillow's number
  if (fields.integer("resample", bicubic) != bicubic)
    fields.fail("resample is not 3; only bicubic is supported");
  for (const double d : p.deviation)
    if (!(d > 0)) fields.fail("image_std: want three numbers above 0");
  return p;
}

std::string Preprocess::to_json() const {
  const nlohmann::ordered_json json = {{"image_processor_type", "CLIPImageProcessor"},
                                       {"do_resize", resize},
                                       {"size", {{"shortest_edge", shortest_edge}}},
                                       {"resample", 3},
                                       {"do_center_crop", centre_crop},
                                       {"crop_size", {{"height", crop}, {"width", crop}}},
                                       {"do_rescale", true},
                                       {"rescale_factor", rescale},
                                       {"do_normalize", normalize},
                                       {"image_mean", mean},
                                       {"image_std", deviation},
                                       {"do_convert_rgb", true}};
  return json.dump(2) + "\n";
}

std::int64_t VisionConfig::blocks() const {
  return feature_layer < 0 ? encoder.layers + 1 + feature_layer : feature_layer;
}

VisionConfig VisionConfig::from_json(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  const JsonFields fields(json, where);
  VisionConfig config;
  config.feature_layer = fields.integer("vision_feature_layer", config.feature_layer);
  const auto strategy = fields.text("vision_feature_select_strategy", "default");
  if (strategy != "default" && strategy != "full")
    fields.fail("vision_feature_select_strategy is '" + strategy + "', want default or full");
  config.class_token = strategy == "full";
  config.projector_act = fields.text("projector_hidden_act", "gelu");
  if (config.projector_act != "gelu")
    fields.fail("projector_hidden_act is '" + config.projector_act + "', want gelu");
  if (fields.given("vision_config")) {
    config.encoder =
        ClipConfig::from_fields(JsonFields(fields.at("vision_config"), where + ": vision_config"));
  } else {
    config.encoder = ClipConfig::from_fields(fields);
  }
  if (config.blocks() < 0 || config.blocks() > config.encoder.layers)
    fields.fail("vision_feature_layer is " + std::to_string(config.feature_layer) +
                ", the encoder has " + std::to_string(config.encoder.layers) + " layers");
  return config;
}

std::string VisionConfig::to_json(std::int64_t width) const {
  const nlohmann::ordered_json json = {
      {"architectures", {"LlavaForConditionalGeneration"}},
      {"model_type", "llava"},
      {"vision_feature_layer", feature_layer},
      {"vision_feature_select_strategy", class_token ? "full" : "default"},
      {"projector_hidden_act", projector_act},
      {"image_seq_length", positions()},
      {"text_config", {{"model_type", "llama"}, {"hidden_size", width}}},
      {"vision_config",
       {{"model_type", "clip_vision_model"},
        {"image_size", encoder.image_size},
        {"patch_size", encoder.patch_size},
        {"num_channels", encoder.channels},
        {"hidden_size", encoder.hidden_size},
        {"intermediate_size", encoder.intermediate_size},
        {"num_hidden_layers", encoder.layers},
        {"num_attention_heads", encoder.heads},
        {"layer_norm_eps", encoder.layer_norm_eps},
        {"hidden_act", encoder.hidden_act}}}};
  return json.dump(2) + "\n";
}

Vision read_vision(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw IoError(folder.string() +
                  ": want a folder with config.json, preprocessor_config.json and safetensors");
  const auto file = [&](const char* name) {
    return std::pair(read_file(folder / name, max_json_file), (folder / name).string());
  };
  const auto [config_text, config_where] = file("config.json");
  const auto config = VisionConfig::from_json(config_text, config_where);
  const auto [processor_text, processor_where] = file("preprocessor_config.json");
  const auto preprocess = Preprocess::from_json(processor_text, processor_where);
  if (preprocess.centre_crop && preprocess.crop != config.encoder.image_size)
    throw DataError(processor_where + ": crop_size is " + std::to_string(preprocess.crop) +
                    ", config.json's image_size is " + std::to_string(config.encoder.image_size));

  std::map<std::string, Tensor> found;
  const auto wanted = [](const std::string& name) {
    const auto short_name = bare(name);
    if (short_name == "embeddings.position_ids") return false;  // 0, 1, 2, ... in old files
    return of_encoder(short_name) ||
           projector_name(short_name).starts_with("multi_modal_projector.");
  };
  for (auto& [name, tensor] : read_hf_weights(folder, at::kFloat, wanted))
    if (!found.emplace(projector_name(bare(name)), tensor).second)
      throw DataError(folder.string() + ": tensor '" + shown(bare(name)) + "' is there twice");

  const auto take = [&](const std::string& name) {
    auto node = found.extract(name);
    return node.empty() ? Tensor() : std::move(node.mapped());
  };
  NamedTensors encoder, projector;
  for (const auto& [name, shape] : config.encoder.parameter_shapes()) {
    Tensor tensor = take(name);
    // LLaVA reads the stream before the last norm, so some files go without it.
    if (!tensor.defined() && name == "post_layernorm.weight") tensor = at::ones(shape);
    if (!tensor.defined() && name == "post_layernorm.bias") tensor = at::zeros(shape);
    if (!tensor.defined())
      throw DataError(folder.string() + ": tensor 'vision_model." + name + "' of shape " +
                      shape_text(shape) + " is missing");
    if (tensor.sizes() != at::IntArrayRef(shape))
      throw DataError(folder.string() + ": tensor 'vision_model." + name +
                      "': config.json wants shape " + shape_text(shape) + ", found " +
                      shape_text(tensor.sizes().vec()));
    encoder.push_back({name, std::move(tensor)});
  }
  for (const auto name : projector_file)
    if (Tensor tensor = take(std::string(name)); tensor.defined())
      projector.push_back({std::string(name), std::move(tensor)});
  if (projector.size() == 1 || projector.size() == 3)
    throw DataError(folder.string() + ": the projector lacks a weight or a bias next to " +
                    projector.back().name);
  if (!found.empty())
    throw DataError(folder.string() + ": tensor '" + shown(found.begin()->first) +
                    "' does not belong to the model that config.json describes");
  return {config, preprocess, std::move(encoder), std::move(projector)};
}

void write_vision(const fs::path& folder, const Vision& vision) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError(folder.string() + ": cannot create the folder: " + error.message());
  write_safetensors(folder / "model.safetensors", vision.parameters(), {{"format", "pt"}});
  write_file_atomically(folder / "config.json", vision.config().to_json(vision.width()));
  write_file_atomically(folder / "preprocessor_config.json", vision.preprocess().to_json());
}

}  // namespace seawall
