#pragma once
// A model on disk in words: headers and metadata only, no weights.
#include <filesystem>
#include <string>

namespace seawall {

/// Family, sizes, files, types, vocabulary, template and tensors of a Hugging Face folder or a
/// .gguf file, one fact a line; where the model is not one that runs here, why. Errors: IoError,
/// DataError of the readers where the files themselves are broken.
std::string describe_model(const std::filesystem::path& path);

}  // namespace seawall
