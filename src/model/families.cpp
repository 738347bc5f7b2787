// The table of families: the only place that names one.
#include "seawall/model/families.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/model/config.hpp"

namespace seawall {
namespace {

using enum Part;

constexpr BlockTensor norm1_row{norm1, "input_layernorm.weight", "attn_norm.weight"},
    q_row{q, "self_attn.q_proj.weight", "attn_q.weight"},
    k_row{k, "self_attn.k_proj.weight", "attn_k.weight"},
    v_row{v, "self_attn.v_proj.weight", "attn_v.weight"},
    o_row{o, "self_attn.o_proj.weight", "attn_output.weight"},
    norm2_row{norm2, "post_attention_layernorm.weight", "ffn_norm.weight"},
    gate_row{gate, "mlp.gate_proj.weight", "ffn_gate.weight"},
    up_row{up, "mlp.up_proj.weight", "ffn_up.weight"},
    down_row{down, "mlp.down_proj.weight", "ffn_down.weight"};

constexpr std::array plain_block{norm1_row, q_row,    k_row,  v_row,   o_row,
                                 norm2_row, gate_row, up_row, down_row};
constexpr std::array biased_block{norm1_row,
                                  q_row,
                                  k_row,
                                  v_row,
                                  o_row,
                                  norm2_row,
                                  gate_row,
                                  up_row,
                                  down_row,
                                  BlockTensor{q_bias, "self_attn.q_proj.bias", "attn_q.bias"},
                                  BlockTensor{k_bias, "self_attn.k_proj.bias", "attn_k.bias"},
                                  BlockTensor{v_bias, "self_attn.v_proj.bias", "attn_v.bias"}};

constexpr std::array head_norm_block{
    norm1_row,
    q_row,
    k_row,
    v_row,
    o_row,
    norm2_row,
    gate_row,
    up_row,
    down_row,
    BlockTensor{q_norm, "self_attn.q_norm.weight", "attn_q_norm.weight"},
    BlockTensor{k_norm, "self_attn.k_norm.weight", "attn_k_norm.weight"}};
constexpr std::array fused_block{
    norm1_row, BlockTensor{qkv, "self_attn.qkv_proj.weight", "attn_qkv.weight"}, o_row,
    norm2_row, BlockTensor{gate_up, "mlp.gate_up_proj.weight", "ffn_up.weight"}, down_row};
constexpr std::array outer_norm_block{
    norm1_row,
    q_row,
    k_row,
    v_row,
    o_row,
    BlockTensor{attention_norm, "post_attention_layernorm.weight", "post_attention_norm.weight"},
    BlockTensor{norm2, "pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    gate_row,
    up_row,
    down_row,
    BlockTensor{mlp_norm, "post_feedforward_layernorm.weight", "post_ffw_norm.weight"}};

constexpr std::array<std::string_view, 1> silu{"silu"};
constexpr std::array<std::string_view, 1> gelu_tanh{"gelu_pytorch_tanh"};
// Gemma's first files say gelu and mean its tanh form, as transformers' GemmaConfig has it.
constexpr std::array<std::string_view, 2> gelu_or_tanh{"gelu_pytorch_tanh", "gelu"};

// Defaults are those of the configuration classes of transformers 5.23. What is one model's number
// there (as num_key_value_heads 32) is no default here: every file has the field.
constexpr Family llama{.type = "llama",
                       .architecture = "LlamaForCausalLM",
                       .gguf = "llama",
                       .block = plain_block,
                       .gguf_pairs_rows = true,
                       .activations = silu,
                       .default_kv_heads = true,
                       .default_positions = 2048,
                       .more_json = R"({"attention_bias": false, "mlp_bias": false})"};
constexpr Family mistral{.type = "mistral",
                         .architecture = "MistralForCausalLM",
                         .gguf = "llama",
                         .block = plain_block,
                         .window = Window::every,
                         .gguf_pairs_rows = true,
                         .activations = silu,
                         .default_window = 4096};
constexpr Family qwen2{.type = "qwen2",
                       .architecture = "Qwen2ForCausalLM",
                       .gguf = "qwen2",
                       .block = biased_block,
                       .activations = silu,
                       .more_json = R"({"use_sliding_window": false})"};
constexpr Family gemma{.type = "gemma",
                       .architecture = "GemmaForCausalLM",
                       .block = plain_block,
                       .gate = Gate::gelu_tanh,
                       .norm_offset = 1,
                       .scaled_embedding = true,
                       .activations = gelu_or_tanh,
                       .default_head_dim = 256,
                       .default_tied = true,
                       .more_json = R"({"attention_bias": false})"};

constexpr Family qwen3{.type = "qwen3",
                       .architecture = "Qwen3ForCausalLM",
                       .gguf = "qwen3",
                       .block = head_norm_block,
                       .activations = silu,
                       .default_head_dim = 128,
                       .more_json = R"({"attention_bias": false, "use_sliding_window": false})"};
// pad_token_id: transformers' own default is beyond a small vocabulary.
constexpr Family phi3{.type = "phi3",
                      .architecture = "Phi3ForCausalLM",
                      .gguf = "phi3",
                      .block = fused_block,
                      .window = Window::every,
                      .activations = silu,
                      .default_kv_heads = true,
                      .default_positions = 4096,
                      .default_eps = 1e-5,
                      .more_json = R"({"pad_token_id": null})"};

/// Source: llama.cpp, the scale of the queries in its Gemma 2, which its files do not hold: that of
/// the 27 B model (46 blocks) is of C / H, the others' of head_dim.
void complete_gemma2(LlamaConfig& config) {
  constexpr std::int64_t blocks_of_27b = 46;
  config.query_scalar =
      config.layers == blocks_of_27b ? config.hidden_size / config.heads : config.head_dim;
}
constexpr Family gemma2{.type = "gemma2",
                        .architecture = "Gemma2ForCausalLM",
                        .gguf = "gemma2",
                        .block = outer_norm_block,
                        .gate = Gate::gelu_tanh,
                        .norm_offset = 1,
                        .scaled_embedding = true,
                        .window = Window::alternate,
                        .soft_caps = true,
                        .gguf_adds_offset = true,
                        .activations = gelu_tanh,
                        .activation_key = "hidden_activation",
                        .default_head_dim = 256,
                        .default_window = 4096,
                        .default_query_scalar = 256,
                        .default_attention_cap = 50,
                        .default_logit_cap = 30,
                        .default_tied = true,
                        .more_json = R"({"attention_bias": false})",
                        .complete_gguf = complete_gemma2};

constexpr std::array<const Family*, 7> all{&llama, &mistral, &qwen2, &gemma,
                                           &qwen3, &phi3,    &gemma2};

std::vector<const Family*>& replaced() {
  static std::vector<const Family*> list;
  return list;
}

}  // namespace

const BlockTensor* Family::find(Part part) const {
  const auto at = std::ranges::find(block, part, &BlockTensor::part);
  return at == block.end() ? nullptr : &*at;
}

const FamilyCatalogue& family_catalogue() {
  static constexpr FamilyCatalogue catalogue("model family", all);
  return catalogue;
}

std::vector<const Family*> families_with(std::initializer_list<const Family*> own) {
  std::vector<const Family*> list(all.begin(), all.end());
  list.insert(list.end(), own);
  return list;
}

std::span<const Family* const> families() {
  return replaced().empty() ? default_families() : std::span<const Family* const>(replaced());
}

void set_families(std::vector<const Family*> list) { replaced() = std::move(list); }

const Family* find_family(std::string_view type) {
  const auto list = families();
  const auto at = std::ranges::find(list, type, &Family::type);
  return at == list.end() ? nullptr : *at;
}

const Family& family_of(std::string_view type) {
  if (const auto* found = find_family(type)) return *found;
  std::string known;
  for (const auto* each : families())
    known += (known.empty() ? "" : ", ") + std::string(each->type);
  throw UsageError("model family '" + std::string(type) + "' is not known; want one of " + known);
}

}  // namespace seawall
