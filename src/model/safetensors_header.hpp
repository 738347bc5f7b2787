#pragma once
// The JSON header of a safetensors file, read under the format's limits.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

struct SafetensorsEntry {
  std::string name, type;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in file order
  std::uint64_t data_start = 0;           // bytes from the start of the file
};

/// Errors: DataError naming file and tensor or offset: header length, wrong JSON, duplicate or
/// over-long names, more than 8 dimensions, missing or unknown fields.
SafetensorsHeader parse_safetensors_header(std::string_view file, const std::string& where);

}  // namespace seawall
