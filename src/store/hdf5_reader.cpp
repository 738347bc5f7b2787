#include <hdf5_hl.h>

#include <algorithm>
#include <array>

#include "seawall/core/error.hpp"
#include "seawall/store/seal.hpp"
#include "store/hdf5_handle.hpp"

namespace seawall::h5 {
namespace {

using detail::checked;
using detail::Handle;
using detail::opened;

Handle read_only_access(const std::string& where) {
  auto access =
      opened<IoError>(where, "make a property list", [] { return H5Pcreate(H5P_FILE_ACCESS); });
  // Published files never change, and some network file systems refuse locks.
  checked<IoError>(where, "switch locking off",
                   [&] { return H5Pset_file_locking(access, false, true); });
  return access;
}

}  // namespace

struct Reader::Impl {
  std::filesystem::path path;
  std::uint64_t file_bytes = 0;
  Handle file;

  std::string at(const std::string& name) const { return path.string() + ": " + name; }
  template <class Call>
  auto must(const std::string& name, const char* action, Call&& call) const {
    return checked<DataError>(at(name), action, std::forward<Call>(call));
  }
  template <class Call>
  Handle made(const std::string& name, const char* action, Call&& call) const {
    return opened<DataError>(at(name), action, std::forward<Call>(call));
  }
  Handle dataset(const std::string& name) const {
    return made(name, "open the dataset",
                [&] { return H5Dopen2(file, name.c_str(), H5P_DEFAULT); });
  }
  Handle object(const std::string& name) const {
    return made(name, "open the object", [&] { return H5Oopen(file, name.c_str(), H5P_DEFAULT); });
  }
  Shape shape(hid_t space, const std::string& name) const {
    const int rank = must(name, "get the rank", [&] { return H5Sget_simple_extent_ndims(space); });
    std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
    if (rank > 0)
      must(name, "get the shape",
           [&] { return H5Sget_simple_extent_dims(space, sizes.data(), nullptr); });
    return {sizes.begin(), sizes.end()};
  }
  Type type(hid_t stored, const std::string& name) const {
    if (must(name, "get the type", [&] { return H5Tget_class(stored); }) == H5T_STRING) {
      if (must(name, "get the type", [&] { return H5Tis_variable_str(stored); }) > 0)
        return Type::text;
    } else {
      for (const auto candidate :
           {Type::float32, Type::float64, Type::int32, Type::int64, Type::uint8, Type::uint16}) {
        const auto known = detail::file_type(candidate);
        if (must(name, "compare types", [&] { return H5Tequal(stored, known); }) > 0)
          return candidate;
      }
    }
    throw DataError(
        at(name) +
        ": want float32, float64, int32, int64, uint8, uint16 or text, found another type");
  }
  Type dataset_type(hid_t dataset, const std::string& name) const {
    const auto stored = made(name, "get the type", [&] { return H5Dget_type(dataset); });
    return type(stored, name);
  }
  /// Elements of a dataset that may be read whole: neither more than the file can hold nor more
  /// than memory should.
  std::uint64_t count(hid_t dataset, const std::string& name, Type type) const {
    const auto space = made(name, "get the space", [&] { return H5Dget_space(dataset); });
    const auto total = elements(shape(space, name), at(name));
    // gzip shrinks at most 1032 times; beyond that, only chunks never written explain a size.
    const std::uint64_t limit = std::max(std::uint64_t{1} << 30, file_bytes * 1032);
    if (total > limit / type_size(type))
      throw DataError(at(name) + ": " + std::to_string(total) +
                      " elements are more than the file can hold");
    return total;
  }
};

Reader::Reader(const std::filesystem::path& path, Trust trust) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->file_bytes = trust == Trust::sealed ? verify_seal(path) : std::filesystem::file_size(path);
  const auto access = read_only_access(path.string());
  impl_->file = opened<DataError>(path.string(), "open the file",
                                  [&] { return H5Fopen(path.c_str(), H5F_ACC_RDONLY, access); });
}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;

const std::filesystem::path& Reader::path() const { return impl_->path; }

bool Reader::has(const std::string& name) const {
  return impl_->must(name, "look up a name",
                     [&] { return H5Lexists(impl_->file, name.c_str(), H5P_DEFAULT); }) > 0;
}

std::vector<std::string> Reader::list(const std::string& group) const {
  const auto handle = impl_->object(group);
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  impl_->must(group, "list the group", [&] {
    return H5Literate(handle, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, visit, &names);
  });
  return names;
}

