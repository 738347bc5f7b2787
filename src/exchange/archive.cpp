#include "exchange/archive.hpp"

#include <minizip/zip.h>

#include <algorithm>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {

Archive::Archive(const std::filesystem::path& path)
    : path_(path.string()), zip_(zipOpen64(path.c_str(), APPEND_STATUS_CREATE)) {
  if (zip_ == nullptr) throw IoError(path_ + ": cannot create the archive");
}

Archive::~Archive() {
  if (zip_ != nullptr) zipClose(zip_, nullptr);
}

void Archive::begin(const std::string& name, bool deflate) {
  zip_fileinfo about{};
  about.tmz_date.tm_mday = 1;  // the first day that zip knows
  about.tmz_date.tm_year = 1980;
  constexpr uLong utf8_names = 1 << 11;
  constexpr int zip64 = 1;
  check(zipOpenNewFileInZip4_64(zip_, name.c_str(), &about, nullptr, 0, nullptr, 0, nullptr,
                                deflate ? Z_DEFLATED : 0, deflate ? Z_BEST_SPEED : 0, 0, -MAX_WBITS,
                                DEF_MEM_LEVEL, Z_DEFAULT_STRATEGY, nullptr, 0, 0, utf8_names,
                                zip64));
}

void Archive::write(const void* data, std::size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const std::size_t part = std::min(size, std::size_t{1} << 30);
    check(zipWriteInFileInZip(zip_, from, static_cast<unsigned>(part)));
    from += part;
    size -= part;
  }
}

void Archive::end() { check(zipCloseFileInZip(zip_)); }

void Archive::add(const std::string& name, std::string_view content) {
  begin(name, true);
  write(content.data(), content.size());
  end();
}

void Archive::close() { check(zipClose(std::exchange(zip_, nullptr), nullptr)); }

void Archive::check(int code) const {
  if (code != ZIP_OK)
    throw IoError(path_ + ": cannot write the archive (zip error " + std::to_string(code) +
                  "); is the disk full?");
}

}  // namespace seawall
