#pragma once
// Low-rank adapters (LoRA) on the projections of a decoder's blocks:
// y = x W^T + s drop(x) A^T B^T, W frozen.
// Source: Hu et al. 2022, "LoRA: low-rank adaptation of large language models", sec. 4.1; initial
// values, dropout and names as in Hugging Face's PEFT.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/config.hpp"

namespace seawall {

/// The weight matrices of a block that an adapter may be added to; qkv and gate_up are the fused
/// ones of families that have them in place of the others.
enum class Projection : std::uint8_t { q, k, v, o, gate, up, down, qkv, gate_up };
constexpr std::int64_t projections_a_layer = 9;
/// Those that a model's family has, in order.
std::vector<Projection> projections_of(const LlamaConfig& config);
/// `q_proj` and so on, as Hugging Face names the module.
std::string_view projection_name(Projection projection);
/// `model.layers.L.self_attn.q_proj`, to which `.weight` or `.lora_A.weight` is added.
std::string module_name(std::int64_t layer, Projection projection);
/// The weight that a factor of this name belongs to; other names as they are.
std::string weight_of_factor(std::string_view name);
/// Rows and columns of the weight; empty if the family does not have it. Shapes: [out,in].
std::vector<std::int64_t> projection_shape(const LlamaConfig& config, Projection projection);

struct LoraOptions {
  std::int64_t rank = 8;
  double alpha = 16;             // s = alpha / rank
  bool rank_stabilized = false;  // s = alpha / sqrt(rank)
  std::vector<Projection> targets;
  double dropout = 0;  // of the input of A, while training
  /// Errors: UsageError naming the field.
  void check() const;
};
/// Reads `all` or names with commas between, as `q_proj,v_proj`; `all` is every Projection, of
/// which make_adapter takes those that the model has. Errors: UsageError naming the word.
std::vector<Projection> targets_from(std::string_view words);
/// The names with commas between, in the order of Projection.
std::string targets_text(const std::vector<Projection>& targets);
double lora_scale(double alpha, std::int64_t rank, bool rank_stabilized);

/// The factors of one weight. Shapes: a [r,in], b [out,r].
struct LoraFactors {
  Tensor a, b;
  double alpha = 0, scale = 0;  // scale: s
  bool on() const { return a.defined(); }
  std::int64_t rank() const { return on() ? a.size(0) : 0; }
  /// s B A in the type of the factors, fp32 for narrower ones. Shapes: -> [out,in].
  Tensor product() const;
};

/// All factors of a decoder.
struct Adapter {
  LoraOptions options;
  std::vector<LoraFactors> factors;  // projections_a_layer a block
  /// Which inputs dropout leaves out in the forward passes that come; 0: none (evaluation).
  std::uint64_t dropout_key = 0;

  const LoraFactors& at(std::int64_t layer, Projection p) const {
    return factors[static_cast<std::size_t>(layer * projections_a_layer +
                                            static_cast<std::int64_t>(p))];
  }
  bool drops() const { return dropout_key != 0 && options.dropout > 0; }
  std::int64_t count() const;  // values in the factors
  /// The tensors under `MODULE.lora_A.weight` and `MODULE.lora_B.weight`: A before its B, blocks
  /// and projections in order.
  NamedTensors tensors() const;
  /// Puts tensors of that order and those shapes in. Errors: DataError naming one that differs.
  void replace(const NamedTensors& tensors);
  /// The weight that tensors()[2 * i] and [2 * i + 1] stand beside.
  std::vector<std::string> weight_names() const;
  std::vector<double> scales() const;  // s of each of tensors()
  /// s B A under the weights' names, as its factors. Shapes: left (s B) [out,r], right (A) [r,in],
  /// fp64 on the CPU.
  struct Pair {
    std::string name;
    Tensor left, right;
  };
  std::vector<Pair> factor_pairs() const;
  /// True where the product is zero everywhere, as at the start.
  bool is_zero() const;
};

/// A from U(-1/sqrt(in), 1/sqrt(in)), each weight's from a stream of `seed` of its own, B zero; in
/// the type and on the device of `like`. Errors: those of LoraOptions::check; UsageError naming a
/// target that the model does not have.
Adapter make_adapter(const LlamaConfig& config, const LoraOptions& options, std::uint64_t seed,
                     const Tensor& like);
/// Errors: DataError where the adapter does not fit the decoder's sizes.
void check_adapter(const LlamaConfig& config, const Adapter& adapter);

/// W + s B A, computed in fp32 (fp64 for fp64) and rounded once. Shapes: w [out,in] -> [out,in].
Tensor merged_weight(const Tensor& w, const LoraFactors& factors);

/// What dropout multiplies the rows of a projection's input with: 0 or 1/(1-p). A function of key,
/// block, projection, row and column, so that it need not be kept for the backward pass and a
/// resumed run draws the same (on a CPU; on other devices of the row count as well).
struct Dropout {
  std::uint64_t key = 0;
  double p = 0;
  explicit operator bool() const { return key != 0 && p > 0; }
  /// That of one projection.
  Dropout of(std::int64_t layer, Projection projection) const;
  double scale() const;  // 1/(1-p), p as the 16 bits of a draw have it
  std::uint64_t row_key(std::int64_t row) const;
};
/// y = x * mask. `rows` [n] names the rows, null: their own numbers. x and y may be the same.
template <class Real>
void drop_rows(const Dropout& dropout, const std::int64_t* rows, std::int64_t n,
               std::int64_t columns, const Real* x, std::int64_t stride, Real* y);
/// The mask as a tensor. Shapes: rows [n] int64 or undefined -> [n,columns].
Tensor dropout_mask(const Dropout& dropout, const Tensor& rows, const Tensor& like);

}  // namespace seawall
