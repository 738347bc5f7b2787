#pragma once
// SHA-256 (OpenSSL's libcrypto) over bytes and files: provenance, manifests, cell keys.
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace seawall {

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& update(const void* data, std::size_t size);
  /// Adds the length as 8 bytes, then the text, so that field boundaries count.
  Sha256& field(std::string_view text);
  /// 64 lower-case hexadecimal digits; the object may not be updated afterwards.
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_hex(std::string_view bytes);
/// Errors: IoError naming the path.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace seawall
