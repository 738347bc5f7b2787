#pragma once
// One screen about a file of ours.
#include <filesystem>
#include <string>

namespace seawall {

/// Says what a run file, a checkpoint (folder or `state.h5`) or an activation file holds, after its
/// hash was verified. Errors: IoError; DataError where it is none of these, or was cut or changed.
std::string describe_file(const std::filesystem::path& path);

}  // namespace seawall
