#pragma once
// Inside store/ only: `state.h5`, the HDF5 file of a checkpoint.
#include <filesystem>

#include "seawall/store/checkpoint.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {

inline constexpr const char* state_file_name = "state.h5";

/// Errors: RunError naming the tensor whose type cannot be kept, or a name that comes twice.
h5::Writer write_state(const CheckpointState& state);
/// Reads a file whose hash was verified. `everything` false: parameters, numbers, integers and
/// texts only. Errors: DataError.
CheckpointState read_state(const std::filesystem::path& path, bool everything);

}  // namespace seawall
