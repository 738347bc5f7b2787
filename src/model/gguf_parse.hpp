#pragma once
// The structure of a GGUF file, read under limits: metadata and where each tensor lies.
#include <string>
#include <string_view>

#include "seawall/model/files.hpp"

namespace seawall {

struct GgufContents {
  std::map<std::string, GgufFile::Value> metadata;
  std::vector<GgufFile::TensorInfo> tensors;  // offsets from the start of the file
};

/// Errors: DataError naming file, byte offset and key or tensor.
GgufContents parse_gguf(std::string_view file, const std::string& where);

}  // namespace seawall
