#pragma once
// What lies beside the weights of a Hugging Face folder and belongs to the model: tokenizer files,
// chat template, generation_config.json. Kept byte for byte through checkpoints and exports.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace seawall {

/// Beside the weights of checkpoints and exports: the name of the template they were trained with.
inline constexpr const char* kTemplateFile = "chat_template.txt";

/// Those files of `folder`, by name. Errors: those of read_file.
std::map<std::string, std::string> side_files(const std::filesystem::path& folder);
/// True for the name of such a file.
bool is_side_file(const std::string& name);

/// Ids that end an answer as the publisher has it: eos_token_id (one, or a list) of
/// generation_config.json, else of config.json; empty where there is none. Errors: DataError naming
/// the file where it is neither.
std::vector<std::int32_t> stop_ids_of_folder(const std::filesystem::path& folder);
/// The same of generation_config.json's text.
std::vector<std::int32_t> stop_ids_of(const std::string& json, const std::string& where);

}  // namespace seawall
