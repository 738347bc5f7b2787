#include "store/tensor_io.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

struct DtypeWords {
  at::ScalarType dtype;
  std::string_view name;
  h5::Type stored;
  at::ScalarType memory;  // what the stored type is in a tensor
};
constexpr std::array<DtypeWords, 8> dtypes = {{
    {at::kFloat, "float32", h5::Type::float32, at::kFloat},
    {at::kDouble, "float64", h5::Type::float64, at::kDouble},
    {at::kBFloat16, "bfloat16", h5::Type::uint16, at::kBFloat16},
    {at::kHalf, "float16", h5::Type::float32, at::kFloat},
    {at::kInt, "int32", h5::Type::int32, at::kInt},
    {at::kLong, "int64", h5::Type::int64, at::kLong},
    {at::kByte, "uint8", h5::Type::uint8, at::kByte},
    {at::kBool, "bool", h5::Type::uint8, at::kByte},
}};

const DtypeWords* words_of(at::ScalarType dtype) {
  for (const auto& words : dtypes) {
    if (words.dtype == dtype) return &words;
  }
  return nullptr;
}

/// True where a link holds a name's character as it is.
bool is_plain(std::string_view name, std::size_t i) {
  const auto byte = static_cast<unsigned char>(name[i]);
  if (byte == '%' || byte == '/' || byte < 0x20 || byte == 0x7F) return false;
  if (byte == ' ' && i + 1 == name.size()) return false;
  return i > 0 || byte >= 0x80 || h5::is_legal_name(name.substr(0, 1));
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (const auto size : shape) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "]";
}

}  // namespace

std::string link_name(std::string_view name) {
  std::string link;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (is_plain(name, i)) {
      link += name[i];
    } else {
      char code[8];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(name[i]));
      link += code;
    }
  }
  // netCDF takes no `%` first, so a `_` goes before it; a `_` of the name's own is then escaped.
  if (link.starts_with("_%")) link.replace(0, 1, "%5F");
  return link.starts_with('%') ? "_" + link : link;
}

std::string name_of_link(std::string_view link) {
  if (link.starts_with("_%")) link.remove_prefix(1);
  std::string name;
  while (!link.empty()) {
    unsigned code = 0;
    const auto* end = link.data() + std::min<std::size_t>(link.size(), 3);
    const bool coded = link.size() >= 3 && link.front() == '%' &&
                       std::from_chars(link.data() + 1, end, code, 16).ptr == end;
    name += coded ? static_cast<char>(code) : link.front();
    link.remove_prefix(coded ? 3 : 1);
  }
  return name;
}

std::size_t stored_bytes(const Tensor& value) {
  const auto* words = words_of(value.scalar_type());
  return static_cast<std::size_t>(value.numel()) *
         (words != nullptr ? h5::type_size(words->stored) : sizeof(double));
}

void put_tensor(h5::Writer& writer, const std::string& path, const Tensor& value) {
  if (!value.defined()) throw RunError(path + ": cannot store a tensor that is not defined");
  const auto* words = words_of(value.scalar_type());
  if (words == nullptr)
    throw RunError(path + ": cannot store a tensor of type " + c10::toString(value.scalar_type()) +
                   "; want fp32, fp64, bf16, fp16, int32, int64, uint8 or bool");
  const auto plain = value.detach().to(at::kCPU).to(words->memory).contiguous();
  const auto count = static_cast<std::size_t>(plain.numel());
  h5::Attributes attributes{{"source_dtype", std::string(words->name)}};
  if (words->stored == h5::Type::uint16)
    attributes.emplace_back("encoding", std::string("bits of bfloat16; in numpy the float32 values "
                                                    "are (a.astype('u4') << 16).view('f4')"));
  writer.dataset(path, h5::Shape(plain.sizes().begin(), plain.sizes().end()),
                 h5::Values(words->stored, plain.const_data_ptr(), count), attributes);
}

Tensor get_tensor(const h5::Reader& reader, const std::string& path) {
  const std::string place = reader.path().string() + ": " + path;
  const auto source = reader.text_attribute("source_dtype", path);
  const DtypeWords* words = nullptr;
  for (const auto& candidate : dtypes) {
    if (candidate.name == source) words = &candidate;
  }
  if (words == nullptr) throw DataError(place + ": source_dtype is not a type that is known");
  // Checkpoints of format 1 hold bf16 widened.
  static constexpr DtypeWords widened{at::kBFloat16, "bfloat16", h5::Type::float32, at::kFloat};
  if (words->dtype == at::kBFloat16 && reader.type(path) == widened.stored) words = &widened;
  if (reader.type(path) != words->stored)
    throw DataError(place + ": the stored type does not fit its source_dtype " + source);
  const auto shape = reader.shape(path);
  const auto count = h5::elements(shape, place);
  if (count * h5::type_size(words->stored) > std::uint64_t{1} << 46)
    throw DataError(place + ": the tensor is larger than any memory");
  const auto plain =
      at::empty(std::vector<std::int64_t>(shape.begin(), shape.end()), words->memory);
  reader.read(path, plain.data_ptr(), count);
  return plain.to(words->dtype);
}

void check_shape(const Tensor& value, const std::vector<std::int64_t>& want,
                 const std::string& name) {
  if (value.defined() && value.sizes() == at::IntArrayRef(want)) return;
  throw RunError(name + ": want " + shape_text(want) + ", got " +
                 (value.defined() ? shape_text(value.sizes()) : "no tensor"));
}

}  // namespace seawall
