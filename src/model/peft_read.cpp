// A PEFT folder: its tensors by kind, and what of them is merged at once.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "model/json_fields.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/hf_names.hpp"
#include "seawall/model/peft.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t max_peft_config = std::uint64_t{4} << 20;
constexpr std::string_view head_name = "lm_head.weight";
constexpr std::string_view embedding_name = "model.embed_tokens.weight";

void erase_all(std::string& name, std::string_view part) {
  for (auto at = name.find(part); at != std::string::npos; at = name.find(part))
    name.erase(at, part.size());
}

/// A name without the adapter's own name and the wrappers of PEFT, as `MODULE.lora_A.weight`,
/// `MODULE.lora_magnitude_vector`, or that of a weight of the model.
std::string plain_name(const std::string& stored, bool& saved) {
  std::string name = stored;
  saved = name.find(".modules_to_save.") != std::string::npos;
  for (const auto part : {".modules_to_save.default", ".modules_to_save", ".base_layer"})
    erase_all(name, part);
  for (const auto part :
       {".lora_A", ".lora_B", ".lora_embedding_A", ".lora_embedding_B", ".lora_magnitude_vector"}) {
    const auto at = name.find(std::string(part) + ".default");
    if (at != std::string::npos) name.erase(at + std::string_view(part).size(), 8);
  }
  if (name.ends_with(".lora_magnitude_vector.weight")) name.resize(name.size() - 7);
  return canonical_name(name);
}

/// Tensors by kind.
class PeftTensors {
 public:
  PeftTensors(const JsonFields& fields, const LlamaConfig& config) : fields_(fields) {
    for (auto& [name, shape] : config.parameter_shapes()) shapes_[name] = shape;
    shapes_[std::string(head_name)] = shapes_[std::string(embedding_name)];
    if (fields.given("modules_to_save") && fields.at("modules_to_save").is_array())
      for (const auto& each : fields.at("modules_to_save"))
        if (each.is_string()) saved_.push_back(each.get<std::string>());
  }

  void take(const std::string& stored, Tensor tensor) {
    if (stored.find(".original_module.") != std::string::npos) return;
    bool wrapped = false;
    const auto name = plain_name(stored, wrapped);
    constexpr std::string_view magnitude = ".lora_magnitude_vector";
    if (name.ends_with(magnitude)) {
      const auto weight = name.substr(0, name.size() - magnitude.size()) + ".weight";
      if (!shapes_.contains(weight) || tensor.numel() != shapes_[weight][0])
        fields_.fail("tensor '" + shown(stored) + "': no weight of this model has it");
      file.magnitudes.push_back({weight, tensor.reshape({-1})});
    } else if (name.starts_with("lm_head.lora_") ||
               name.starts_with("model.embed_tokens.lora_embedding_")) {
      low_[name] = std::move(tensor);
    } else if (name.find(".lora_") != std::string::npos) {
      factors.push_back({name, std::move(tensor)});
    } else {
      take_whole(stored, name, std::move(tensor), wrapped);
    }
  }

  /// Whole modules that the config names and the file lacks would silently stay the model's.
  void check_saved() const {
    for (const auto& each : saved_) {
      const bool there = std::ranges::any_of(file.saved, [&](const NamedTensor& tensor) {
        const auto module = tensor.name.substr(0, tensor.name.rfind('.'));
        return module == each || ("." + module + ".").find("." + each + ".") != std::string::npos;
      });
      if (!there) fields_.fail("modules_to_save: the weights hold nothing of " + shown(each));
    }
  }

  /// Factors of the head and of the embedding, multiplied.
  void multiply(double scale) {
    for (const auto* field : {"rank_pattern", "alpha_pattern"})
      for (const auto* module : {"lm_head", "embed_tokens"})
        if (!low_.empty() && fields_.given(field) &&
            fields_.at(field).dump().find(module) != std::string::npos)
          fields_.fail(std::string(field) + ": an entry for " + module + " is not supported");
    const auto product = [&](const std::string& a, const std::string& b, bool turned) {
      if (!low_.contains(a) && !low_.contains(b)) return;
      if (!low_.contains(a) || !low_.contains(b) || low_[b].size(1) != low_[a].size(0) ||
          low_[a].size(0) != fields_.integer("r"))
        fields_.fail("tensors '" + a + "' and '" + b + "': want both, of rank r");
      Tensor delta = at::matmul(low_[b], low_[a]).mul_(scale);
      if (turned) delta = delta.t();
      const auto weight = std::string(turned ? embedding_name : head_name);
      if (delta.sizes().vec() != shapes_[weight])
        fields_.fail("tensor '" + a + "': does not fit " + weight);
      file.deltas.push_back({weight, delta.contiguous()});
    };
    product("lm_head.lora_A.weight", "lm_head.lora_B.weight", false);
    product("model.embed_tokens.lora_embedding_A", "model.embed_tokens.lora_embedding_B", true);
  }

  PeftFile file;
  NamedTensors factors;

 private:
  void take_whole(const std::string& stored, const std::string& name, Tensor tensor, bool wrapped) {
    const auto shape = shapes_.find(name);
    if (shape == shapes_.end())
      fields_.fail("the weights hold " + shown(stored) + ", which this model does not have");
    if (tensor.sizes().vec() != shape->second)
      fields_.fail("tensor '" + shown(stored) + "' has another shape than the model's " + name +
                   "; do adapter and model belong together?");
    const auto module = name.substr(0, name.rfind('.'));
    for (const auto& each : saved_) wrapped |= module == each || module.ends_with("." + each);
    // A copy of its own in PEFT, which the tied head does not see but where the config asks for it.
    if (name == embedding_name && wrapped && !fields_.flag("ensure_weight_tying", false))
      file.head_follows = false;
    file.saved.push_back({name, std::move(tensor)});
  }

