// The safetensors format: u64 header length, JSON header, then the tensors' bytes without gaps.
// Source: github.com/huggingface/safetensors, README "Format"; the limits are those of its Rust
// reader.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "model/mapped_pages.hpp"
#include "model/safetensors_header.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"

namespace seawall {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

struct TypeName {
  std::string_view name;
  at::ScalarType type;
  std::uint64_t bytes;
};
constexpr std::array<TypeName, 3> types{
    {{"F32", at::kFloat, 4}, {"F16", at::kHalf, 2}, {"BF16", at::kBFloat16, 2}}};

const TypeName& type_of(const SafetensorsEntry& entry, const std::string& where) {
  const auto found = std::ranges::find(types, entry.type, &TypeName::name);
  if (found != types.end()) return *found;
  throw DataError(where + ": tensor '" + shown(entry.name) + "' at byte " +
                  std::to_string(entry.begin) + " of the data has type '" + shown(entry.type) +
                  "', want F32, F16 or BF16");
}

/// Checks that type, shape and byte range agree, with checked arithmetic.
void check_entry(const SafetensorsEntry& entry, const std::string& where) {
  auto bytes = type_of(entry, where).bytes;
  auto bound =
      static_cast<std::int64_t>(bytes);  // with 0 counted as 1, so that strides fit as well
  for (const auto size : entry.shape) {
    bytes *= size;
    if (__builtin_mul_overflow(bound, std::max<std::uint64_t>(size, 1), &bound)) {
      throw DataError(where + ": tensor '" + shown(entry.name) +
                      "': the size of its shape overflows");
    }
  }
  if (bytes != entry.end - entry.begin) {
    throw DataError(where + ": tensor '" + shown(entry.name) + "' at byte " +
                    std::to_string(entry.begin) + " of the data: type and shape want " +
                    std::to_string(bytes) + " bytes, the offsets give " +
                    std::to_string(entry.end - entry.begin));
  }
}

void check_layout(std::vector<SafetensorsEntry>& entries, std::uint64_t data_size,
                  const std::string& where, const std::function<bool(const std::string&)>& wanted) {
  std::ranges::stable_sort(entries, {}, [](const auto& e) { return std::pair(e.begin, e.end); });
  std::uint64_t expected = 0;
  for (const auto& entry : entries) {
    if (entry.begin != expected || entry.end < entry.begin || entry.end > data_size) {
      throw DataError(where + ": tensor '" + shown(entry.name) + "': data_offsets [" +
                      std::to_string(entry.begin) + ", " + std::to_string(entry.end) +
                      "], want a start of " + std::to_string(expected) + " and an end of at most " +
                      std::to_string(data_size));
    }
    if (wanted(entry.name)) check_entry(entry, where);
    expected = entry.end;
  }
  if (expected != data_size) {
    throw DataError(where + ": the tensors end at byte " + std::to_string(expected) +
                    " of the data, the data has " + std::to_string(data_size) + " bytes");
  }
}

void copy_parallel(void* to, const char* from, std::uint64_t size) {
  constexpr std::int64_t chunk = 1 << 22;
  at::parallel_for(0, static_cast<std::int64_t>(size), chunk, [&](std::int64_t b, std::int64_t e) {
    std::memcpy(static_cast<char*>(to) + b, from + b, static_cast<std::size_t>(e - b));
  });
}

/// Made from the mapped bytes in one pass.
Tensor load_entry(const SafetensorsEntry& entry, const char* data, const std::string& where,
                  std::optional<at::ScalarType> wanted) {
  const std::vector<std::int64_t> shape(entry.shape.begin(), entry.shape.end());
  const auto& stored = type_of(entry, where);
  const char* const from = data + entry.begin;
  auto tensor = at::empty(shape, at::TensorOptions().dtype(wanted.value_or(stored.type)));
  if (tensor.scalar_type() == stored.type) {
    copy_parallel(tensor.data_ptr(), from, entry.end - entry.begin);
  } else if (reinterpret_cast<std::uintptr_t>(from) % stored.bytes == 0) {
    tensor.copy_(at::from_blob(const_cast<char*>(from), shape, stored.type));
  } else {  // the format does not ask for aligned data
    auto aligned = at::empty(shape, at::TensorOptions().dtype(stored.type));
    copy_parallel(aligned.data_ptr(), from, entry.end - entry.begin);
    tensor.copy_(aligned);
  }
  return tensor;
}

std::string header_text(const NamedTensors& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> names;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto type = std::ranges::find(types, tensor.scalar_type(), &TypeName::type);
    if (type == types.end()) {
      throw UsageError("safetensors: tensor '" + name + "' is not float32, float16 or bfloat16");
    }
    if (name == "__metadata__" || !names.insert(name).second) {
      throw UsageError("safetensors: tensor name '" + name + "' is taken");
    }
    const auto end = offset + static_cast<std::uint64_t>(tensor.numel()) * type->bytes;
    header[name] = {
        {"dtype", type->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts at a multiple of 8
  return text;
}

}  // namespace

NamedTensors read_safetensors(const std::filesystem::path& file, bool to_float) {
  return read_safetensors(file, to_float ? std::optional(at::kFloat) : std::nullopt,
                          [](const std::string&) { return true; });
}

std::vector<StoredTensor> list_safetensors(const std::filesystem::path& file) {
  const auto where = file.string();
  const MappedFile mapped(file);
  auto [entries, data_start] = parse_safetensors_header(mapped.bytes(), where);
  check_layout(entries, mapped.bytes().size() - data_start, where,
               [](const std::string&) { return false; });
  std::vector<StoredTensor> out;
  for (auto& entry : entries)
    out.push_back({std::move(entry.name),
                   std::move(entry.type),
                   {entry.shape.begin(), entry.shape.end()},
                   entry.end - entry.begin});
  return out;
}

NamedTensors read_safetensors(const std::filesystem::path& file, std::optional<at::ScalarType> type,
                              const WantedTensors& wanted) {
  const auto where = file.string();
  const MappedFile mapped(file);
  auto [entries, data_start] = parse_safetensors_header(mapped.bytes(), where);
  auto sorted = entries;
  check_layout(sorted, mapped.bytes().size() - data_start, where, wanted);
  NamedTensors tensors;
  tensors.reserve(sorted.size());
  for (const auto& entry : sorted) {
    if (!wanted(entry.name)) continue;
    tensors.push_back(
        {entry.name, load_entry(entry, mapped.bytes().data() + data_start, where, type)});
    release_pages(mapped.bytes().substr(data_start + entry.begin, entry.end - entry.begin));
  }
  return tensors;
}

void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto header = header_text(tensors, metadata);
  std::vector<Tensor> kept;  // contiguous CPU copies, alive until written
  kept.reserve(tensors.size());
  const std::uint64_t length = header.size();
  std::vector<std::string_view> parts{
      std::string_view(reinterpret_cast<const char*>(&length), sizeof(length)), header};
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().to(at::kCPU).contiguous());
    parts.emplace_back(static_cast<const char*>(kept.back().data_ptr()), kept.back().nbytes());
  }
  write_file_atomically(file, parts);
}

}  // namespace seawall
