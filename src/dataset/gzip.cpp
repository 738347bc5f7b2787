#include "dataset/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// zlib's state, freed when the scope ends.
struct Inflater {
  z_stream stream{};
  bool ready = ::inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK;  // 16: gzip alone
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
};

}  // namespace

std::string unpack_gzip(std::string_view packed, const std::filesystem::path& path,
                        std::uint64_t limit) {
  std::size_t at = 0;
  const auto fail = [&](const std::string& what) {
    throw DataError(path.string() + ": gzip: " + what + " at byte " + std::to_string(at) +
                    "; fetch the file again");
  };
  Inflater inflater;
  if (!inflater.ready) throw DataError(path.string() + ": gzip: zlib cannot start");
  auto& stream = inflater.stream;
  std::string out;
  std::array<char, 1 << 16> piece;
  for (;;) {
    constexpr std::size_t step = std::size_t{1} << 30;  // zlib counts in unsigned
    const auto given = std::min(step, packed.size() - at);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + at));
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    const auto taken = given - stream.avail_in, came = piece.size() - stream.avail_out;
    at += taken;
    if (out.size() + came > limit)
      throw DataError(path.string() + ": gzip: unpacks to more than the " + std::to_string(limit) +
                      " bytes that are read of a file");
    out.append(piece.data(), came);
    if (code == Z_STREAM_END && at == packed.size()) return out;
    const bool again = code == Z_STREAM_END && ::inflateReset(&stream) == Z_OK;  // another member
    if (!again && (code != Z_OK || taken + came == 0))
      fail(at == packed.size() ? "ends too early" : "damaged");
  }
}

}  // namespace seawall
