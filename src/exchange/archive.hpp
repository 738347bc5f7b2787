#pragma once
// Inside exchange/ only: a zip archive that is being written.
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace seawall {

/// Entries one after the other; the same content gives the same bytes. Memory: none of an entry
/// beyond what write() is given. Errors of every call: IoError.
class Archive {
 public:
  explicit Archive(const std::filesystem::path& path);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;
  /// Begins an entry, stored as it is or deflated.
  void begin(const std::string& name, bool deflate);
  void write(const void* data, std::size_t size);
  void end();
  /// A whole entry, deflated.
  void add(const std::string& name, std::string_view content);
  void close();

 private:
  void check(int code) const;
  std::string path_;
  void* zip_;  // minizip's zipFile
};

}  // namespace seawall
