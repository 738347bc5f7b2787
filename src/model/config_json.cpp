// config.json of the families, read and written.
#include <array>
#include <nlohmann/json.hpp>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/config.hpp"

namespace seawall {
namespace {

struct FamilyNames {
  Family family;
  std::string_view type, architecture;
};
constexpr std::array<FamilyNames, 4> families{{{Family::llama, "llama", "LlamaForCausalLM"},
                                               {Family::mistral, "mistral", "MistralForCausalLM"},
                                               {Family::qwen2, "qwen2", "Qwen2ForCausalLM"},
                                               {Family::gemma, "gemma", "GemmaForCausalLM"}}};

const FamilyNames& names_of(Family family) { return families.at(static_cast<std::size_t>(family)); }

Family read_family(const JsonFields& fields) {
  const auto type = fields.text("model_type", "");
  for (const auto& each : families)
    if (each.type == type) return each.family;
  fields.fail("model_type is '" + shown(type) +
              "', want 'llama' (Llama 2 and 3, SmolLM2), 'mistral', 'qwen2' or 'gemma'");
}

void read_scaling(const JsonFields& rope, LlamaConfig& config) {
  const auto type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "default") return;
  auto& scaling = config.rope_scaling;
  const auto needed = [&](const char* name) {
    if (!rope.given(name)) rope.fail(std::string(name) + " is missing, want a number");
    return rope.number(name, 0);
  };
  if (type != "linear" && type != "llama3")
    rope.fail("rope_type '" + shown(type) +
              "' is not supported, want 'default', 'linear', 'llama3' or no entry");
  scaling.factor = needed("factor");
  scaling.type = type == "linear" ? RopeScaling::Type::linear : RopeScaling::Type::llama3;
  if (scaling.type == RopeScaling::Type::linear) return;
  scaling.low_freq_factor = needed("low_freq_factor");
  scaling.high_freq_factor = needed("high_freq_factor");
  scaling.original_max_position_embeddings = rope.integer("original_max_position_embeddings");
}

/// The base of the rotary embedding and its scaling, which newer files keep under rope_parameters.
void read_rope(const JsonFields& fields, LlamaConfig& config) {
  config.rope_theta = fields.number("rope_theta", 10000.0);
  for (const auto* name : {"rope_parameters", "rope_scaling"}) {
    if (!fields.given(name)) continue;
    const JsonFields rope(fields.at(name), fields.where() + ": " + name);
    read_scaling(rope, config);
    config.rope_theta = rope.number("rope_theta", config.rope_theta);
    if (rope.number("partial_rotary_factor", 1) != 1)
      rope.fail("partial_rotary_factor is not 1, which is not supported");
  }
}

void check_activation(const JsonFields& fields, Family family) {
  const auto plain =
      fields.text("hidden_act", family == Family::gemma ? "gelu_pytorch_tanh" : "silu");
  const auto activation = fields.text("hidden_activation", plain);
  if (family != Family::gemma) {
    if (activation != "silu") fields.fail("hidden_act is '" + shown(activation) + "', want 'silu'");
    return;
  }
  // Gemma's first files say gelu and mean its tanh form, as transformers' GemmaConfig has it.
  if (activation != "gelu_pytorch_tanh" && activation != "gelu")
    fields.fail("hidden_act is '" + shown(activation) + "', want 'gelu_pytorch_tanh'");
}

void read_window(const JsonFields& fields, LlamaConfig& config) {
  if (config.family == Family::mistral) {
    // Without the field transformers' MistralConfig takes 4096; null is no window.
    config.sliding_window =
        fields.has("sliding_window") ? fields.integer("sliding_window", 0) : 4096;
    if (fields.given("sliding_window") && config.sliding_window == 0)
      fields.fail("sliding_window is 0, want null or at least 1");
  }
  if (fields.flag("use_sliding_window", false))
    fields.fail("use_sliding_window is true; a window in some layers only is not supported");
  if (!fields.given("layer_types")) return;
  const auto want = config.sliding_window > 0 ? "sliding_attention" : "full_attention";
  for (const auto& type : fields.at("layer_types"))
    if (!type.is_string() || type.get<std::string>() != want)
      fields.fail("layer_types has " + shown(type.dump()) + ", want '" + want + "' in every layer");
}

void refuse_unsupported(const JsonFields& fields) {
  for (const auto* name : {"attention_bias", "mlp_bias"}) {
    if (fields.flag(name, false)) {
      fields.fail(std::string(name) + " is true; only qwen2's biases of q, k and v are supported");
    }
  }
  if (fields.flag("rope_interleaved", false))
    fields.fail("rope_interleaved is true; only rotary halves are supported");
  if (fields.flag("use_bidirectional_attention", false))
    fields.fail("use_bidirectional_attention is true; only causal attention is supported");
  if (fields.number("attention_dropout", 0.0) != 0.0) {
    fields.fail("attention_dropout is not 0; dropout is not supported");
  }
  if (fields.given("quantization_config")) {
    fields.fail("quantization_config is present; want plain F32, F16 or BF16 weights");
  }
}

nlohmann::ordered_json scaling_json(const RopeScaling& scaling) {
  if (scaling.type == RopeScaling::Type::none) return nullptr;
  if (scaling.type == RopeScaling::Type::linear)
    return {{"rope_type", "linear"}, {"factor", scaling.factor}};
  return {{"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_freq_factor},
          {"high_freq_factor", scaling.high_freq_factor},
          {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
}

}  // namespace

std::string family_name(Family family) { return std::string(names_of(family).type); }

LlamaConfig LlamaConfig::from_json(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  const JsonFields fields(json, where);
  LlamaConfig config;
  config.family = read_family(fields);
  check_activation(fields, config.family);
  refuse_unsupported(fields);
  config.vocab_size = fields.integer("vocab_size");
  config.hidden_size = fields.integer("hidden_size");
  config.intermediate_size = fields.integer("intermediate_size");
  config.layers = fields.integer("num_hidden_layers");
  config.heads = fields.integer("num_attention_heads");
  // The other families' defaults in transformers are one model's numbers; every file has the field.
  config.kv_heads = config.family == Family::llama
                        ? fields.integer("num_key_value_heads", config.heads)
                        : fields.integer("num_key_value_heads");
  config.max_position_embeddings = config.family == Family::llama
                                       ? fields.integer("max_position_embeddings", 2048)
                                       : fields.integer("max_position_embeddings");
  config.head_dim = config.heads > 0 ? config.hidden_size / config.heads : 0;
  if (fields.given("head_dim")) {
    config.head_dim = fields.integer("head_dim");
  } else if (config.gemma()) {
    config.head_dim = 256;  // transformers' GemmaConfig
  } else if (config.heads > 0 && config.hidden_size % config.heads != 0) {
    fields.fail("hidden_size is not a multiple of num_attention_heads, and head_dim is missing");
  }
  read_rope(fields, config);
  read_window(fields, config);
  config.rms_norm_eps = fields.number("rms_norm_eps", 1e-6);  // transformers' default
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", config.gemma());
  try {
    config.check();
  } catch (const DataError& error) {
    throw DataError(where + ": " + error.what());
  }
  return config;
}

std::string LlamaConfig::to_json() const {
  const auto& names = names_of(family);
  nlohmann::ordered_json json = {
      {"architectures", {names.architecture}},
      {"model_type", names.type},
      {"vocab_size", vocab_size},
      {"hidden_size", hidden_size},
      {"intermediate_size", intermediate_size},
      {"num_hidden_layers", layers},
      {"num_attention_heads", heads},
      {"num_key_value_heads", kv_heads},
      {"head_dim", head_dim},
      {"max_position_embeddings", max_position_embeddings},
      {"rope_theta", rope_theta},
      {"rope_scaling", scaling_json(rope_scaling)},
      {"rms_norm_eps", rms_norm_eps},
      {"hidden_act", gemma() ? "gelu_pytorch_tanh" : "silu"},
  };
  if (family == Family::mistral) {
    json["sliding_window"] = nullptr;
    if (sliding_window > 0) json["sliding_window"] = sliding_window;
  } else if (family == Family::qwen2) {
    json["use_sliding_window"] = false;
  } else {
    json["attention_bias"] = false;
    if (family == Family::llama) json["mlp_bias"] = false;
  }
  json["attention_dropout"] = 0.0;
  json["tie_word_embeddings"] = tie_word_embeddings;
  json["torch_dtype"] = "float32";
  json["use_cache"] = true;
  return json.dump(2) + "\n";
}

}  // namespace seawall
