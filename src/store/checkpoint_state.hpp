#pragma once
// Inside store/ only: the state of a checkpoint as HDF5 files: `state.h5` with everything small and
// the first tensors, then `state-0001.h5` and so on with the rest of them.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/store/checkpoint.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {

inline constexpr const char* state_file_name = "state.h5";

/// True for the names of a state's files.
bool is_state_file(const std::string& name);

/// Hands each file of the state to `put` as soon as it is whole; it is gone when `put` returns. A
/// file holds tensors of at most `shard_bytes`, or one tensor. Memory: one file and its tensors on
/// the CPU. Errors: RunError naming the tensor whose type cannot be kept, or a name that comes
/// twice; what `put` throws.
void write_state(const CheckpointState& state, std::uint64_t shard_bytes,
                 const std::function<void(const std::string& file, std::string_view image)>& put);
/// Reads the files in `folder`; `verified` are those whose hashes were compared. `everything`
/// false: parameters, numbers, integers and texts only. Errors: DataError naming a file of the
/// state that is not verified.
CheckpointState read_state(const std::filesystem::path& folder,
                           const std::vector<std::string>& verified, bool everything);

}  // namespace seawall
