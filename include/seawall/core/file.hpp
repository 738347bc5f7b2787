#pragma once
// Files as bytes: read whole under a limit, mapped, or written so that a reader never sees half a
// file.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace seawall {

/// The whole file. Errors: IoError naming the path and the reason; DataError where it is larger
/// than `limit` bytes.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t limit = std::uint64_t{1} << 30);

/// Temporary file next to `path`, fsync, rename, fsync of the folder. Errors: IoError naming the
/// path and the reason.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> parts);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// A file mapped read-only for as long as the object lives.
class MappedFile {
 public:
  /// Errors: IoError naming the path and the reason.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace seawall
