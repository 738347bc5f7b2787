// The model in a GGUF file: its config under Hugging Face's names, and its weights in their order.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "model/gguf_types.hpp"
#include "model/mapped_pages.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"

namespace seawall {
namespace {

constexpr const char* scaling_tensor = "rope_freqs.weight";

/// Row of the file that holds row `row` of the Hugging Face layout. Under the architecture `llama`
/// GGUF pairs the two halves of a head's rotary rows, Hugging Face keeps them apart. `rotary_heads`
/// is 0 for tensors without such rows.
std::int64_t source_row(std::int64_t row, std::int64_t rows, std::int64_t rotary_heads) {
  if (rotary_heads == 0) return row;
  const auto head_dim = rows / rotary_heads, half = head_dim / 2;
  const auto head = row / head_dim, inside = row % head_dim;
  return head * head_dim + 2 * (inside % half) + inside / half;
}

/// Rows [begin, end) of a tensor as fp32. Shapes: to [end - begin, columns].
struct Rows {
  const GgufType& type;
  const char* from;
  std::int64_t rows, columns, rotary_heads;

  void read(std::int64_t begin, std::int64_t end, float* to) const {
    const auto blocks = columns / static_cast<std::int64_t>(type.block);
    const auto row_bytes = blocks * static_cast<std::int64_t>(type.bytes);
    if (rotary_heads == 0) {
      type.dequantize(from + begin * row_bytes, to, (end - begin) * blocks);
      return;
    }
    for (auto row = begin; row < end; ++row, to += columns)
      type.dequantize(from + source_row(row, rows, rotary_heads) * row_bytes, to, blocks);
  }
};

template <class Narrow>
void read_narrow(const Rows& source, std::int64_t begin, std::int64_t end, Narrow* to) {
  std::vector<float> row(source.columns);  // one at a time: it stays in the cache
  for (auto r = begin; r < end; ++r) {
    source.read(r, r + 1, row.data());
    for (const float value : row) *to++ = Narrow(value);
  }
}

/// A parameter's name in GGUF and, of a block's tensor, its task.
struct GgufPlace {
  std::string name;
  std::optional<Part> part;
};
GgufPlace gguf_place(const LlamaConfig& config, const std::string& name) {
  static const std::unordered_map<std::string, std::string> whole = {
      {"model.embed_tokens.weight", "token_embd.weight"},
      {"model.norm.weight", "output_norm.weight"},
      {"lm_head.weight", "output.weight"}};
  constexpr std::string_view prefix = "model.layers.";
  if (!name.starts_with(prefix)) return {whole.at(name), std::nullopt};
  const auto dot = name.find('.', prefix.size());
  const auto rest = std::string_view(name).substr(dot + 1);
  const auto row = std::ranges::find(config.family->block, rest, &BlockTensor::name);
  return {"blk." + name.substr(prefix.size(), dot - prefix.size()) + "." + std::string(row->gguf),
          row->part};
}

/// The first family that GGUF keeps under this architecture and that may have the window.
const Family* gguf_family(std::string_view architecture, bool window) {
  for (const auto* each : families())
    if (!each->gguf.empty() && each->gguf == architecture &&
        (!window || each->window != Window::none))
      return each;
  return nullptr;
}

std::string gguf_architectures() {
  std::string known;
  for (const auto* each : families())
    if (!each->gguf.empty() && known.find("'" + std::string(each->gguf) + "'") == std::string::npos)
      known += (known.empty() ? "'" : ", '") + std::string(each->gguf) + "'";
  return known;
}

/// The scaling whose divisors of the frequencies are those of `rope_freqs.weight`, which is all
/// that GGUF keeps of Llama 3's. Only the quotients of the original length and the two factors
/// count, so these are taken as 1 and 4, as in every published model. Shapes: divisors [D/2].
std::optional<RopeScaling> scaling_of(const LlamaConfig& config, const Tensor& divisors) {
  const auto* divisor = divisors.const_data_ptr<float>();
  const auto count = divisors.numel();
  LlamaConfig plain = config;
  plain.rope_scaling = {};
  const auto frequencies = rotary_frequencies<double>(plain);
  RopeScaling scaling{.type = RopeScaling::Type::llama3};
  scaling.factor = *std::max_element(divisor, divisor + count);
  if (!(scaling.factor > 1)) return std::nullopt;
  std::vector<std::int64_t> lengths = {scaling.original_max_position_embeddings};
  for (std::int64_t i = 0; i < count; ++i) {  // one between the two tells the length
    if (divisor[i] <= 1 || divisor[i] >= scaling.factor) continue;
    const double kept = (1.0 / divisor[i] - 1 / scaling.factor) / (1 - 1 / scaling.factor);
    const double wave = 2 * M_PI / frequencies[i];
    const double low = scaling.low_freq_factor, high = scaling.high_freq_factor;
    lengths.push_back(std::llround(std::min(1e9, (kept * (high - low) + low) * wave)));
  }
  for (const auto length : lengths) {
    scaling.original_max_position_embeddings = length;
    auto scaled = config;
    scaled.rope_scaling = scaling;
    const auto got = rotary_frequencies<double>(scaled);
    bool same = true;
    for (std::int64_t i = 0; i < count; ++i)  // the divisors were rounded to fp32
      same &= std::abs(frequencies[i] / got[i] / divisor[i] - 1) < 1e-5;
    if (same) return scaling;
  }
  return std::nullopt;
}

/// Linear scaling as llama.cpp reads it: a factor counts without a type too, and under its old
/// name. Source: llama.cpp, llama_model::load_hparams.
RopeScaling linear_scaling(const GgufFile& file, const std::string& architecture) {
  const auto fail = [&](const std::string& what) { throw DataError(file.where() + ": " + what); };
  const auto key = [&](const char* name) { return architecture + ".rope." + name; };
  const auto type = file.has(key("scaling.type")) ? file.text(key("scaling.type")) : "";
  if (!type.empty() && type != "none" && type != "linear")
    fail(key("scaling.type") + " is '" + shown(type) + "', want none or linear");
  if (const auto name = key("scaling.attn_factor"); file.has(name) && file.number(name) != 1)
    fail(name + ": not supported");
  const auto old = key("scale_linear");
  const auto name = file.has(old) && !file.has(key("scaling.factor")) ? old : key("scaling.factor");
  if (type == "none" || (type.empty() && !file.has(name))) return {};
  const double factor = file.number(name);
  if (factor == 0 || factor == 1) return {};
  return {.type = RopeScaling::Type::linear, .factor = factor};
}

}  // namespace

Tensor GgufFile::load(const TensorInfo& info, std::int64_t rotary_heads, at::ScalarType to) const {
  const auto type = gguf_type(info.type);
  if (!type || type->dequantize == nullptr) {
    throw DataError(where() + ": tensor '" + shown(info.name) + "' has type " + info.type +
                    ", want F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K; "
                    "requantize the model to one of them");
  }
  auto tensor = at::empty(info.shape, at::TensorOptions().dtype(to));
  const auto columns = info.shape.back(), rows = tensor.numel() / columns;
  const Rows source{*type, bytes(info).data(), rows, columns, rotary_heads};
  const auto grain = std::max<std::int64_t>(1, (1 << 17) / columns);
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) {
    if (to == at::kBFloat16)
      read_narrow(source, begin, end, tensor.data_ptr<c10::BFloat16>() + begin * columns);
    else if (to == at::kHalf)
      read_narrow(source, begin, end, tensor.data_ptr<c10::Half>() + begin * columns);
    else
      source.read(begin, end, tensor.data_ptr<float>() + begin * columns);
  });
  release_pages(bytes(info));
  return tensor;
}

