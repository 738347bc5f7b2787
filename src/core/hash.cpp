#include "seawall/core/hash.hpp"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "seawall/core/error.hpp"

namespace seawall {

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

namespace {
void check(int ok, const char* call) {
  if (ok != 1)
    throw Error(ExitCode::internal, std::string("SHA-256: ") + call + " failed in libcrypto");
}
}  // namespace

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  check(EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr), "EVP_DigestInit_ex");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(const void* data, std::size_t size) {
  check(EVP_DigestUpdate(impl_->context, data, size), "EVP_DigestUpdate");
  return *this;
}

Sha256& Sha256::field(std::string_view text) {
  std::array<unsigned char, 8> length;
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<unsigned char>(std::uint64_t{text.size()} >> (8 * i));
  }
  return update(length.data(), length.size()).update(text.data(), text.size());
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  check(EVP_DigestFinal_ex(impl_->context, digest.data(), &size), "EVP_DigestFinal_ex");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  return Sha256().update(bytes.data(), bytes.size()).hex();
}

std::string sha256_file(const std::filesystem::path& path) {
  const auto fail = [&](const char* operation) -> IoError {
    return IoError(path.string() + ": cannot " + operation +
                   " to hash it: " + std::strerror(errno));
  };
  // A folder opens as a stream but cannot be read.
  std::ifstream file(path, std::ios::binary);
  if (!file) throw fail("open");
  Sha256 hash;
  std::vector<char> buffer(1 << 16);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw fail("read");
  return hash.hex();
}

}  // namespace seawall
