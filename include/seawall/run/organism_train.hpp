#pragma once
// The built-in model from nothing, by its recipe.
#include <filesystem>

namespace seawall {

/// Trains tokenizer, decoder and picture encoder and writes them into `folder`, and the decoder as
/// it is before alignment into its folder `base`; the same bits every time on one thread. Errors:
/// IoError; RunError; Interrupted after a signal.
void train_organism(const std::filesystem::path& folder, bool quiet);

}  // namespace seawall