bool Reader::is_group(const std::string& name) const {
  const auto object = impl_->object(name);
  return impl_->must(name, "get its kind", [&] { return H5Iget_type(object); }) == H5I_GROUP;
}

Shape Reader::shape(const std::string& name) const {
  const auto dataset = impl_->dataset(name);
  const auto space = impl_->made(name, "get the space", [&] { return H5Dget_space(dataset); });
  return impl_->shape(space, name);
}

Type Reader::type(const std::string& name) const {
  const auto dataset = impl_->dataset(name);
  return impl_->dataset_type(dataset, name);
}

std::vector<std::string> Reader::dims(const std::string& name) const {
  const auto dataset = impl_->dataset(name);
  if (impl_->must(name, "ask for a scale", [&] { return H5DSis_scale(dataset); }) > 0)
    return {name};
  std::vector<std::string> out(shape(name).size());
  const auto visit = [](hid_t, unsigned, hid_t scale, void* text) -> herr_t {
    char path[512];
    const auto length = H5Iget_name(scale, path, sizeof path);
    if (length <= 0) return -1;
    *static_cast<std::string*>(text) = path[0] == '/' ? path + 1 : path;
    return 1;
  };
  for (unsigned i = 0; i < out.size(); ++i) {
    impl_->must(name, "read its dimensions",
                [&] { return H5DSiterate_scales(dataset, i, nullptr, visit, &out[i]); });
  }
  return out;
}

bool Reader::has_values(const std::string& name) const {
  const auto dataset = impl_->dataset(name);
  if (impl_->must(name, "ask for a scale", [&] { return H5DSis_scale(dataset); }) == 0) return true;
  // So are they marked, see netCDF's "NetCDF-4 Format Specification", sec. "Dimensions without
  // Coordinate Variables".
  char text[64] = {};
  impl_->must(name, "read the name of its scale",
              [&] { return H5DSget_scale_name(dataset, text, sizeof text); });
  return !std::string_view(text).starts_with("This is a netCDF dimension but not a netCDF var");
}

void Reader::read(const std::string& name, void* out, std::size_t count) const {
  const auto dataset = impl_->dataset(name);
  const auto type = impl_->dataset_type(dataset, name);
  const auto total = impl_->count(dataset, name, type);
  if (type == Type::text || total != count)
    throw DataError(impl_->at(name) + ": want " + std::to_string(count) + " numbers, found " +
                    std::to_string(total));
  if (count == 0) return;
  const auto memory = detail::memory_type(type);
  impl_->must(name, "read the dataset",
              [&] { return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out); });
}

template <class T>
std::vector<T> Reader::values(const std::string& name, Type want) const {
  const auto dataset = impl_->dataset(name);
  if (const auto type = impl_->dataset_type(dataset, name); type != want) {
    throw DataError(impl_->at(name) + ": want " + std::string(type_name(want)) + ", found " +
                    std::string(type_name(type)));
  }
  std::vector<T> out(impl_->count(dataset, name, want));
  read(name, out.data(), out.size());
  return out;
}

std::vector<float> Reader::float32(const std::string& name) const {
  return values<float>(name, Type::float32);
}
std::vector<double> Reader::float64(const std::string& name) const {
  return values<double>(name, Type::float64);
}
std::vector<std::int32_t> Reader::int32(const std::string& name) const {
  return values<std::int32_t>(name, Type::int32);
}
std::vector<std::int64_t> Reader::int64(const std::string& name) const {
  return values<std::int64_t>(name, Type::int64);
}
std::vector<std::uint8_t> Reader::uint8(const std::string& name) const {
  return values<std::uint8_t>(name, Type::uint8);
}

std::vector<std::string> Reader::texts(const std::string& name) const {
  const auto dataset = impl_->dataset(name);
  if (impl_->dataset_type(dataset, name) != Type::text)
    throw DataError(impl_->at(name) + ": want text, found numbers");
  const auto total = impl_->count(dataset, name, Type::text);
  std::vector<std::string> out(total);
  if (total == 0) return out;
  std::vector<char*> pointers(total, nullptr);
  const auto memory = detail::memory_type(Type::text);
  const auto space = impl_->made(name, "get the space", [&] { return H5Dget_space(dataset); });
  impl_->must(name, "read the dataset", [&] {
    return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data());
  });
  for (std::size_t i = 0; i < total; ++i) {
    if (pointers[i] != nullptr) out[i] = pointers[i];
  }
  impl_->must(name, "free texts",
              [&] { return H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data()); });
  return out;
}

