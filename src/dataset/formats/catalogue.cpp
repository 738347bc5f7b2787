#include <nlohmann/json.hpp>

#include "seawall/dataset/formats.hpp"

namespace seawall {

const ReaderCatalogue& reader_catalogue() {
  static constexpr ReaderCatalogue all = reader_catalogue_of(Readers{});
  return all;
}

std::vector<std::string> formats_of(const ReaderEntry& reader) {
  const std::string name(reader.name);
  std::vector<std::string> formats{name + "-json", name + "-jsonl"};
  if (reader.headers != nullptr) formats.push_back(name + "-csv");
  if (reader.lines) formats.push_back(name + "-lines");
  return formats;
}

bool has_keys(const Json& record, std::initializer_list<std::string_view> keys) {
  if (!record.is_object()) return false;
  for (const auto key : keys)
    if (!record.contains(key)) return false;
  return true;
}

}  // namespace seawall
