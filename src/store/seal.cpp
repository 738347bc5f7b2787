#include "store/seal.hpp"

#include <array>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/store/hdf5.hpp"

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
        "was changed by another program, or was not written by Seawall; write it again");
  const auto image = bytes.substr(0, bytes.size() - seal_bytes);
  if (seal_of(image) != bytes.substr(image.size()))
    throw DataError(path.string() +
                    ": the content does not match the SHA-256 at its end: the file was "
                    "damaged or changed; write it again");
  return bytes.size();
}

void publish(const std::filesystem::path& path, Writer& writer) {
  const auto image = writer.image();
  const auto seal = seal_of(image);
  const std::array<std::string_view, 2> parts = {image, seal};
  write_file_atomically(path, parts);
}

}  // namespace seawall::h5
