// Source: ggml-org/ggml, docs/gguf.md (versions 2 and 3, little-endian).
#include "model/gguf_parse.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "model/gguf_types.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

constexpr std::uint64_t max_text = std::uint64_t{64} << 20, max_alignment = 4096;
// Over all arrays of a file: four for each entry of the largest vocabulary, and bounded memory.
constexpr std::uint64_t max_elements = std::uint64_t{1} << 24;
constexpr std::uint64_t smallest_pair = 8 + 0 + 4 + 1, smallest_tensor = 8 + 1 + 4 + 8 + 4 + 8;

enum class Kind : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  flag,
  text,
  array,
  u64,
  i64,
  f64
};

std::uint64_t smallest_size(Kind kind) {
  switch (kind) {
    case Kind::u8:
    case Kind::i8:
    case Kind::flag:
      return 1;
    case Kind::u16:
    case Kind::i16:
      return 2;
    case Kind::u32:
    case Kind::i32:
    case Kind::f32:
      return 4;
    default:
      return 8;
  }
}

class Parser {
 public:
  Parser(std::string_view file, const std::string& where) : file_(file), where_(where) {}

  GgufContents parse() {
    if (!file_.starts_with("GGUF")) fail("want the letters GGUF");
    at_ = 4;
    const auto version = number<std::uint32_t>();
    if (version != 2 && version != 3) {
      at_ = 4;
      fail("version " + std::to_string(version) + ", want 2 or 3 in little-endian order");
    }
    const auto tensors = count(number<std::uint64_t>(), smallest_tensor, "tensors");
    const auto pairs = count(number<std::uint64_t>(), smallest_pair, "metadata pairs");
    for (std::uint64_t i = 0; i < pairs; ++i) read_pair();
    entry_.clear();
    for (std::uint64_t i = 0; i < tensors; ++i) read_tensor();
    entry_.clear();
    place_tensors();
    return std::move(contents_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": byte " + std::to_string(at_) +
                    (entry_.empty() ? "" : ", '" + shown(entry_) + "'") + ": " + what +
                    " (not a GGUF file, or damaged)");
  }
  template <class T>
  T number() {
    if (file_.size() - at_ < sizeof(T)) fail("the file ends here");
    T value;
    std::memcpy(&value, file_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::uint64_t count(std::uint64_t wanted, std::uint64_t smallest, const char* what) const {
    if (wanted > (file_.size() - at_) / smallest) {
      fail(std::to_string(wanted) + " " + what + " do not fit in the " +
           std::to_string(file_.size() - at_) + " bytes that are left");
    }
    return wanted;
  }
  std::string text() {
    const auto length = number<std::uint64_t>();
    if (length > max_text || length > file_.size() - at_) {
      fail("a text of " + std::to_string(length) + " bytes, longer than the file or 64 MiB");
    }
    std::string value(file_.substr(at_, length));
    at_ += length;
    return value;
  }
  Kind kind() {
    const auto value = number<std::uint32_t>();
    if (value > static_cast<std::uint32_t>(Kind::f64)) {
      fail("value type " + std::to_string(value) + ", want 0 to 12");
    }
    return static_cast<Kind>(value);
  }

  void read_pair() {
    entry_.clear();
    entry_ = text();
    if (entry_.empty()) fail("an empty key");
    const auto type = kind();
    auto value = type == Kind::array ? array() : scalar(type);
    if (!contents_.metadata.emplace(entry_, std::move(value)).second)
      fail("the key is there twice");
  }

  GgufFile::Value scalar(Kind type) {
    switch (type) {
      case Kind::u8:
        return std::uint64_t{number<std::uint8_t>()};
      case Kind::u16:
        return std::uint64_t{number<std::uint16_t>()};
      case Kind::u32:
        return std::uint64_t{number<std::uint32_t>()};
      case Kind::u64:
        return number<std::uint64_t>();
      case Kind::f32:
        return double{number<float>()};
      case Kind::f64:
        return number<double>();
      case Kind::flag:
        return number<std::uint8_t>() != 0;
      case Kind::text:
        return text();
      default:
        return integer(type);
    }
  }

  std::int64_t integer(Kind type) {
    switch (type) {
      case Kind::u8:
      case Kind::flag:
        return number<std::uint8_t>();
      case Kind::i8:
        return number<std::int8_t>();
      case Kind::u16:
        return number<std::uint16_t>();
      case Kind::i16:
        return number<std::int16_t>();
      case Kind::u32:
        return number<std::uint32_t>();
      case Kind::i32:
        return number<std::int32_t>();
      case Kind::i64:
        return number<std::int64_t>();
      default:
        break;
    }
    const auto value = number<std::uint64_t>();
    if (value > INT64_MAX) fail("a number above 2^63 - 1");
    return static_cast<std::int64_t>(value);
  }

  GgufFile::Value array() {
    const auto type = kind();
    if (type == Kind::array) fail("an array of arrays, which is not supported");
    const auto size = count(number<std::uint64_t>(), smallest_size(type), "array elements");
    elements_ += size;
    if (elements_ > max_elements) fail("more than 2^24 array elements in the file");
    if (type == Kind::text) {
      std::vector<std::string> values(size);
      for (auto& value : values) value = text();
      return values;
    }
    if (type == Kind::f32 || type == Kind::f64) {
      std::vector<double> values(size);
      for (auto& value : values) value = type == Kind::f32 ? number<float>() : number<double>();
      return values;
    }
    std::vector<std::int64_t> values(size);
    for (auto& value : values) value = integer(type);
    return values;
  }

  void read_tensor() {
    entry_.clear();
    GgufFile::TensorInfo info;
    info.name = entry_ = text();
    if (entry_.empty() || entry_.size() > 1024)
      fail("a tensor name of " + std::to_string(entry_.size()) + " bytes");
    if (!names_.insert(entry_).second) fail("the tensor is there twice");
    const auto dimensions = number<std::uint32_t>();
    if (dimensions < 1 || dimensions > 4) {
      fail(std::to_string(dimensions) + " dimensions, want 1 to 4");
    }
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const auto size = number<std::uint64_t>();
      if (size < 1 || size > INT64_MAX) fail("a dimension of " + std::to_string(size));
      info.shape.insert(info.shape.begin(),
                        static_cast<std::int64_t>(size));  // fastest first in the file
    }
    const auto type_number = number<std::uint32_t>();
    const auto type = gguf_type(type_number);
    if (!type) fail("tensor type " + std::to_string(type_number) + " is not known");
    info.type = type->name;
    info.bytes = byte_size(info, *type);
    info.offset = number<std::uint64_t>();
    contents_.tensors.push_back(std::move(info));
  }

  std::uint64_t byte_size(const GgufFile::TensorInfo& info, const GgufType& type) const {
    if (static_cast<std::uint64_t>(info.shape.back()) % type.block != 0) {
      fail("rows of " + std::to_string(info.shape.back()) + " elements, want a multiple of " +
           std::to_string(type.block) + " for type " + std::string(type.name));
    }
    std::int64_t elements = 1, bytes = 0;
    for (const auto size : info.shape) {
      if (__builtin_mul_overflow(elements, size, &elements))
        fail("the size of the shape overflows");
    }
    if (__builtin_mul_overflow(elements, std::int64_t{4}, &bytes) ||  // as fp32
        __builtin_mul_overflow(elements / static_cast<std::int64_t>(type.block), type.bytes,
                               &bytes)) {
      fail("the size of the shape overflows");
    }
    return static_cast<std::uint64_t>(bytes);
  }

  std::uint64_t alignment() const {
    const auto found = contents_.metadata.find("general.alignment");
    if (found == contents_.metadata.end()) return 32;
    const auto* value = std::get_if<std::uint64_t>(&found->second);
    if (value == nullptr || *value == 0 || *value > max_alignment || (*value & (*value - 1)) != 0) {
      fail("general.alignment: want a power of two, at most 4096");
    }
    return *value;
  }

  /// Makes offsets absolute and checks that every tensor lies inside the file, aligned and apart
  /// from the others.
  void place_tensors() {
    const auto align = alignment();
    const auto start = (at_ + align - 1) / align * align;
    std::vector<const GgufFile::TensorInfo*> order;
    for (auto& info : contents_.tensors) {
      entry_ = info.name;
      if (start > file_.size() || info.offset % align != 0 || info.offset > file_.size() - start ||
          info.bytes > file_.size() - start - info.offset) {
        fail("the tensor is at byte " + std::to_string(info.offset) + " of the data with " +
             std::to_string(info.bytes) + " bytes; want a multiple of " + std::to_string(align) +
             " and an end inside the file of " + std::to_string(file_.size()) + " bytes");
      }
      info.offset += start;
      order.push_back(&info);
    }
    std::ranges::sort(order, {}, [](const auto* info) { return info->offset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
      entry_ = order[i]->name;
      if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
        fail("the tensor overlaps '" + shown(order[i - 1]->name) + "'");
      }
    }
  }

  std::string_view file_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::string entry_;  // key or tensor being read, for errors
  std::uint64_t elements_ = 0;
  std::set<std::string> names_;
  GgufContents contents_;
};

}  // namespace

GgufContents parse_gguf(std::string_view file, const std::string& where) {
  return Parser(file, where).parse();
}

}  // namespace seawall