LlamaConfig GgufFile::llama_config() const {
  const auto fail = [&](const std::string& what) { throw DataError(where() + ": " + what); };
  const auto& architecture = text("general.architecture");
  LlamaConfig config;
  if (gguf_family(architecture, false) == nullptr)
    fail("general.architecture is '" + shown(architecture) + "', want one of " +
         gguf_architectures());
  const auto key = [&](const char* name) { return architecture + "." + name; };
  const auto integer_or = [&](const std::string& name, std::int64_t fallback) {
    return has(name) ? integer(name) : fallback;
  };
  config.hidden_size = integer(key("embedding_length"));
  config.intermediate_size = integer(key("feed_forward_length"));
  config.layers = integer(key("block_count"));
  config.heads = integer(key("attention.head_count"));
  config.kv_heads = integer_or(key("attention.head_count_kv"), config.heads);
  config.head_dim = integer_or(key("attention.key_length"),
                               config.heads > 0 ? config.hidden_size / config.heads : 0);
  config.max_position_embeddings = integer(key("context_length"));
  if (has(key("rope.freq_base"))) config.rope_theta = number(key("rope.freq_base"));
  config.rms_norm_eps = number(key("attention.layer_norm_rms_epsilon"));
  config.sliding_window = integer_or(key("attention.sliding_window"), 0);
  config.family = gguf_family(architecture, config.sliding_window > 0);
  if (config.family == nullptr) fail(key("attention.sliding_window") + ": not supported");
  if (config.family->soft_caps) {
    const auto cap = [&](const char* name, double fallback) {
      return has(key(name)) ? number(key(name)) : fallback;
    };
    config.attention_cap = cap("attn_logit_softcapping", config.family->default_attention_cap);
    config.logit_cap = cap("final_logit_softcapping", config.family->default_logit_cap);
  }
  if (config.family->complete_gguf != nullptr) config.family->complete_gguf(config);
  const TensorInfo* divisors = nullptr;
  bool head = false;
  for (const auto& info : tensors()) {
    head |= info.name == "output.weight";
    if (info.name == "token_embd.weight") config.vocab_size = info.shape.front();
    if (info.name == scaling_tensor) divisors = &info;
  }
  config.tie_word_embeddings = !head;
  config.rope_scaling = linear_scaling(*this, architecture);
  if (integer_or(key("expert_count"), 0) != 0)
    fail(key("expert_count") + ": expert models are not supported");
  const auto causal = metadata().find(key("attention.causal"));
  if (causal != metadata().end() && causal->second == Value(false))
    fail(causal->first + " is false: the model reads what comes after a token and cannot answer");
  for (const auto* name : {"rope.dimension_count", "attention.value_length"}) {
    if (integer_or(key(name), config.head_dim) != config.head_dim) {
      fail(key(name) + " is " + std::to_string(integer(key(name))) + ", want the head size " +
           std::to_string(config.head_dim));
    }
  }
  try {
    config.check();
  } catch (const DataError& error) {
    fail(error.what());
  }
  if (divisors == nullptr) return config;
  const bool fits = divisors->shape == std::vector{config.head_dim / 2} &&
                    config.rope_scaling.type == RopeScaling{}.type;
  const auto found = fits ? scaling_of(config, load(*divisors)) : std::nullopt;
  if (!found)
    fail(std::string("tensor '") + scaling_tensor +
         "': the divisors are not those of Llama 3's scaling of rotary frequencies");
  config.rope_scaling = *found;
  return config;
}

