#include "seawall/store/seal.hpp"

#include <unistd.h>

#include <array>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/store/hdf5.hpp"
#include "store/hdf5_handle.hpp"

namespace seawall::h5 {
namespace {
constexpr std::string_view opening = "\nseawall-sha256 ";
constexpr std::size_t seal_bytes = opening.size() + 64 + 1;
}  // namespace

std::string seal_of(std::string_view image) {
  return std::string(opening) + sha256_hex(image) + "\n";
}

std::uint64_t verify_seal(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  if (bytes.size() < 8 || bytes.substr(1, 3) != "HDF")
    throw DataError(path.string() + ": want an HDF5 file of Seawall, found another kind of file");
  if (bytes.size() < seal_bytes ||
      bytes.substr(bytes.size() - seal_bytes, opening.size()) != opening)
    throw DataError(
        path.string() +
        ": the seal at the end of the file is missing: the file was cut, "
        "was changed by another program, or was not written by Seawall; write it again, or, if you "
        "changed it, seal it (seawall seal)");
  const auto image = bytes.substr(0, bytes.size() - seal_bytes);
  if (seal_of(image) != bytes.substr(image.size()))
    throw DataError(
        path.string() +
        ": the content does not match the SHA-256 at its end: the file was "
        "damaged or changed; write it again, or, if you changed it, seal it (seawall seal)");
  return bytes.size();
}

std::string seal_again(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  if (bytes.size() < 8 || bytes.substr(1, 3) != "HDF")
    throw DataError(path.string() + ": want an HDF5 file of Seawall, found another kind of file");
  std::uint64_t size = 0;
  {
    auto access = detail::opened<IoError>(path.string(), "make a property list",
                                          [] { return H5Pcreate(H5P_FILE_ACCESS); });
    detail::checked<IoError>(path.string(), "switch locking off",
                             [&] { return H5Pset_file_locking(access, false, true); });
    const auto opened = detail::opened<DataError>(path.string(), "open the file", [&] {
      return H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
    });
    haddr_t end = 0;
    detail::checked<DataError>(path.string(), "find the end of the file",
                               [&] { return H5Fget_eoa(opened, &end); });
    size = end;
  }
  if (size > bytes.size())
    throw DataError(path.string() + ": is cut: HDF5 wants " + std::to_string(size) +
                    " bytes, found " + std::to_string(bytes.size()));
  const auto image = bytes.substr(0, size);
  // Tried under another name first: a file that is none of ours stays as it is.
  const std::filesystem::path trial =
      path.string() + ".sealed-" + std::to_string(static_cast<long>(::getpid()));
  const auto seal = seal_of(image);
  const std::array<std::string_view, 2> parts = {image, seal};
  write_file_atomically(trial, parts);
  std::string kind, wrong;
  try {
    kind = Reader(trial).text_attribute("seawall_kind");
  } catch (const std::exception& error) {
    wrong = error.what();
  }
  std::error_code ignored;
  std::filesystem::remove(trial, ignored);
  if (!wrong.empty())
    throw DataError(path.string() + ": is no file of Seawall that can be sealed: " + wrong);
  write_file_atomically(path, parts);
  return kind;
}

void publish(const std::filesystem::path& path, Writer& writer) {
  const auto image = writer.image();
  const auto seal = seal_of(image);
  const std::array<std::string_view, 2> parts = {image, seal};
  write_file_atomically(path, parts);
}

}  // namespace seawall::h5
