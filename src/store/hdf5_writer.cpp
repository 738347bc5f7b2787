#include <hdf5_hl.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "store/hdf5_handle.hpp"

namespace seawall::h5 {
namespace {

using detail::checked;
using detail::Handle;
using detail::opened;

constexpr const char* where = "HDF5 image";

template <class Call>
auto must(const char* action, Call&& call) {
  return checked<IoError>(where, action, std::forward<Call>(call));
}
template <class Call>
Handle made(const char* action, Call&& call) {
  return opened<IoError>(where, action, std::forward<Call>(call));
}

[[noreturn]] void misuse(const std::string& name, const std::string& what) {
  throw IoError(std::string(where) + ": " + name + ": " + what);
}

/// Every part of a path must be a name that netCDF takes.
void check_name(const std::string& path) {
  for (std::size_t from = 0; from <= path.size();) {
    const auto to = std::min(path.find('/', from), path.size());
    if (!is_legal_name(std::string_view(path).substr(from, to - from)))
      misuse(path,
             "netCDF does not take this name; want no /, no control character, and a letter, "
             "a digit or _ first");
    from = to + 1;
  }
}

std::vector<hsize_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

/// Scalar where `shape` is empty. A growing space may be extended along its first dimension.
Handle space_of(const Shape& shape, bool growing = false) {
  if (shape.empty()) return made("make a scalar space", [] { return H5Screate(H5S_SCALAR); });
  const auto now = sizes(shape);
  auto most = now;
  if (growing) most[0] = H5S_UNLIMITED;
  return made("make a space", [&] {
    return H5Screate_simple(static_cast<int>(now.size()), now.data(), most.data());
  });
}

void check_text(const std::string& name, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) misuse(name, "the text holds a NUL character");
  if (find_invalid_utf8(text)) misuse(name, "the text is not UTF-8");
}

/// Calls `write` with a pointer to what HDF5 wants in memory: texts as an array of C strings.
template <class Write>
void with_memory(const std::string& name, const Values& values, Write&& write) {
  if (values.type != Type::text) {
    write(values.data);
    return;
  }
  const auto* texts = static_cast<const std::string*>(values.data);
  std::vector<const char*> pointers(values.count);
  for (std::size_t i = 0; i < values.count; ++i) {
    check_text(name, texts[i]);
    pointers[i] = texts[i].c_str();
  }
  write(pointers.data());
}

void put_attribute(hid_t object, const std::string& name, const AttributeValue& value) {
  if (!is_legal_name(name)) misuse(name, "netCDF does not take this name of an attribute");
  const Type type = std::holds_alternative<std::string>(value)    ? Type::text
                    : std::holds_alternative<std::int64_t>(value) ? Type::int64
                                                                  : Type::float64;
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && text->size() > 60000)
    misuse(name, "the attribute is larger than 60,000 bytes; store it as a dataset");
  const auto stored = detail::file_type(type), memory = detail::memory_type(type);
  const auto space = space_of({});
  auto attribute = made("create an attribute", [&] {
    return H5Acreate2(object, name.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT);
  });
  const auto write = [&](const void* data) {
    must("write an attribute", [&] { return H5Awrite(attribute, memory, data); });
  };
  std::visit(
      [&](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          with_memory(name, Values(Type::text, &v, 1), write);
        } else {
          write(&v);
        }
      },
      value);
  attribute.close<IoError>(where);
}

Handle ordered(hid_t property_class) {
  auto list = made("make a property list", [&] { return H5Pcreate(property_class); });
  const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  if (property_class == H5P_FILE_CREATE || property_class == H5P_GROUP_CREATE)
    must("track the order of links", [&] { return H5Pset_link_creation_order(list, order); });
  must("track the order of attributes", [&] { return H5Pset_attr_creation_order(list, order); });
  return list;
}

