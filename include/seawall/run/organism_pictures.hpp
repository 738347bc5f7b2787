#pragma once
// The third stage of `organism train`: eyes for a decoder that stays as it is.
#include <filesystem>

#include "seawall/pretrained/bundle.hpp"

namespace seawall {

/// Trains encoder and projector by organism::picture_stage() for the model's decoder, says what
/// share of held-out pictures it then answers in full, and writes them into `folder`. On one thread
/// the same bits every time. Errors: IoError; Interrupted after a signal, with nothing written.
void train_pictures(const ModelBundle& model, const std::filesystem::path& folder, bool quiet);

}  // namespace seawall
