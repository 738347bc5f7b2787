#pragma once
// HDF5 with every return checked: files are built in memory, published as bytes, and read only
// after their hash was verified. This room is the only one that calls the HDF5 C API; its
// identifiers do not leave hdf5*.cpp.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace seawall::h5 {

/// Switches off HDF5's exit handler (a full disk would end in SIGSEGV there) and its printing.
/// First call of every main; every function here calls it as well.
void start();
/// Version of the library that is linked, e.g. `1.10.8`.
std::string version();

/// The stored types: what h5py, xarray, netCDF4, R and PyTables all read. uint16 is for the raw
/// bits of bf16 in checkpoints alone.
enum class Type { float32, float64, int32, int64, uint8, uint16, text };
std::string_view type_name(Type type);
std::size_t type_size(Type type);

using Shape = std::vector<std::uint64_t>;
using AttributeValue = std::variant<std::string, std::int64_t, double>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

/// Values in memory: a view, so the caller keeps what it looks at.
struct Values {
  Type type;
  const void* data;
  std::size_t count;
  Values(Type t, const void* d, std::size_t n) : type(t), data(d), count(n) {}
  Values(const std::vector<float>& v) : Values(Type::float32, v.data(), v.size()) {}
  Values(const std::vector<double>& v) : Values(Type::float64, v.data(), v.size()) {}
  Values(const std::vector<std::int32_t>& v) : Values(Type::int32, v.data(), v.size()) {}
  Values(const std::vector<std::int64_t>& v) : Values(Type::int64, v.data(), v.size()) {}
  Values(const std::vector<std::uint8_t>& v) : Values(Type::uint8, v.data(), v.size()) {}
  Values(const std::vector<std::string>& v) : Values(Type::text, v.data(), v.size()) {}
};

/// How a dataset is laid out.
struct Layout {
  Shape chunk = {};       // empty: contiguous, without filters; else fletcher32
  bool compress = false;  // shuffle and gzip-1; needs chunks
  bool growing = false;   // the first dimension may be extended; needs chunks
  Attributes attributes = {};
};

/// Builds an HDF5 file in memory. Groups, datasets and attributes keep their order of creation.
/// Errors of every call: IoError with HDF5's own error stack; texts must be UTF-8 without NUL, and
/// every name one that netCDF takes (is_legal_name), so that any reader can save the file again.
class Writer {
 public:
  /// `expected_bytes` avoids moving the image while it grows. `at_once` takes them in one piece, so
  /// that an image of that size is never held twice.
  explicit Writer(std::size_t expected_bytes = 0, bool at_once = false);
  ~Writer();
  Writer(Writer&&) noexcept;

  /// Attribute of the root, or of the group or dataset `object`.
  void attribute(const std::string& name, const AttributeValue& value,
                 const std::string& object = "/");
  void group(const std::string& path);
  /// A dimension with a value a place: a 1-D dataset made a dimension scale.
  void coordinate(const std::string& name, Values values, const Attributes& attributes = {},
                  bool growing = false);
  /// A dimension without values.
  void dimension(const std::string& name, std::uint64_t size);
  /// A dataset over named dimensions, written whole. Errors: also where `values` does not fill the
  /// dimensions.
  void variable(const std::string& name, const std::vector<std::string>& dims, Values values,
                const Layout& layout = {});
  /// The same, to be filled by write(); places never written read as NaN (floats) or 0.
  void variable(const std::string& name, const std::vector<std::string>& dims, Type type,
                const Layout& layout);
  /// A dataset without dimension scales at `path`, written whole; an empty shape is a scalar.
  void dataset(const std::string& path, const Shape& shape, Values values,
               const Attributes& attributes = {});
  /// Fills the block at `offset` of size `count`.
  void write(const std::string& name, const Shape& offset, const Shape& count, Values values);
  /// Extends the first dimension of a growing coordinate or variable.
  void extend(const std::string& name, std::uint64_t size);

  /// The file's bytes, valid until the next call or the end of the writer.
  std::string_view image();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Publishes `writer`'s file as `path`: atomically, and followed by a seal line with its SHA-256
/// (HDF5 readers do not look behind their own end), so that a cut or changed file is known before
/// it is parsed.
void publish(const std::filesystem::path& path, Writer& writer);

/// How much is known about a file before HDF5 sees it.
enum class Trust {
  sealed,   // the seal at its end is verified now
  verified  // the caller compared its hash with a manifest
};

/// Reads an HDF5 file of ours.
/// Errors of every call: IoError; DataError naming path and dataset where something is missing, of
/// another type or too large.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path, Trust trust = Trust::sealed);
  ~Reader();
  Reader(Reader&&) noexcept;

  const std::filesystem::path& path() const;
  bool has(const std::string& name) const;
  /// Names in `group` in the order of creation.
  std::vector<std::string> list(const std::string& group = "/") const;
  bool is_group(const std::string& name) const;
  Shape shape(const std::string& name) const;
  Type type(const std::string& name) const;
  /// False for a dimension without values.
  bool has_values(const std::string& name) const;
  /// Names of the dimensions of a variable; empty where a dimension has none.
  std::vector<std::string> dims(const std::string& name) const;

  std::vector<float> float32(const std::string& name) const;
  std::vector<double> float64(const std::string& name) const;
  std::vector<std::int32_t> int32(const std::string& name) const;
  std::vector<std::int64_t> int64(const std::string& name) const;
  std::vector<std::uint8_t> uint8(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  std::string text(const std::string& name) const;
  /// Reads the whole dataset into `out`, which holds `count` values of the stored type.
  void read(const std::string& name, void* out, std::size_t count) const;
  /// Reads the block at `offset` of size `count`.
  std::vector<float> float32_block(const std::string& name, const Shape& offset,
                                   const Shape& count) const;

  /// All of them, less those by which HDF5 marks dimension scales.
  Attributes attributes(const std::string& object = "/") const;
  bool has_attribute(const std::string& name, const std::string& object = "/") const;
  AttributeValue attribute(const std::string& name, const std::string& object = "/") const;
  /// Text attribute. Errors: DataError where it is missing or not a text.
  std::string text_attribute(const std::string& name, const std::string& object = "/") const;

 private:
  template <class T>
  std::vector<T> values(const std::string& name, Type want) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// True for a name that netCDF takes: 1 to 256 bytes of UTF-8, no `/`, no control character, no
/// space at its end, and a letter, a digit, `_` or a character beyond ASCII first.
bool is_legal_name(std::string_view name);
/// `name` with `_` for every byte that is_legal_name does not allow, cut to 200 bytes.
std::string legal_name(std::string_view name);

/// `text` with NUL and bytes that are not UTF-8 replaced by U+FFFD: what a model generates must not
/// make a file unreadable.
std::string storable_text(std::string_view text);

/// Elements of a shape. Errors: DataError naming `where` where the product overflows.
std::uint64_t elements(const Shape& shape, const std::string& where);

}  // namespace seawall::h5
