#pragma once
// The tokenizer of a model's folder: which of its files counts, and what they disagree on.
#include <filesystem>
#include <memory>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

struct FolderTokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  Notices notices;
};

/// tokenizer.json counts, as in transformers; tokenizer.model alone is read as the class of
/// tokenizer_config.json reads it, or by the SentencePiece library. Errors: DataError where there
/// is neither, or naming the file and field; IoError.
FolderTokenizer load_folder_tokenizer(const std::filesystem::path& folder);

}  // namespace seawall