std::string Reader::text(const std::string& name) const {
  auto all = texts(name);
  if (all.size() != 1) throw DataError(impl_->at(name) + ": want one text");
  return std::move(all.front());
}

std::vector<float> Reader::float32_block(const std::string& name, const Shape& offset,
                                         const Shape& count) const {
  const auto dataset = impl_->dataset(name);
  if (impl_->dataset_type(dataset, name) != Type::float32)
    throw DataError(impl_->at(name) + ": want float32");
  const auto space = impl_->made(name, "get the space", [&] { return H5Dget_space(dataset); });
  const auto whole = impl_->shape(space, name);
  bool fits = whole.size() == offset.size() && whole.size() == count.size() && !whole.empty();
  for (std::size_t i = 0; fits && i < whole.size(); ++i)
    fits = offset[i] <= whole[i] && count[i] <= whole[i] - offset[i];
  if (!fits) throw DataError(impl_->at(name) + ": the block is outside the dataset");
  std::vector<float> out(elements(count, impl_->at(name)));
  if (out.empty()) return out;
  const std::vector<hsize_t> from(offset.begin(), offset.end()), many(count.begin(), count.end());
  const auto memory_space = impl_->made(name, "make a space", [&] {
    return H5Screate_simple(static_cast<int>(many.size()), many.data(), nullptr);
  });
  impl_->must(name, "read a block", [&] {
    const auto selected =
        H5Sselect_hyperslab(space, H5S_SELECT_SET, from.data(), nullptr, many.data(), nullptr);
    if (selected < 0) return selected;
    return H5Dread(dataset, H5T_NATIVE_FLOAT, memory_space, space, H5P_DEFAULT, out.data());
  });
  return out;
}

bool Reader::has_attribute(const std::string& name, const std::string& object) const {
  const auto target = impl_->object(object);
  return impl_->must(object, "look up an attribute",
                     [&] { return H5Aexists(target, name.c_str()); }) > 0;
}

AttributeValue Reader::attribute(const std::string& name, const std::string& object) const {
  const std::string place = object + "@" + name;
  const auto target = impl_->object(object);
  if (!has_attribute(name, object))
    throw DataError(impl_->at(place) + ": the attribute is missing");
  const auto attribute = impl_->made(place, "open the attribute",
                                     [&] { return H5Aopen(target, name.c_str(), H5P_DEFAULT); });
  const auto stored = impl_->made(place, "get its type", [&] { return H5Aget_type(attribute); });
  const auto space = impl_->made(place, "get its space", [&] { return H5Aget_space(attribute); });
  const auto type = impl_->type(stored, place);
  if (elements(impl_->shape(space, place), place) != 1)
    throw DataError(impl_->at(place) + ": want one value");
  const auto memory =
      detail::memory_type(type == Type::text || type == Type::int64 || type == Type::int32
                              ? (type == Type::text ? Type::text : Type::int64)
                              : Type::float64);
  const auto read = [&](void* out) {
    impl_->must(place, "read the attribute", [&] { return H5Aread(attribute, memory, out); });
  };
  if (type == Type::text) {
    char* pointer = nullptr;
    read(&pointer);
    std::string text = pointer == nullptr ? "" : pointer;
    impl_->must(place, "free a text",
                [&] { return H5Dvlen_reclaim(memory, space, H5P_DEFAULT, &pointer); });
    return text;
  }
  if (type == Type::int64 || type == Type::int32) {
    std::int64_t value = 0;
    read(&value);
    return value;
  }
  double value = 0;
  read(&value);
  return value;
}

std::string Reader::text_attribute(const std::string& name, const std::string& object) const {
  const auto value = attribute(name, object);
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) throw DataError(impl_->at(object + "@" + name) + ": want a text");
  return *text;
}

Attributes Reader::attributes(const std::string& object) const {
  const auto target = impl_->object(object);
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    // What HDF5 itself puts at dimension scales, and at what they are attached to.
    static constexpr std::array<std::string_view, 4> scales = {"CLASS", "NAME", "DIMENSION_LIST",
                                                               "REFERENCE_LIST"};
    if (std::ranges::find(scales, std::string_view(name)) == scales.end())
      static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  impl_->must(object, "list attributes", [&] {
    return H5Aiterate2(target, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, visit, &names);
  });
  Attributes out;
  for (const auto& name : names) out.emplace_back(name, attribute(name, object));
  return out;
}

}  // namespace seawall::h5
