#pragma once
// What tells model families apart, as facts. Generic code reads the facts and names no family.
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "seawall/core/catalogue.hpp"

namespace seawall {

struct LlamaConfig;

/// A tensor of a block by its task. norm1 and norm2 are of what attention and the MLP read,
/// attention_norm and mlp_norm of what they give; q_norm and k_norm are of each head. qkv holds the
/// rows of q, k and v, gate_up those of gate and up.
enum class Part : std::uint8_t {
  norm1,
  q,
  k,
  v,
  o,
  norm2,
  gate,
  up,
  down,
  q_bias,
  k_bias,
  v_bias,
  q_norm,
  k_norm,
  attention_norm,
  mlp_norm,
  qkv,
  gate_up
};

/// Its names after `model.layers.L.` and, in GGUF, after `blk.L.`.
struct BlockTensor {
  Part part;
  std::string_view name, gguf;
};

enum class Gate : std::uint8_t { silu, gelu_tanh };
/// Which blocks may see a window only; alternate: blocks 0, 2, 4, ...
enum class Window : std::uint8_t { none, every, alternate };

/// One row per family. Views and spans must outlive every config that points to the row.
struct Family {
  std::string_view type, architecture;  // model_type and architectures of config.json
  std::string_view gguf = {};           // general.architecture; empty: not read
  std::span<const BlockTensor> block = {};

  Gate gate = Gate::silu;
  double norm_offset = 0;         // norms multiply by offset + w
  bool scaled_embedding = false;  // by sqrt(C)
  Window window = Window::none;
  bool soft_caps = false;         // of attention scores and of logits
  bool gguf_pairs_rows = false;   // GGUF interleaves the two halves of a head's rotary rows
  bool gguf_adds_offset = false;  // GGUF stores offset + w for norms

  // config.json: the values that are accepted (the first one is written), and what an absent field
  // means. 0 or false: the field must be there, unless another meaning is given.
  std::span<const std::string_view> activations = {};
  std::string_view activation_key = "hidden_act";
  std::int64_t default_head_dim = 0;  // 0: hidden_size / num_attention_heads
  bool default_kv_heads = false;      // num_attention_heads
  std::int64_t default_positions = 0;
  std::int64_t default_window = 0;  // 0: none
  double default_eps = 1e-6;
  std::int64_t default_query_scalar = 0;  // 0: query_pre_attn_scalar is not read
  double default_attention_cap = 0, default_logit_cap = 0;
  bool default_tied = false;
  std::string_view more_json = "{}";  // further fields that transformers wants, as an object

  /// What GGUF files of this family leave to the reader; null: nothing.
  void (*complete_gguf)(LlamaConfig& config) = nullptr;

  const BlockTensor* find(Part part) const;
  bool has(Part part) const { return find(part) != nullptr; }
};

constexpr std::string_view entry_name(const Family* family) { return family->type; }
constexpr std::string_view entry_summary(const Family* family) { return family->architecture; }

/// Families by their model_type.
using FamilyCatalogue = Catalogue<const Family*>;

/// The families of the project, Llama first.
const FamilyCatalogue& family_catalogue();
inline std::span<const Family* const> default_families() { return family_catalogue().entries(); }
/// The same with more behind them, for the catalogue of a program of one's own, which borrows it.
std::vector<const Family*> families_with(std::initializer_list<const Family*> own);
/// Those that config.json and GGUF files are looked up in: default_families() unless replaced.
std::span<const Family* const> families();
/// Replaces the list; an empty one restores the default. Call it before other threads run.
void set_families(std::vector<const Family*> list);
/// Null if no family has this model_type.
const Family* find_family(std::string_view type);
/// Errors: UsageError naming the types that there are.
const Family& family_of(std::string_view type);

}  // namespace seawall
