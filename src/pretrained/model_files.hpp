#pragma once
// What lies beside the weights of a Hugging Face folder and belongs to the model: tokenizer files,
// chat template, generation_config.json. Kept byte for byte through checkpoints and exports.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "seawall/model/decoding.hpp"
#include "seawall/model/files.hpp"

namespace seawall {

/// Beside the weights of checkpoints and exports: the name of the template they were trained with.
inline constexpr const char* template_file = "chat_template.txt";

/// Those files of `folder`, by name. Errors: those of read_file.
std::map<std::string, std::string> side_files(const std::filesystem::path& folder);
/// True for the name of such a file.
bool is_side_file(const std::string& name);

/// The ids at the ends of texts and answers, as the publisher has them.
struct FolderEnds {
  EndIds config;                    // of config.json
  std::vector<std::int32_t> stops;  // eos_token_id of generation_config.json, else of config.json
  Notices notices;                  // where the two differ
};
/// Errors: DataError naming the file where an id is none; IoError.
FolderEnds ends_of_folder(const std::filesystem::path& folder);

/// The generation settings: generation_config.json, or config.json where there is none. Errors:
/// those of read_decoding.
DecodingFile decoding_of_folder(const std::filesystem::path& folder, std::int64_t vocabulary);

}  // namespace seawall