NamedTensors GgufFile::llama_weights(at::ScalarType type) const {
  const auto config = llama_config();
  std::unordered_map<std::string, const TensorInfo*> by_name;
  for (const auto& info : tensors()) by_name.emplace(info.name, &info);
  by_name.erase(scaling_tensor);  // the config says it
  struct Wanted {
    std::string name;
    const TensorInfo* info;
    std::optional<Part> part;
  };
  std::vector<Wanted> wanted;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const auto place = gguf_place(config, name);
    const auto found = by_name.find(place.name);
    if (found == by_name.end())
      throw DataError(where() + ": tensor '" + place.name + "' is missing");
    const auto& info = *found->second;
    if (info.shape != shape) {
      throw DataError(where() + ": tensor '" + info.name + "' at byte " +
                      std::to_string(info.offset) +
                      ": its shape is not the one that the metadata give");
    }
    wanted.push_back({name, &info, place.part});
    by_name.erase(found);
  }
  if (!by_name.empty()) {
    throw DataError(where() + ": tensor '" + shown(by_name.begin()->first) +
                    "' is not part of a plain model of this architecture");
  }
  const auto& family = *config.family;
  NamedTensors weights;
  for (const auto& [name, info, part] : wanted) {
    const auto rotary_heads = !family.gguf_pairs_rows ? 0
                              : part == Part::q       ? config.heads
                              : part == Part::k       ? config.kv_heads
                                                      : 0;
    const bool moved = family.gguf_adds_offset && info->shape.size() == 1;
    Tensor tensor = load(*info, rotary_heads, moved ? at::kFloat : type);
    if (moved) tensor = tensor.sub_(family.norm_offset).to(type);
    weights.push_back({name, tensor});
  }
  return weights;
}

}  // namespace seawall
