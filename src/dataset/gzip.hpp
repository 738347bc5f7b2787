#pragma once
// Data files that are compressed, as some published sets are.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace seawall {

/// What `packed`, one or more gzip members, unpacks to. Errors: DataError naming the file and the
/// byte where it is damaged or ends too early, or where more than `limit` bytes come out.
std::string unpack_gzip(std::string_view packed, const std::filesystem::path& path,
                        std::uint64_t limit);

}  // namespace seawall
