#include "seawall/store/hdf5.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "store/hdf5_handle.hpp"

namespace seawall::h5 {

void start() {
  static const bool done = [] {
    H5dont_atexit();  // must come before any other call
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  static_cast<void>(done);
}

std::string version() {
  start();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

namespace {
struct TypeWords {
  std::string_view name;
  std::size_t size;
};
constexpr std::array<TypeWords, 7> type_words = {{{"float32", 4},
                                                  {"float64", 8},
                                                  {"int32", 4},
                                                  {"int64", 8},
                                                  {"uint8", 1},
                                                  {"uint16", 2},
                                                  {"text", sizeof(char*)}}};
}  // namespace

std::string_view type_name(Type type) { return type_words.at(static_cast<std::size_t>(type)).name; }
std::size_t type_size(Type type) { return type_words.at(static_cast<std::size_t>(type)).size; }

std::uint64_t elements(const Shape& shape, const std::string& where) {
  std::uint64_t product = 1;
  for (const auto size : shape) {
    if (size != 0 && product > std::numeric_limits<std::uint64_t>::max() / size)
      throw DataError(where + ": the number of elements does not fit into 64 bits");
    product *= size;
  }
  return product;
}

namespace {
bool is_first(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_inner(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '/' && c != 0x7F; }
}  // namespace

bool is_legal_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && is_first(name.front()) && name.back() != ' ' &&
         std::all_of(name.begin(), name.end(), is_inner) && !find_invalid_utf8(name);
}

std::string legal_name(std::string_view name) {
  constexpr std::size_t most = 200;
  std::string out(name.substr(0, most));
  while (find_invalid_utf8(out)) out.resize(*find_invalid_utf8(out));  // cut within a character
  for (char& c : out)
    if (!is_inner(c)) c = '_';
  if (out.empty() || !is_first(out.front())) out.insert(0, "_");
  if (out.back() == ' ') out.back() = '_';
  return out;
}

std::string storable_text(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto bad = find_invalid_utf8(text);
    for (const char c : text.substr(0, bad.value_or(text.size()))) {
      if (c == '\0') {
        out += replacement;
      } else {
        out += c;
      }
    }
    if (!bad) break;
    out += replacement;
    text.remove_prefix(*bad + 1);
  }
  return out;
}

namespace detail {

std::recursive_mutex& lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

std::string take_errors() {
  std::string line;
  const auto visit = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    if (depth >= 6) return 0;
    if (!text.empty()) text += " < ";
    text += error->desc != nullptr && *error->desc != '\0' ? error->desc : error->func_name;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &line);
  H5Eclear2(H5E_DEFAULT);
  return line.empty() ? "no reason given" : line;
}

int Handle::release() noexcept {
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  if (id < 0) return 0;
  const std::scoped_lock guard(lock());
  switch (H5Iget_type(id)) {
    case H5I_FILE:
      return H5Fclose(id);
    case H5I_GROUP:
      return H5Gclose(id);
    case H5I_DATASET:
      return H5Dclose(id);
    case H5I_DATASPACE:
      return H5Sclose(id);
    case H5I_DATATYPE:
      return H5Tclose(id);
    case H5I_ATTR:
      return H5Aclose(id);
    case H5I_GENPROP_LST:
      return H5Pclose(id);
    default:
      return H5Oclose(id);
  }
}

namespace {
Handle text_type() {
  auto type = opened<IoError>("text type", "copy a type", [] { return H5Tcopy(H5T_C_S1); });
  checked<IoError>("text type", "set a size", [&] { return H5Tset_size(type, H5T_VARIABLE); });
  checked<IoError>("text type", "set a character set",
                   [&] { return H5Tset_cset(type, H5T_CSET_UTF8); });
  return type;
}
}  // namespace

Handle file_type(Type type) {
  if (type == Type::text) return text_type();
  return opened<IoError>("stored type", "copy a type", [&]() -> hid_t {
    switch (type) {
      case Type::float32:
        return H5Tcopy(H5T_IEEE_F32LE);
      case Type::float64:
        return H5Tcopy(H5T_IEEE_F64LE);
      case Type::int32:
        return H5Tcopy(H5T_STD_I32LE);
      case Type::int64:
        return H5Tcopy(H5T_STD_I64LE);
      case Type::uint16:
        return H5Tcopy(H5T_STD_U16LE);
      default:
        return H5Tcopy(H5T_STD_U8LE);
    }
  });
}

Handle memory_type(Type type) {
  if (type == Type::text) return text_type();
  return opened<IoError>("memory type", "copy a type", [&]() -> hid_t {
    switch (type) {
      case Type::float32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
      case Type::float64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
      case Type::int32:
        return H5Tcopy(H5T_NATIVE_INT32);
      case Type::int64:
        return H5Tcopy(H5T_NATIVE_INT64);
      case Type::uint16:
        return H5Tcopy(H5T_NATIVE_UINT16);
      default:
        return H5Tcopy(H5T_NATIVE_UINT8);
    }
  });
}

}  // namespace detail
}  // namespace seawall::h5
