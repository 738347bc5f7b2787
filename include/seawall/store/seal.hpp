#pragma once
// The line behind a published HDF5 file that holds the SHA-256 of all that comes before it.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace seawall::h5 {

/// The seal of `image`: one line of fixed length.
std::string seal_of(std::string_view image);

/// Compares the seal at the end of `path` with its content and returns the file's size.
/// Errors: IoError; DataError where the seal is missing (cut, or not ours) or the content changed.
std::uint64_t verify_seal(const std::filesystem::path& path);

/// Puts a new seal behind one of our files that another program has changed: with a note, with
/// compressed datasets. The file is replaced whole. Returns its kind, `run` and so on. Errors:
/// IoError; DataError where HDF5 cannot open it, or it is none of our files.
std::string seal_again(const std::filesystem::path& path);

}  // namespace seawall::h5
