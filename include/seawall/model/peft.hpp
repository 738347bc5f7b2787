#pragma once
// LoRA adapters as Hugging Face's PEFT keeps them: adapter_config.json beside
// adapter_model.safetensors.
#include <filesystem>
#include <string>

#include "seawall/model/lora.hpp"

namespace seawall {

inline constexpr const char* kAdapterConfig = "adapter_config.json";
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

/// True where `folder` holds a PEFT adapter.
bool is_peft_folder(const std::filesystem::path& folder);

/// The adapter that a config describes, from factors under `MODULE.lora_A.weight`. Scale of each
/// module: its alpha / r, or alpha / sqrt(r) with use_rslora; rank_pattern and alpha_pattern say
/// where r and alpha differ. `where` names the config in errors. Errors: DataError naming the field
/// that is wrong or not supported (target_modules as a regular expression, DoRA, biases,
/// modules_to_save and so on), or the factor that is missing, surplus or of another shape.
Adapter adapter_from(const std::string& config_json, const NamedTensors& factors,
                     const LlamaConfig& config, const std::string& where);
/// What PEFT reads as the same adapter. `base` is the model's name or path.
std::string adapter_config_json(const Adapter& adapter, const std::string& base);

/// Factors are fp32. Errors: IoError; DataError of adapter_from and of the safetensors reader.
Adapter read_peft(const std::filesystem::path& folder, const LlamaConfig& config);
/// Writes both files; the folder must exist. Factors in the type they have.
void write_peft(const std::filesystem::path& folder, const Adapter& adapter,
                const std::string& base);

}  // namespace seawall