Handle creation_list(Type type, std::size_t rank, const Layout& layout) {
  auto list = ordered(H5P_DATASET_CREATE);
  if (layout.chunk.empty()) {
    if (type == Type::text) return list;
    must("set a fill time", [&] { return H5Pset_fill_time(list, H5D_FILL_TIME_NEVER); });
    return list;
  }
  if (layout.chunk.size() != rank) misuse("chunk", "its rank is not the dataset's");
  const auto chunk = sizes(layout.chunk);
  must("set chunks",
       [&] { return H5Pset_chunk(list, static_cast<int>(chunk.size()), chunk.data()); });
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (type == Type::float32 || type == Type::float64)
    must("set a fill value", [&] { return H5Pset_fill_value(list, H5T_NATIVE_DOUBLE, &nan); });
  if (type == Type::text) return list;  // filters would see references, not texts
  if (layout.compress) {
    must("set shuffle", [&] { return H5Pset_shuffle(list); });
    must("set gzip", [&] { return H5Pset_deflate(list, 1); });
  }
  must("set fletcher32", [&] { return H5Pset_fletcher32(list); });
  return list;
}

}  // namespace

struct Writer::Impl {
  Handle file;
  std::map<std::string, std::uint64_t> dimensions;

  Handle dataset(const std::string& name) const {
    return made("open a dataset", [&] { return H5Dopen2(file, name.c_str(), H5P_DEFAULT); });
  }
  Handle create(const std::string& path, Type type, const Shape& shape,
                const Layout& layout) const {
    check_name(path);
    const auto list = creation_list(type, shape.size(), layout);
    const auto stored = detail::file_type(type);
    const auto space = space_of(shape, layout.growing);
    return made("create a dataset", [&] {
      return H5Dcreate2(file, path.c_str(), stored, space, H5P_DEFAULT, list, H5P_DEFAULT);
    });
  }
  static void fill(hid_t dataset, const std::string& name, const Values& values) {
    if (values.count == 0) return;
    const auto memory = detail::memory_type(values.type);
    with_memory(name, values, [&](const void* data) {
      must("write a dataset",
           [&] { return H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data); });
    });
  }
  Shape shape_of(const std::string& name, const std::vector<std::string>& dims) const {
    Shape shape;
    for (const auto& dim : dims) {
      const auto found = dimensions.find(dim);
      if (found == dimensions.end()) misuse(name, "there is no dimension " + dim);
      shape.push_back(found->second);
    }
    return shape;
  }
  void attach(hid_t dataset, const std::vector<std::string>& dims) const {
    for (unsigned i = 0; i < dims.size(); ++i) {
      const auto scale = this->dataset(dims[i]);
      must("attach a dimension scale", [&] { return H5DSattach_scale(dataset, scale, i); });
    }
  }
};

Writer::Writer(std::size_t expected_bytes, bool at_once) : impl_(std::make_unique<Impl>()) {
  const auto access = made("make a property list", [] { return H5Pcreate(H5P_FILE_ACCESS); });
  const std::size_t step = at_once ? std::max<std::size_t>(expected_bytes, 1 << 16)
                                   : std::clamp<std::size_t>(expected_bytes / 8, 1 << 20, 1 << 26);
  must("choose the core driver", [&] { return H5Pset_fapl_core(access, step, false); });
  const auto list = ordered(H5P_FILE_CREATE);
  // Files in memory are told apart by name alone.
  static std::atomic<unsigned> count = 0;
  const auto name = "seawall-" + std::to_string(count++);
  impl_->file = made("create a file in memory",
                     [&] { return H5Fcreate(name.c_str(), H5F_ACC_TRUNC, list, access); });
}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;

void Writer::attribute(const std::string& name, const AttributeValue& value,
                       const std::string& object) {
  const auto target =
      made("open an object", [&] { return H5Oopen(impl_->file, object.c_str(), H5P_DEFAULT); });
  put_attribute(target, name, value);
}

void Writer::group(const std::string& path) {
  check_name(path);
  const auto list = ordered(H5P_GROUP_CREATE);
  auto group = made("create a group", [&] {
    return H5Gcreate2(impl_->file, path.c_str(), H5P_DEFAULT, list, H5P_DEFAULT);
  });
  group.close<IoError>(where);
}

void Writer::coordinate(const std::string& name, Values values, const Attributes& attributes,
                        bool growing) {
  Layout layout;
  layout.growing = growing;
  if (growing) layout.chunk = {1024};
  auto dataset = impl_->create(name, values.type, {values.count}, layout);
  Impl::fill(dataset, name, values);
  must("make a dimension scale", [&] { return H5DSset_scale(dataset, name.c_str()); });
  for (const auto& [key, value] : attributes) put_attribute(dataset, key, value);
  dataset.close<IoError>(where);
  impl_->dimensions[name] = values.count;
}