  const JsonFields& fields_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
  std::vector<std::string> saved_;
  std::map<std::string, Tensor> low_;
};

void check_dora(const JsonFields& fields, const PeftFile& file) {
  const auto names = file.adapter.weight_names();
  const bool on = fields.flag("use_dora", false);
  if (on ? file.magnitudes.size() != names.size() : !file.magnitudes.empty())
    fields.fail("use_dora is " + std::string(on ? "true" : "false") + ", and the weights hold " +
                std::to_string(file.magnitudes.size()) + " lora_magnitude_vector for " +
                std::to_string(names.size()) + " weights");
  for (const auto& [weight, magnitude] : file.magnitudes)
    if (std::ranges::find(names, weight) == names.end())
      fields.fail("use_dora: " + weight + " has a magnitude and no factors");
}

Tensor* entry_of(NamedTensors& list, std::string_view name) {
  const auto at = std::ranges::find(list, name, &NamedTensor::name);
  return at == list.end() ? nullptr : &at->tensor;
}

Tensor widened(const Tensor& weight) {
  return weight.scalar_type() == at::kDouble ? weight : weight.to(at::kFloat);
}

}  // namespace

PeftFile read_peft_file(const fs::path& folder, const LlamaConfig& config) {
  const fs::path file = folder / adapter_config, weights = folder / adapter_weights;
  if (!fs::exists(file))
    throw IoError(folder.string() + ": want " + adapter_config + " and " + adapter_weights +
                  " as PEFT writes them, found no " + adapter_config);
  if (!fs::exists(weights))
    throw IoError(folder.string() + ": want " + std::string(adapter_weights) + ", found none" +
                  (fs::exists(folder / "adapter_model.bin")
                       ? "; pickled weights are not read, save with safe_serialization=True"
                       : ""));
  const auto text = read_file(file, max_peft_config);
  const auto parsed = parse_json(text, file.string());
  const JsonFields fields(parsed, file.string());
  PeftTensors tensors(fields, config);
  for (auto& [name, tensor] : read_safetensors(weights)) tensors.take(name, std::move(tensor));
  tensors.check_saved();
  const auto rank = fields.integer("r");
  tensors.multiply(
      rank > 0 ? lora_scale(fields.number("lora_alpha", 8), rank, fields.flag("use_rslora", false))
               : 0);
  auto& out = tensors.file;
  if (tensors.factors.empty() && !out.plain()) {
    out.adapter.factors.resize(static_cast<std::size_t>(config.layers * projections_a_layer));
  } else {
    out.adapter = adapter_from(text, tensors.factors, config, file.string());
  }
  check_dora(fields, out);
  return std::move(out);
}

Adapter read_peft(const fs::path& folder, const LlamaConfig& config) {
  auto file = read_peft_file(folder, config);
  if (!file.plain())
    throw DataError(
        folder.string() +
        ": has DoRA magnitudes, whole modules, or factors of the embedding or the head, "
        "which are merged and not kept next to the weights");
  return std::move(file.adapter);
}

NamedTensors merge_peft(const PeftFile& file, const NamedTensors& weights, LlamaConfig& config) {
  const at::NoGradGuard no_grad;
  NamedTensors out = weights;
  const auto put = [&](std::string_view name, const Tensor& value) {
    Tensor* old = entry_of(out, name);
    *old = value.to(old->options().requires_grad(false));
  };
  const auto changes = [&](std::string_view name) {
    const auto has = [&](const NamedTensors& list) {
      return std::ranges::find(list, name, &NamedTensor::name) != list.end();
    };
    return has(file.saved) || has(file.deltas);
  };
  const bool own_head =
      changes(head_name) ||
      std::ranges::find(file.deltas, embedding_name, &NamedTensor::name) != file.deltas.end() ||
      (changes(embedding_name) && !file.head_follows);
  if (config.tie_word_embeddings && own_head) {
    config.tie_word_embeddings = false;
    out.push_back({std::string(head_name), *entry_of(out, embedding_name)});
  }
  for (const auto& [name, tensor] : file.saved) put(name, tensor);
  for (const auto& [name, delta] : file.deltas)
    put(name, widened(*entry_of(out, name)) + delta.to(entry_of(out, name)->device()));
  const auto names = file.adapter.weight_names();
  std::size_t next = 0;
  for (const auto& factors : file.adapter.factors) {
    if (!factors.on()) continue;
    const auto& name = names[next++];
    const Tensor& old = *entry_of(out, name);
    Tensor whole = factors.product().to(old.device()) + widened(old);  // [out,in]
    const auto magnitude = std::ranges::find(file.magnitudes, name, &NamedTensor::name);
    if (magnitude != file.magnitudes.end()) {
      const Tensor norm = at::linalg_vector_norm(whole, 2, at::IntArrayRef{1}, true);  // [out,1]
      whole = whole * (magnitude->tensor.to(whole.device()).view({-1, 1}) / norm);
    }
    put(name, whole);
  }
  return out;
}

}  // namespace seawall
