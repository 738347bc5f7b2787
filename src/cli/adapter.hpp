#pragma once
// Adapters as named on the command line: `--lora.*` makes one, `--adapter` reads one.
#include <string>

#include "seawall/cli/bundle.hpp"
#include "seawall/cli/run_spec.hpp"

namespace seawall {

/// Puts the adapter in `word` beside the model's weights: a PEFT folder, or a checkpoint of a LoRA
/// run (`NAME.checkpoints/step-N`, or `NAME.checkpoints` for the latest). Errors: UsageError where
/// nothing of that kind is there; DataError where it does not fit the model, or a checkpoint's base
/// has other weights; those of read_peft and load_checkpoint.
void load_adapter(ModelBundle& bundle, const std::string& word);

/// What the spec asks to train: the adapter that is there, a fresh one, or the whole model. Without
/// training an adapter is merged. Errors: UsageError where options do not go together; those of
/// load_adapter.
void set_up_adapter(ModelBundle& bundle, const RunSpec& spec);

/// For a checkpoint of a LoRA run: PEFT's config, and the hash of the weights it stands beside.
std::string adapter_card(const ModelBundle& bundle);

}  // namespace seawall
