#pragma once
// Tensors as HDF5 datasets that every tool reads, and back to the same bits in the same type.
#include <string>
#include <string_view>

#include "seawall/core/tensor.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {

/// A name as one HDF5 link that netCDF takes too: `/`, `%`, control characters, and what may not
/// come first or last are written as `%2F`, `%25` and so on, with `_` before a `%` that comes
/// first.
std::string link_name(std::string_view name);
std::string name_of_link(std::string_view link);

/// Bytes that `value` takes in a file.
std::size_t stored_bytes(const Tensor& value);
/// Writes `value` contiguous and without filters. bf16 is stored as its bits in uint16 (the
/// attribute `encoding` says so), fp16 is widened to float32, bool to uint8, all lossless; the
/// attribute `source_dtype` keeps the type. Errors: RunError naming
/// `path` for any other type.
void put_tensor(h5::Writer& writer, const std::string& path, const Tensor& value);
/// Reads what put_tensor wrote, on the CPU. Errors: DataError.
Tensor get_tensor(const h5::Reader& reader, const std::string& path);

/// Errors: RunError naming `name` where the shape is not `want`.
void check_shape(const Tensor& value, const std::vector<std::int64_t>& want,
                 const std::string& name);

}  // namespace seawall
