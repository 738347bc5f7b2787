#pragma once
// The tokenizer of a model's folder: which of its files counts, and what they disagree on.
#include <filesystem>
#include <memory>
#include <string>

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
/// tokenizer.json and tokenizer_config.json.
struct TokenizerFiles {
  std::string json, config;
};
/// Those with which transformers gives the same ids as the folder's tokenizer.model, without
/// SentencePiece and protobuf; empty if no steps of tokenizer.json do what the model does (unigram
/// models, and those that normalize text). Errors: DataError naming the file; IoError.
TokenizerFiles files_of_sentencepiece(const std::filesystem::path& folder);

}  // namespace seawall
