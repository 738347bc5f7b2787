#pragma once
// Inside store/ only: what each kind of HDF5 file holds. Writers look every name up here, and the
// tables of docs/hdf5.md are printed from it.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/store/hdf5.hpp"

namespace seawall {

/// A dataset, an attribute of the root, or an attribute of datasets. `*` in a name is any text
/// without `/`.
struct FileEntry {
  std::string_view name;
  /// Separated by spaces; "": a scalar, or an attribute. One in brackets is not in every file.
  std::string_view dims;
  std::optional<h5::Type> type;  // nullopt: that of the tensor
  std::string_view units;        // "": none
  std::string_view what;
  std::string_view when;  // it is written; "": always
  std::int64_t since = 1;
};

struct FileSchema {
  std::string_view kind;  // the attribute seawall_kind
  std::string_view title;
  std::int64_t version;  // the attribute format_version of what is written now
  std::span<const FileEntry> attributes, datasets, dataset_attributes;
};
const FileSchema& run_schema();
const FileSchema& activation_schema();
const FileSchema& checkpoint_schema();

/// Errors: logic_error for a name that the list does not have: the writer's own mistake.
const FileEntry& find_entry(std::span<const FileEntry> entries, std::string_view name);
/// nullptr for a name that the list does not have.
const FileEntry* look_up(std::span<const FileEntry> entries, std::string_view name);
/// Its dimensions; those in brackets too, unless `optional` is false.
std::vector<std::string> dims_of(const FileEntry& entry, bool optional = true);

/// Errors: DataError for a file of another kind, and for one whose format_version is missing or
/// newer than this program.
void check_kind(const h5::Reader& reader, const FileSchema& schema);

/// Writes what a schema has: dimensions, long name and units are those of the entry.
/// Errors: logic_error for a name, or a type, that the schema does not have; those of h5::Writer.
class SchemaWriter {
 public:
  /// `prefix` is put before the names that belong to one set of probes: those over `evaluation` or
  /// `probe`, and these two.
  SchemaWriter(h5::Writer& writer, const FileSchema& schema, std::string prefix = "")
      : writer_(writer), schema_(schema), prefix_(std::move(prefix)) {}

  /// What comes next has no dimension that the schema puts in brackets.
  void without_optional_dims() { optional_dims_ = false; }
  /// title, seawall_kind and format_version.
  void head();
  void attribute(const std::string& name, const h5::AttributeValue& value);
  /// A dimension with values, named as it is; a dimension without.
  void coordinate(const char* name, h5::Values values, bool growing = false);
  void dimension(const char* name, std::uint64_t size);
  /// `more` are attributes after long_name and units.
  void variable(const char* name, h5::Values values, const h5::Attributes& more = {});
  /// To be filled later; `layout.attributes` are those after long_name and units.
  void variable(const char* name, h5::Layout layout);
  void text(const char* name, const std::string& value);
  void whole(const char* name, std::int64_t value);

 private:
  const FileEntry& entry(std::string_view name, const h5::Type* type) const;
  std::string full(const FileEntry& entry, std::string_view name) const;
  std::vector<std::string> full_dims(const FileEntry& entry) const;
  h5::Attributes described(const FileEntry& entry, const h5::Attributes& more) const;

  h5::Writer& writer_;
  const FileSchema& schema_;
  std::string prefix_;
  bool optional_dims_ = true;
};

}  // namespace seawall
