#pragma once
// LoRA adapters as Hugging Face's PEFT keeps them: adapter_config.json next to
// adapter_model.safetensors.
#include <filesystem>
#include <string>

#include "seawall/model/lora.hpp"

namespace seawall {

inline constexpr const char* adapter_config = "adapter_config.json";
inline constexpr const char* adapter_weights = "adapter_model.safetensors";

/// True where `folder` holds a PEFT adapter.
bool is_peft_folder(const std::filesystem::path& folder);

/// The adapter that a config describes, from factors under `MODULE.lora_A.weight`. Scale of each
/// module: its alpha / r, or alpha / sqrt(r) with use_rslora; rank_pattern and alpha_pattern say
/// where r and alpha differ. `where` names the config in errors. Errors: DataError naming the field
/// that is wrong or not supported, or the factor that is missing, surplus or of another shape.
Adapter adapter_from(const std::string& config_json, const NamedTensors& factors,
                     const LlamaConfig& config, const std::string& where);
/// What PEFT reads as the same adapter. `base` is the model's name or path.
std::string adapter_config_json(const Adapter& adapter, const std::string& base);

/// What a PEFT folder holds.
struct PeftFile {
  Adapter adapter;           // factors of the blocks' projections
  NamedTensors magnitudes;   // DoRA's, by the name of the weight
  NamedTensors saved;        // whole weights and biases in the place of the model's
  NamedTensors deltas;       // what the embedding or the head gets added: s B A
  bool head_follows = true;  // a saved embedding is the tied head's weight as well
  /// True where the factors are all there is, so that they can be trained on.
  bool plain() const { return magnitudes.empty() && saved.empty() && deltas.empty(); }
};
/// Reads names as PEFT, DeepSpeed and others write them. Factors are fp32. Errors: IoError;
/// DataError of adapter_from and of the safetensors reader.
PeftFile read_peft_file(const std::filesystem::path& folder, const LlamaConfig& config);
/// The adapter of a folder that holds factors alone. Errors: those of read_peft_file; DataError
/// where there is more.
Adapter read_peft(const std::filesystem::path& folder, const LlamaConfig& config);
/// The model with all of it put in, in fp32 and rounded once; unties the head in `config` where
/// the two come to differ. Source: PEFT 0.21.2, tuners/lora (DoRA: W' = m / |W + s B A| (W + s B
/// A), the norm of each row) and ModulesToSaveWrapper.
NamedTensors merge_peft(const PeftFile& file, const NamedTensors& weights, LlamaConfig& config);
/// Writes both files; the folder must exist. Factors in the type they have.
void write_peft(const std::filesystem::path& folder, const Adapter& adapter,
                const std::string& base);

}  // namespace seawall
