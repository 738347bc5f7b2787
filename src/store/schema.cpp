#include "store/schema.hpp"

#include <algorithm>
#include <stdexcept>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// True if `name` is `pattern` with each `*` put for some text without `/`.
bool fits(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (name.substr(0, star) != pattern.substr(0, star)) return false;
  const auto end = std::min(name.find('/', star), name.size());
  const auto rest = pattern.substr(star + 1);
  for (auto to = end; to > star; --to)
    if (fits(rest, name.substr(to))) return true;
  return false;
}

bool of_set(std::string_view dim) { return dim == "evaluation" || dim == "probe"; }

[[noreturn]] void misuse(std::string_view name, const std::string& what) {
  throw std::logic_error("store: " + std::string(name) + ": " + what);
}

}  // namespace

const FileEntry* look_up(std::span<const FileEntry> entries, std::string_view name) {
  const auto found =
      std::ranges::find_if(entries, [&](const FileEntry& e) { return fits(e.name, name); });
  return found == entries.end() ? nullptr : &*found;
}

const FileEntry& find_entry(std::span<const FileEntry> entries, std::string_view name) {
  const auto* found = look_up(entries, name);
  if (found == nullptr) misuse(name, "the schema of the file does not have it");
  return *found;
}

std::vector<std::string> dims_of(const FileEntry& entry, bool optional) {
  std::vector<std::string> dims;
  for (std::size_t from = 0; from < entry.dims.size();) {
    const auto to = std::min(entry.dims.find(' ', from), entry.dims.size());
    auto dim = entry.dims.substr(from, to - from);
    from = to + 1;
    const bool in_brackets = dim.starts_with('[');
    if (in_brackets && !optional) continue;
    if (in_brackets) dim = dim.substr(1, dim.size() - 2);
    dims.emplace_back(dim);
  }
  return dims;
}

void check_kind(const h5::Reader& reader, const FileSchema& schema) {
  const std::string where = reader.path().string() + ": ";
  const std::string kind(schema.kind);
  if (!reader.has_attribute("seawall_kind") || reader.text_attribute("seawall_kind") != kind)
    throw DataError(where + "want a Seawall file of the kind `" + kind +
                    "`, found another kind of file");
  const auto value = reader.has_attribute("format_version") ? reader.attribute("format_version")
                                                            : h5::AttributeValue(std::string());
  const auto* version = std::get_if<std::int64_t>(&value);
  if (version == nullptr || *version < 1)
    throw DataError(where + "the attribute format_version is missing or is no version");
  if (*version > schema.version)
    throw DataError(where + "format_version " + std::to_string(*version) + " of `" + kind +
                    "` is newer than what this program reads (" + std::to_string(schema.version) +
                    "); read it with the Seawall that wrote it");
}

const FileEntry& SchemaWriter::entry(std::string_view name, const h5::Type* type) const {
  const auto& found = find_entry(schema_.datasets, name);
  if (type != nullptr && found.type && *found.type != *type)
    misuse(name, "the schema has " + std::string(h5::type_name(*found.type)) + ", the writer " +
                     std::string(h5::type_name(*type)));
  return found;
}

std::string SchemaWriter::full(const FileEntry& entry, std::string_view name) const {
  const auto dims = dims_of(entry);
  return std::ranges::any_of(dims, of_set) ? prefix_ + std::string(name) : std::string(name);
}

std::vector<std::string> SchemaWriter::full_dims(const FileEntry& entry) const {
  auto dims = dims_of(entry, optional_dims_);
  for (auto& dim : dims)
    if (of_set(dim)) dim.insert(0, prefix_);
  return dims;
}

h5::Attributes SchemaWriter::described(const FileEntry& entry, const h5::Attributes& more) const {
  h5::Attributes out = {{"long_name", std::string(entry.what)}};
  if (!entry.units.empty()) out.emplace_back("units", std::string(entry.units));
  for (const auto& [name, value] : more) {
    find_entry(schema_.dataset_attributes, name);
    out.emplace_back(name, value);
  }
  return out;
}

void SchemaWriter::head() {
  attribute("title", std::string(schema_.title));
  attribute("seawall_kind", std::string(schema_.kind));
  attribute("format_version", schema_.version);
}

void SchemaWriter::attribute(const std::string& name, const h5::AttributeValue& value) {
  const auto& found = find_entry(schema_.attributes, name);
  const h5::Type type = std::holds_alternative<std::string>(value)    ? h5::Type::text
                        : std::holds_alternative<std::int64_t>(value) ? h5::Type::int64
                                                                      : h5::Type::float64;
  if (found.type != type) misuse(name, "the schema has another type for this attribute");
  const auto* text = std::get_if<std::string>(&value);
  writer_.attribute(name, text != nullptr ? h5::storable_text(*text) : value);
}

void SchemaWriter::coordinate(const char* name, h5::Values values, bool growing) {
  const auto& found = entry(name, &values.type);
  writer_.coordinate(full(found, name), values, described(found, {}), growing);
}

void SchemaWriter::dimension(const char* name, std::uint64_t size) {
  writer_.dimension(full(entry(name, nullptr), name), size);
}

void SchemaWriter::variable(const char* name, h5::Values values, const h5::Attributes& more) {
  const auto& found = entry(name, &values.type);
  writer_.variable(full(found, name), full_dims(found), values,
                   {.attributes = described(found, more)});
}

void SchemaWriter::variable(const char* name, h5::Layout layout) {
  const auto& found = entry(name, nullptr);
  layout.attributes = described(found, layout.attributes);
  writer_.variable(full(found, name), full_dims(found), found.type.value(), layout);
}

void SchemaWriter::text(const char* name, const std::string& value) {
  const h5::Type type = h5::Type::text;
  const auto& found = entry(name, &type);
  const std::string stored = h5::storable_text(value);
  writer_.dataset(name, {}, h5::Values(type, &stored, 1), described(found, {}));
}

void SchemaWriter::whole(const char* name, std::int64_t value) {
  const h5::Type type = h5::Type::int64;
  const auto& found = entry(name, &type);
  writer_.dataset(name, {}, h5::Values(type, &value, 1), described(found, {}));
}

}  // namespace seawall
