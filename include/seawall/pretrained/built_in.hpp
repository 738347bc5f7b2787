#pragma once
// The models that come with Seawall, by word.
#include <filesystem>
#include <string_view>

namespace seawall {

/// True for the words that name a built-in model: `organism`, and `organism-base`, the same model
/// before it was aligned.
bool is_built_in_model(std::string_view word);
/// Its folder. Errors: those of data_folder.
std::filesystem::path built_in_model(std::string_view word);

}  // namespace seawall
