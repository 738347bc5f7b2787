// A GGUF file: typed access to its metadata, and its bytes.
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/gguf_parse.hpp"

namespace seawall {

struct GgufFile::Impl {
  std::string where;
  MappedFile file;
  GgufContents contents;

  explicit Impl(const std::filesystem::path& path)
      : where(path.string()), file(path), contents(parse_gguf(file.bytes(), where)) {}

  const Value& value(const std::string& key) const {
    const auto found = contents.metadata.find(key);
    if (found != contents.metadata.end()) return found->second;
    throw DataError(where + ": metadata key '" + key + "' is missing");
  }
  [[noreturn]] void wrong(const std::string& key, const char* wanted) const {
    throw DataError(where + ": metadata key '" + key + "': want " + wanted);
  }
  template <class T>
  const T& as(const std::string& key, const char* wanted) const {
    const auto* found = std::get_if<T>(&value(key));
    if (found == nullptr) wrong(key, wanted);
    return *found;
  }
};

GgufFile::GgufFile(const std::filesystem::path& file) : impl_(std::make_unique<Impl>(file)) {}
GgufFile::~GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;

bool GgufFile::has(const std::string& key) const { return impl_->contents.metadata.contains(key); }

std::int64_t GgufFile::integer(const std::string& key) const {
  const auto& value = impl_->value(key);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const auto* number = std::get_if<std::uint64_t>(&value);
  if (number == nullptr || *number > INT64_MAX) impl_->wrong(key, "an integer");
  return static_cast<std::int64_t>(*number);
}

double GgufFile::number(const std::string& key) const {
  const auto* number = std::get_if<double>(&impl_->value(key));
  return number != nullptr ? *number : static_cast<double>(integer(key));
}

const std::string& GgufFile::text(const std::string& key) const {
  return impl_->as<std::string>(key, "a text");
}
const std::vector<std::string>& GgufFile::texts(const std::string& key) const {
  return impl_->as<std::vector<std::string>>(key, "an array of texts");
}
const std::vector<std::int64_t>& GgufFile::integers(const std::string& key) const {
  return impl_->as<std::vector<std::int64_t>>(key, "an array of integers");
}
const std::map<std::string, GgufFile::Value>& GgufFile::metadata() const {
  return impl_->contents.metadata;
}
const std::vector<GgufFile::TensorInfo>& GgufFile::tensors() const {
  return impl_->contents.tensors;
}

const std::string& GgufFile::where() const { return impl_->where; }
std::string_view GgufFile::bytes() const { return impl_->file.bytes(); }

}  // namespace seawall
