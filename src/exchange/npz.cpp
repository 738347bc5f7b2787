// numpy's archives: a zip file of `.npy` arrays.
#include <utf8proc.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "exchange/archive.hpp"
#include "exchange/formats.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

/// The head of an array: magic, version, length, and a Python dict, so long that what follows
/// begins at a multiple of 64.
std::string npy_head(const std::string& type, const h5::Shape& shape) {
  std::string sizes;
  for (const auto size : shape) sizes += std::to_string(size) + ", ";
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (shape.size() == 1) sizes.pop_back();
  std::string dict =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  constexpr std::size_t fixed = 10;
  dict.append(63 - (fixed + dict.size()) % 64, ' ');
  dict += '\n';
  std::string head = "\x93NUMPY";
  head += {1, 0, static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  return head + dict;
}

std::u32string code_points(std::string_view text) {
  std::u32string out;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (auto left = static_cast<utf8proc_ssize_t>(text.size()); left > 0;) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(at, left, &point);
    if (length < 1) throw DataError("a text is not UTF-8");
    out += static_cast<char32_t>(point);
    at += length;
    left -= length;
  }
  return out;
}

/// Texts as numpy has them: all of the length of the longest, in UTF-32, with zeros after each.
void put_texts(Archive& zip, const std::string& name, const h5::Shape& shape,
               const std::vector<std::string>& texts) {
  std::size_t width = 1;
  for (const auto& text : texts) width = std::max(width, code_points(text).size());
  zip.begin(name + ".npy", true);
  const auto head = npy_head("<U" + std::to_string(width), shape);
  zip.write(head.data(), head.size());
  for (const auto& text : texts) {
    auto points = code_points(text);
    points.resize(width);
    zip.write(points.data(), width * sizeof(char32_t));
  }
  zip.end();
}

std::string numpy_type(h5::Type type) {
  switch (type) {
    case h5::Type::float32:
      return "<f4";
    case h5::Type::float64:
      return "<f8";
    case h5::Type::int32:
      return "<i4";
    case h5::Type::int64:
      return "<i8";
    case h5::Type::uint8:
      return "|u1";
    case h5::Type::uint16:
      return "<u2";
    case h5::Type::text:
      break;
  }
  return "";
}

void put_numbers(Archive& zip, const h5::Reader& file, const std::string& name) {
  const auto shape = file.shape(name);
  const auto type = file.type(name);
  const auto count = h5::elements(shape, name);
  std::vector<char> values(count * h5::type_size(type));
  file.read(name, values.data(), count);
  zip.begin(name + ".npy", false);
  const auto head = npy_head(numpy_type(type), shape);
  zip.write(head.data(), head.size());
  zip.write(values.data(), values.size());
  zip.end();
}

nlohmann::ordered_json attributes_json(const h5::Attributes& attributes) {
  auto out = nlohmann::ordered_json::object();
  for (const auto& [name, value] : attributes)
    std::visit([&place = out[name]](const auto& v) { place = v; }, value);
  return out;
}

}  // namespace

std::string write_npz(const h5::Reader& file, const fs::path& place) {
  Archive zip(place);
  nlohmann::ordered_json about{{"file", attributes_json(file.attributes())}};
  std::size_t count = 0;
  for (const auto& name : file.list()) {
    if (!file.has_values(name)) continue;
    if (file.type(name) == h5::Type::text)
      put_texts(zip, name, file.shape(name), file.texts(name));
    else
      put_numbers(zip, file, name);
    about["datasets"][name] = {{"dimensions", file.dims(name)},
                               {"attributes", attributes_json(file.attributes(name))}};
    ++count;
  }
  put_texts(zip, "about_json", {}, {about.dump()});
  zip.close();
  return std::to_string(count) + " arrays, and about_json with their dimensions and units";
}

}  // namespace seawall
