#pragma once
// Adapters on disk, as `--adapter` names them.
#include <string>

#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_spec.hpp"

namespace seawall {

/// The model that the spec names, its adapter next to its weights if it names one. Of `options`
/// only `type` and `sizes_of_large` are the caller's. Errors: those of load_model and load_adapter.
ModelBundle load_pretrained(const ModelSpec& spec, LoadOptions options = {});

/// Puts the adapter in `word` on the model's weights: a PEFT folder, or a checkpoint of a LoRA
/// run (`NAME.checkpoints/step-N`, or `NAME.checkpoints` for the latest). Errors: UsageError where
/// nothing of that kind is there; DataError where it does not fit the model, or a checkpoint's base
/// has other weights; those of read_peft and load_checkpoint.
void load_adapter(ModelBundle& bundle, const std::string& word);

/// For a checkpoint of a LoRA run: PEFT's config, and the hash of the weights it belongs to.
std::string adapter_card(const ModelBundle& bundle);

}  // namespace seawall
