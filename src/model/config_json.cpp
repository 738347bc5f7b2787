// config.json of the families, read and written.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/config.hpp"

namespace seawall {
namespace {

const Family& read_family(const JsonFields& fields) {
  const auto type = fields.text("model_type", "");
  if (const auto* found = find_family(type)) return *found;
  std::string known;
  for (const auto* each : families())
    known += (known.empty() ? "'" : ", '") + std::string(each->type) + "'";
  fields.fail("model_type is '" + shown(type) + "', want one of " + known);
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

void check_activation(const JsonFields& fields, const Family& family) {
  const std::string want(family.activations.front());
  const auto found = fields.text("hidden_activation", fields.text("hidden_act", want));
  if (std::ranges::find(family.activations, found) != family.activations.end()) return;
  const auto* key = fields.given("hidden_activation") ? "hidden_activation" : "hidden_act";
  fields.fail(std::string(key) + " is '" + shown(found) + "', want '" + want + "'");
}

void read_window(const JsonFields& fields, LlamaConfig& config) {
  if (config.family->window != Window::none) {
    config.sliding_window = fields.has("sliding_window") ? fields.integer("sliding_window", 0)
                                                         : config.family->default_window;
    if (fields.given("sliding_window") && config.sliding_window == 0)
      fields.fail("sliding_window is 0, want null or at least 1");
  }
  if (fields.flag("use_sliding_window", false))
    fields.fail("use_sliding_window is true; windows of this kind are not supported");
  if (!fields.given("layer_types")) return;
  std::int64_t layer = 0;
  for (const auto& type : fields.at("layer_types")) {
    const auto want = config.window_of(layer++) > 0 ? "sliding_attention" : "full_attention";
    if (!type.is_string() || type.get<std::string>() != want)
      fields.fail("layer_types has " + shown(type.dump()) + ", want '" + want + "' in layer " +
                  std::to_string(layer - 1));
  }
}

/// A number that null turns off. 0: off.
double read_cap(const JsonFields& fields, const char* name, double fallback) {
  if (!fields.has(name)) return fallback;
  if (!fields.given(name)) return 0;
  const double cap = fields.number(name, 0);
  if (cap == 0) fields.fail(std::string(name) + " is 0, want null or a number above 0");
  return cap;
}

void read_scores(const JsonFields& fields, LlamaConfig& config) {
  const auto& family = *config.family;
  if (family.default_query_scalar > 0)
    config.query_scalar = fields.integer("query_pre_attn_scalar", family.default_query_scalar);
  if (!family.soft_caps) return;
  config.attention_cap = read_cap(fields, "attn_logit_softcapping", family.default_attention_cap);
  config.logit_cap = read_cap(fields, "final_logit_softcapping", family.default_logit_cap);
}

void refuse_unsupported(const JsonFields& fields) {
  for (const auto* name : {"attention_bias", "mlp_bias"}) {
    if (fields.flag(name, false)) {
      fields.fail(std::string(name) +
                  " is true; only biases of q, k and v that come with the family are supported");
    }
  }
  if (fields.flag("rope_interleaved", false))
    fields.fail("rope_interleaved is true; only rotary halves are supported");
  if (fields.flag("use_bidirectional_attention", false))
    fields.fail("use_bidirectional_attention is true; only causal attention is supported");
  for (const auto* name : {"attention_dropout", "resid_pdrop", "embd_pdrop"})
    if (fields.number(name, 0.0) != 0.0)
      fields.fail(std::string(name) + " is not 0; dropout is not supported");
  if (fields.number("partial_rotary_factor", 1) != 1)
    fields.fail("partial_rotary_factor is not 1, which is not supported");
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

LlamaConfig LlamaConfig::from_json(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  const JsonFields fields(json, where);
  LlamaConfig config;
  const Family& family = read_family(fields);
  config.family = &family;
  check_activation(fields, family);
  refuse_unsupported(fields);
  config.vocab_size = fields.integer("vocab_size");
  config.hidden_size = fields.integer("hidden_size");
  config.intermediate_size = fields.integer("intermediate_size");
  config.layers = fields.integer("num_hidden_layers");
  config.heads = fields.integer("num_attention_heads");
  config.kv_heads = family.default_kv_heads ? fields.integer("num_key_value_heads", config.heads)
                                            : fields.integer("num_key_value_heads");
  config.max_position_embeddings =
      family.default_positions > 0
          ? fields.integer("max_position_embeddings", family.default_positions)
          : fields.integer("max_position_embeddings");
  config.head_dim = config.heads > 0 ? config.hidden_size / config.heads : 0;
  if (fields.given("head_dim")) {
    config.head_dim = fields.integer("head_dim");
  } else if (family.default_head_dim > 0) {
    config.head_dim = family.default_head_dim;
  } else if (config.heads > 0 && config.hidden_size % config.heads != 0) {
    fields.fail("hidden_size is not a multiple of num_attention_heads, and head_dim is missing");
  }
  read_rope(fields, config);
  read_window(fields, config);
  read_scores(fields, config);
  config.rms_norm_eps = fields.number("rms_norm_eps", family.default_eps);
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", family.default_tied);
  try {
    config.check();
  } catch (const DataError& error) {
    throw DataError(where + ": " + error.what());
  }
  return config;
}

std::string LlamaConfig::to_json() const {
  nlohmann::ordered_json json = {
      {"architectures", {family->architecture}},
      {"model_type", family->type},
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
      {std::string(family->activation_key), family->activations.front()},
  };
  const auto or_null = [](auto value) {
    return value > 0 ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  if (family->window != Window::none) json["sliding_window"] = or_null(sliding_window);
  if (family->default_query_scalar > 0)
    json["query_pre_attn_scalar"] = query_scalar > 0 ? query_scalar : head_dim;
  if (family->soft_caps) {
    json["attn_logit_softcapping"] = or_null(attention_cap);
    json["final_logit_softcapping"] = or_null(logit_cap);
  }
  json.update(nlohmann::ordered_json::parse(family->more_json));
  json["attention_dropout"] = 0.0;
  json["tie_word_embeddings"] = tie_word_embeddings;
  json["torch_dtype"] = "float32";
  json["use_cache"] = true;
  return json.dump(2) + "\n";
}

}  // namespace seawall