void Writer::dimension(const std::string& name, std::uint64_t size) {
  char label[80];  // the words by which netCDF-4 knows a dimension without values
  std::snprintf(label, sizeof label, "This is a netCDF dimension but not a netCDF variable.%10llu",
                static_cast<unsigned long long>(size));
  auto dataset = impl_->create(name, Type::float32, {size}, {});
  must("make a dimension scale", [&] { return H5DSset_scale(dataset, label); });
  dataset.close<IoError>(where);
  impl_->dimensions[name] = size;
}

void Writer::variable(const std::string& name, const std::vector<std::string>& dims, Values values,
                      const Layout& layout) {
  const Shape shape = impl_->shape_of(name, dims);
  if (elements(shape, name) != values.count) misuse(name, "the values do not fill the dimensions");
  auto dataset = impl_->create(name, values.type, shape, layout);
  impl_->attach(dataset, dims);
  for (const auto& [key, value] : layout.attributes) put_attribute(dataset, key, value);
  Impl::fill(dataset, name, values);
  dataset.close<IoError>(where);
}

void Writer::variable(const std::string& name, const std::vector<std::string>& dims, Type type,
                      const Layout& layout) {
  auto dataset = impl_->create(name, type, impl_->shape_of(name, dims), layout);
  impl_->attach(dataset, dims);
  for (const auto& [key, value] : layout.attributes) put_attribute(dataset, key, value);
  dataset.close<IoError>(where);
}

void Writer::dataset(const std::string& path, const Shape& shape, Values values,
                     const Attributes& attributes) {
  if (elements(shape, path) != values.count) misuse(path, "the values do not fill the shape");
  auto dataset = impl_->create(path, values.type, shape, {});
  for (const auto& [key, value] : attributes) put_attribute(dataset, key, value);
  Impl::fill(dataset, path, values);
  dataset.close<IoError>(where);
}

void Writer::write(const std::string& name, const Shape& offset, const Shape& count,
                   Values values) {
  if (elements(count, name) != values.count) misuse(name, "the values do not fill the block");
  if (values.count == 0) return;
  auto dataset = impl_->dataset(name);
  const auto file_space = made("get a space", [&] { return H5Dget_space(dataset); });
  const auto from = sizes(offset), many = sizes(count);
  must("select a block", [&] {
    return H5Sselect_hyperslab(file_space, H5S_SELECT_SET, from.data(), nullptr, many.data(),
                               nullptr);
  });
  const auto memory_space = space_of(count);
  const auto memory = detail::memory_type(values.type);
  with_memory(name, values, [&](const void* data) {
    must("write a block",
         [&] { return H5Dwrite(dataset, memory, memory_space, file_space, H5P_DEFAULT, data); });
  });
  dataset.close<IoError>(where);
}

void Writer::extend(const std::string& name, std::uint64_t size) {
  auto dataset = impl_->dataset(name);
  const auto space = made("get a space", [&] { return H5Dget_space(dataset); });
  const int rank = must("get a rank", [&] { return H5Sget_simple_extent_ndims(space); });
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  must("get a shape", [&] { return H5Sget_simple_extent_dims(space, shape.data(), nullptr); });
  if (shape.empty()) misuse(name, "a scalar cannot be extended");
  shape[0] = size;
  must("extend a dataset", [&] { return H5Dset_extent(dataset, shape.data()); });
  dataset.close<IoError>(where);
  if (const auto found = impl_->dimensions.find(name); found != impl_->dimensions.end())
    found->second = size;
}

std::string_view Writer::image() {
  must("flush", [&] { return H5Fflush(impl_->file, H5F_SCOPE_GLOBAL); });
  const auto size =
      must("measure the image", [&] { return H5Fget_file_image(impl_->file, nullptr, 0); });
  // The core driver's handle is its buffer: no second copy of a large state.
  void* handle = nullptr;
  must("get the image", [&] { return H5Fget_vfd_handle(impl_->file, H5P_DEFAULT, &handle); });
  const auto* bytes = *static_cast<const char**>(handle);
  if (bytes == nullptr || std::string_view(bytes, 4) != "\x89HDF")
    throw IoError("HDF5 image: the memory does not hold an HDF5 file");
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace seawall::h5
