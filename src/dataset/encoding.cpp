#include "dataset/encoding.hpp"

#include <algorithm>
#include <utility>

#include "seawall/core/text.hpp"

namespace seawall {
namespace {

std::string convert(const std::string& encoding, const std::string& file) {
  return "iconv -f " + encoding + " -t UTF-8 '" + file + "' > converted" +
         file.substr(std::min(file.rfind('.'), file.size()));
}

/// Bytes beyond ASCII: in characters of UTF-8, alone between ASCII ones, from 0x80 to 0x9F (which
/// Latin-1 does not use), and in runs.
struct Bytes {
  std::size_t utf8 = 0, alone = 0, low = 0, in_runs = 0;
};

Bytes count_bytes(std::string_view text) {
  const auto high = [&](std::size_t i) {
    return i < text.size() && static_cast<unsigned char>(text[i]) >= 0x80;
  };
  Bytes count;
  for (std::size_t i = 0; i < text.size();) {
    if (!high(i)) {
      ++i;
      continue;
    }
    auto end = i;
    while (high(end)) ++end;
    const auto run = text.substr(i, end - i);
    if (!find_invalid_utf8(run)) {
      count.utf8 += run.size();
    } else {
      (run.size() == 1 ? count.alone : count.in_runs) += run.size();
      count.low += static_cast<std::size_t>(
          std::ranges::count_if(run, [](char c) { return static_cast<unsigned char>(c) < 0xA0; }));
    }
    i = end;
  }
  return count;
}

/// UTF-16 without a byte-order mark has a zero in every other byte of ASCII text.
std::string utf16_name(std::string_view text) {
  std::size_t zeros[2] = {0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) zeros[i % 2] += text[i] == '\0';
  const auto quarter = text.size() / 4;
  if (zeros[1] > quarter && zeros[0] < zeros[1] / 4) return "UTF-16LE";
  if (zeros[0] > quarter && zeros[1] < zeros[0] / 4) return "UTF-16BE";
  return "";
}

}  // namespace

std::string_view kind_of_binary(std::string_view bytes) {
  using namespace std::string_view_literals;
  constexpr std::pair<std::string_view, std::string_view> kinds[] = {
      {"PAR1"sv, "a Parquet file"},
      {"ARROW1"sv, "an Arrow file"},
      {"PK\x03\x04"sv, "a ZIP file (or a spreadsheet)"},
      {"\x28\xB5\x2F\xFD"sv, "a file compressed by zstd"},
      {"BZh"sv, "a file compressed by bzip2"},
      {"\xFD\x37zXZ"sv, "a file compressed by xz"},
      {"SQLite format 3"sv, "an SQLite database"},
      {"\x80\x04"sv, "a Python pickle"},
      {"%PDF"sv, "a PDF"}};
  for (const auto& [magic, kind] : kinds)
    if (bytes.starts_with(magic)) return kind;
  return "";
}

std::string encoding_hint(std::string_view text, const std::string& file) {
  if (const auto wide = utf16_name(text); !wide.empty())
    return "it seems to be " + wide +
           " without a byte-order mark; convert it: " + convert(wide, file);
  const auto count = count_bytes(text);
  if (count.utf8 > count.alone + count.in_runs)
    return "most of the file is UTF-8; mend these lines";
  if (count.alone >= count.in_runs) {
    const std::string name = count.low > 0 ? "WINDOWS-1252" : "ISO-8859-1";
    return "it seems to be " + name + (count.low > 0 ? "" : " (Latin-1)") +
           "; convert it: " + convert(name, file);
  }
  return "its encoding is not known (GB18030, SHIFT_JIS, WINDOWS-1251, ...); convert it: " +
         convert("ENCODING", file);
}

}  // namespace seawall
