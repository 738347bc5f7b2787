#pragma once
// A picture that a dialogue shows: 8-bit RGB in memory, or a PNG or JPEG file that is read when it
// is needed.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace seawall {

/// RGB bytes, row by row from the top.
struct Pixels {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // [height,width,3]
  bool operator==(const Pixels&) const = default;
};

/// Reads PNG (alpha dropped) or JPEG. Errors: DataError naming `where` for another format, a
/// damaged or cut file, or more than 64 million pixels.
Pixels decode_picture(std::string_view bytes, const std::string& where);
/// The same picture as the bytes of a PNG file.
std::string encode_png(const Pixels& pixels);

class Picture {
 public:
  /// Errors: DataError where sizes and bytes do not agree.
  explicit Picture(Pixels pixels);
  explicit Picture(std::filesystem::path file) : source_(std::move(file)) {}
  /// What it shows. Errors: IoError or DataError naming the file.
  Pixels pixels() const;
  /// SHA-256 of size and pixels, or of the file's bytes. Errors: IoError naming the file.
  std::string content_hash() const;
  /// The file, or nothing for a picture in memory.
  std::string path() const;
  bool operator==(const Picture&) const = default;

 private:
  std::variant<Pixels, std::filesystem::path> source_;
};

}  // namespace seawall
