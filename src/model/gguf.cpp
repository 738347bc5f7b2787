// A GGUF file, or the parts of a split one: typed access to its metadata, and its bytes.
#include <set>

#include "model/gguf_parse.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"

namespace seawall {

namespace {
namespace fs = std::filesystem;

/// Where the parts of a split file are: NAME-00001-of-00003.gguf and so on.
std::vector<fs::path> part_files(const fs::path& file, std::uint64_t number, std::uint64_t count) {
  const auto name = file.filename().string();
  const auto ending = [&](std::uint64_t part) {
    const auto digits = [](std::uint64_t n) {
      auto text = std::to_string(n);
      return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
    };
    return "-" + digits(part) + "-of-" + digits(count) + ".gguf";
  };
  if (!name.ends_with(ending(number + 1)))
    throw DataError(file.string() + ": is part " + std::to_string(number + 1) +
                    " of a GGUF split in " + std::to_string(count) + "; its name must end in " +
                    ending(number + 1) + " so that the other parts are found");
  std::vector<fs::path> out;
  for (std::uint64_t part = 1; part <= count; ++part) {
    out.push_back(file.parent_path() /
                  (name.substr(0, name.size() - ending(part).size()) + ending(part)));
    if (!fs::exists(out.back()))
      throw IoError(out.back().string() + ": is missing; " + name + " is part " +
                    std::to_string(number + 1) + " of " + std::to_string(count) +
                    ", and all of them are read together");
  }
  return out;
}

std::uint64_t count_in(const GgufContents& contents, const std::string& key) {
  const auto found = contents.metadata.find(key);
  if (found == contents.metadata.end()) return 0;
  if (const auto* value = std::get_if<std::uint64_t>(&found->second)) return *value;
  const auto* value = std::get_if<std::int64_t>(&found->second);
  return value != nullptr && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

}  // namespace

struct GgufFile::Impl {
  std::string where;
  std::vector<MappedFile> files;
  GgufContents contents;

  explicit Impl(const fs::path& path) : where(path.string()) {
    files.emplace_back(path);
    contents = parse_gguf(files.front().bytes(), where);
    constexpr std::uint64_t most_parts = 9999;
    const auto count = count_in(contents, "split.count");
    if (count > most_parts) throw DataError(where + ": split.count: want at most 9999");
    if (count > 1) read_parts(part_files(path, count_in(contents, "split.no"), count));
  }

  /// The first part has the metadata; each has tensors of its own.
  void read_parts(const std::vector<fs::path>& paths) {
    files.clear();
    GgufContents all;
    std::set<std::string> names;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      files.emplace_back(paths[i]);
      auto part = parse_gguf(files.back().bytes(), paths[i].string());
      if (count_in(part, "split.no") != i || count_in(part, "split.count") != paths.size())
        throw DataError(paths[i].string() + ": split.no and split.count say that it is part " +
                        std::to_string(count_in(part, "split.no") + 1) + " of " +
                        std::to_string(count_in(part, "split.count")) + ", want part " +
                        std::to_string(i + 1) + " of " + std::to_string(paths.size()));
      for (auto& tensor : part.tensors) {
        if (!names.insert(tensor.name).second)
          throw DataError(paths[i].string() + ": tensor '" + shown(tensor.name) +
                          "' is in an earlier part as well");
        tensor.part = i;
        all.tensors.push_back(std::move(tensor));
      }
      if (i == 0) all.metadata = std::move(part.metadata);
    }
    const auto want = count_in(all, "split.tensors.count");
    if (want != 0 && want != all.tensors.size())
      throw DataError(where + ": the parts hold " + std::to_string(all.tensors.size()) +
                      " tensors, split.tensors.count says " + std::to_string(want));
    contents = std::move(all);
  }

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
std::size_t GgufFile::parts() const { return impl_->files.size(); }
std::uint64_t GgufFile::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& file : impl_->files) bytes += file.bytes().size();
  return bytes;
}
std::string_view GgufFile::bytes(const TensorInfo& info) const {
  return impl_->files[info.part].bytes().substr(info.offset, info.bytes);
}

}  // namespace seawall
