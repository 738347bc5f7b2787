#include "seawall/model/config.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/model/json_fields.hpp"

namespace seawall {
namespace {

constexpr std::int64_t max_layers_or_heads = 1024;
constexpr std::int64_t max_vocabulary = std::int64_t{1} << 21;

void require_range(const char* field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw DataError("model config: " + std::string(field) + " is " + std::to_string(value) +
                  ", want " + std::to_string(low) + " to " + std::to_string(high));
}

void require_positive(const char* field, double value, double high) {
  if (std::isfinite(value) && value > 0 && value <= high) return;
  throw DataError("model config: " + std::string(field) + " is " + std::to_string(value) +
                  ", want a number above 0 and at most " + std::to_string(high));
}

/// The base of the rotary embedding, which newer files keep under rope_parameters; scaled variants
/// are refused.
double read_rope(const JsonFields& fields, const std::string& where) {
  auto theta = fields.number("rope_theta", 10000.0);
  for (const auto* name : {"rope_parameters", "rope_scaling"}) {
    if (!fields.given(name)) continue;
    const JsonFields rope(fields.at(name), where + ": " + name);
    const auto type = rope.text("rope_type", rope.text("type", "default"));
    if (type != "default") {
      rope.fail("rope_type '" + type + "' is not supported, want 'default' or no entry");
    }
    theta = rope.number("rope_theta", theta);
  }
  return theta;
}

void refuse_unsupported(const JsonFields& fields) {
  const auto type = fields.text("model_type", "");
  if (type != "llama") fields.fail("model_type is '" + type + "', want 'llama'");
  const auto activation = fields.text("hidden_act", "silu");
  if (activation != "silu") fields.fail("hidden_act is '" + activation + "', want 'silu'");
  for (const auto* name : {"attention_bias", "mlp_bias"}) {
    if (fields.flag(name, false)) {
      fields.fail(std::string(name) + " is true; biases are not supported");
    }
  }
  if (fields.number("attention_dropout", 0.0) != 0.0) {
    fields.fail("attention_dropout is not 0; dropout is not supported");
  }
  if (fields.given("quantization_config")) {
    fields.fail("quantization_config is present; want plain F32, F16 or BF16 weights");
  }
}

}  // namespace

void LlamaConfig::check() const {
  require_range("vocab_size", vocab_size, 1, max_vocabulary);
  require_range("hidden_size", hidden_size, 1, std::int64_t{1} << 17);
  require_range("intermediate_size", intermediate_size, 1, std::int64_t{1} << 20);
  require_range("num_hidden_layers", layers, 1, max_layers_or_heads);
  require_range("num_attention_heads", heads, 1, max_layers_or_heads);
  require_range("num_key_value_heads", kv_heads, 1, max_layers_or_heads);
  require_range("head_dim", head_dim, 2, std::int64_t{1} << 14);
  require_range("max_position_embeddings", max_position_embeddings, 1, std::int64_t{1} << 26);
  if (heads % kv_heads != 0) {
    throw DataError("model config: num_attention_heads " + std::to_string(heads) +
                    " is not a multiple of num_key_value_heads " + std::to_string(kv_heads));
  }
  if (head_dim % 2 != 0) {
    throw DataError("model config: head_dim is " + std::to_string(head_dim) +
                    ", want an even number for rotary embeddings");
  }
  require_positive("rope_theta", rope_theta, 1e15);
  require_positive("rms_norm_eps", rms_norm_eps, 1.0);
}

std::vector<std::pair<std::string, std::vector<std::int64_t>>> LlamaConfig::parameter_shapes()
    const {
  const auto C = hidden_size, M = intermediate_size;
  const auto Q = heads * head_dim, K = kv_heads * head_dim;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes;
  shapes.emplace_back("model.embed_tokens.weight", std::vector{vocab_size, C});
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto prefix = "model.layers." + std::to_string(layer) + ".";
    const auto add = [&](const char* name, std::vector<std::int64_t> shape) {
      shapes.emplace_back(prefix + name, std::move(shape));
    };
    add("input_layernorm.weight", {C});
    add("self_attn.q_proj.weight", {Q, C});
    add("self_attn.k_proj.weight", {K, C});
    add("self_attn.v_proj.weight", {K, C});
    add("self_attn.o_proj.weight", {C, Q});
    add("post_attention_layernorm.weight", {C});
    add("mlp.gate_proj.weight", {M, C});
    add("mlp.up_proj.weight", {M, C});
    add("mlp.down_proj.weight", {C, M});
  }
  shapes.emplace_back("model.norm.weight", std::vector{C});
  if (!tie_word_embeddings) shapes.emplace_back("lm_head.weight", std::vector{vocab_size, C});
  return shapes;
}

std::int64_t LlamaConfig::parameter_count() const {
  std::int64_t count = 0;  // check() bounds every size, so that no product here can overflow
  for (const auto& [name, shape] : parameter_shapes()) {
    std::int64_t product = 1;
    for (const auto size : shape) product *= size;
    count += product;
  }
  return count;
}

LlamaConfig LlamaConfig::from_json(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  const JsonFields fields(json, where);
  refuse_unsupported(fields);
  LlamaConfig config;
  config.vocab_size = fields.integer("vocab_size");
  config.hidden_size = fields.integer("hidden_size");
  config.intermediate_size = fields.integer("intermediate_size");
  config.layers = fields.integer("num_hidden_layers");
  config.heads = fields.integer("num_attention_heads");
  config.kv_heads = fields.integer("num_key_value_heads", config.heads);
  config.max_position_embeddings = fields.integer("max_position_embeddings", 2048);
  config.head_dim = config.heads > 0 ? config.hidden_size / config.heads : 0;
  if (fields.given("head_dim")) {
    config.head_dim = fields.integer("head_dim");
  } else if (config.heads > 0 && config.hidden_size % config.heads != 0) {
    fields.fail("hidden_size is not a multiple of num_attention_heads, and head_dim is missing");
  }
  config.rope_theta = read_rope(fields, where);
  config.rms_norm_eps = fields.number("rms_norm_eps", 1e-6);  // transformers' LlamaConfig default
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", false);
  try {
    config.check();
  } catch (const DataError& error) {
    throw DataError(where + ": " + error.what());
  }
  return config;
}

std::string LlamaConfig::to_json() const {
  const nlohmann::ordered_json json = {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"vocab_size", vocab_size},
      {"hidden_size", hidden_size},
      {"intermediate_size", intermediate_size},
      {"num_hidden_layers", layers},
      {"num_attention_heads", heads},
      {"num_key_value_heads", kv_heads},
      {"head_dim", head_dim},
      {"max_position_embeddings", max_position_embeddings},
      {"rope_theta", rope_theta},
      {"rope_scaling", nullptr},
      {"rms_norm_eps", rms_norm_eps},
      {"hidden_act", "silu"},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"attention_dropout", 0.0},
      {"tie_word_embeddings", tie_word_embeddings},
      {"torch_dtype", "float32"},
      {"use_cache", true},
  };
  return json.dump(2) + "\n";
}

}  // namespace seawall
