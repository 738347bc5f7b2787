#include "seawall/dataset/source.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "dataset/encoding.hpp"
#include "dataset/gzip.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

constexpr std::uint64_t max_file = std::uint64_t{512} << 20;

std::string line_of(std::string_view text, std::size_t at) {
  return "line " +
         std::to_string(
             1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      put(0xE0 | (c >> 12));
    } else {
      put(0xF0 | (c >> 18));
      put(0x80 | ((c >> 12) & 0x3F));
    }
    put(0x80 | ((c >> 6) & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

/// UTF-16 after its byte-order mark.
std::string from_utf16(std::string_view bytes, bool big, const std::string& path) {
  if (bytes.size() % 2 != 0) throw DataError(path + ": UTF-16 that ends within a character");
  const auto unit = [&](std::size_t i) {
    const auto a = static_cast<unsigned char>(bytes[i]),
               b = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<std::uint32_t>(big ? a << 8 | b : b << 8 | a);
  };
  std::string out;
  for (std::size_t i = 2; i < bytes.size(); i += 2) {
    std::uint32_t c = unit(i);
    if (c >= 0xD800 && c < 0xE000) {
      const auto low = i + 2 < bytes.size() ? unit(i + 2) : 0;
      if (c >= 0xDC00 || low < 0xDC00 || low >= 0xE000)
        throw DataError(path + ": UTF-16 with an unpaired surrogate at byte " + std::to_string(i));
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    append_utf8(out, c);
  }
  return out;
}

}  // namespace

void ReadReport::reject(std::string reason) {
  if (rejected++ == 0) first_rejection = std::move(reason);
}

void ReadReport::note(std::string_view what, std::string_view place, std::size_t count) {
  const auto known = std::ranges::find(notes, what, &ReadNote::what);
  if (known != notes.end())
    known->count += count;
  else
    notes.push_back({std::string(what), count, std::string(place)});
}

void Place::fail(const std::string& what) const {
  throw DataError(file + (record.empty() ? "" : ": " + record) + ": " + what);
}

SourceFile SourceFile::read(const std::filesystem::path& path) {
  SourceFile file = read_records(path);
  if (const auto at = find_invalid_utf8(file.text))
    throw DataError(path.string() + ": " + line_of(file.text, *at) + ": not UTF-8 at byte " +
                    std::to_string(*at) + "; " + encoding_hint(file.text, path.string()));
  return file;
}

SourceFile SourceFile::read_records(const std::filesystem::path& path) {
  SourceFile file{.path = path, .text = read_file(path, max_file), .sha256 = {}};
  file.sha256 = sha256_hex(file.text);
  auto& text = file.text;
  if (text.starts_with("\x1F\x8B")) text = unpack_gzip(text, path, max_file);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  const bool binary = text.find('\0') != std::string::npos || find_invalid_utf8(text);
  if (const auto kind = kind_of_binary(text); binary && !kind.empty())
    throw DataError(path.string() + ": " + std::string(kind) +
                    "; want JSONL, JSON, CSV or plain text, which may be compressed by gzip");
  if (text.starts_with(std::string_view("\xFF\xFE\0\0", 4)))
    throw DataError(path.string() + ": UTF-32; convert it: iconv -f UTF-32 -t UTF-8 '" +
                    path.string() + "' > converted.txt");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    text = from_utf16(text, text[0] == '\xFE', path.string());
  if (const auto at = text.find('\0'); at != std::string::npos) {
    const auto hint = encoding_hint(text, path.string());
    throw DataError(path.string() + ": " + line_of(text, at) +
                    ": a NUL byte; want a text file in UTF-8, or UTF-16 with a byte-order mark" +
                    (hint.starts_with("it seems to be UTF-16") ? "; " + hint : ""));
  }
  file.utf8 = !find_invalid_utf8(text);
  if (text.find('\n') == std::string::npos) std::ranges::replace(text, '\r', '\n');
  if (blank(text)) throw DataError(path.string() + ": the file is empty");
  return file;
}

std::string SourceFile::not_utf8(std::string_view part) const {
  const auto at = utf8 ? std::nullopt : find_invalid_utf8(part);
  if (!at) return "";
  return "not UTF-8 at byte " +
         std::to_string(static_cast<std::size_t>(part.data() - text.data()) + *at);
}

std::string SourceFile::stem() const {
  return (path.extension() == ".gz" ? path.stem() : path).stem().string();
}

std::string SourceFile::extension() const {
  auto name = (path.extension() == ".gz" ? path.stem() : path).extension().string();
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

const std::string& text_of(const nlohmann::json& record, const char* key, const Place& place) {
  if (!record.is_object()) place.fail("want an object with '" + std::string(key) + "'");
  const auto found = record.find(key);
  if (found == record.end()) place.fail("key '" + std::string(key) + "' is missing, want a text");
  if (!found->is_string()) {
    place.fail("key '" + std::string(key) + "': want a text, found " + found->type_name());
  }
  const auto& text = found->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos)
    place.fail("key '" + std::string(key) + "': a NUL character");
  return text;
}

std::string optional_text(const nlohmann::json& record, const char* key, const Place& place) {
  const auto found = record.find(key);
  return found == record.end() || found->is_null() ? "" : text_of(record, key, place);
}

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 40 &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
             std::string_view::npos;
}

void check_rejected(const SourceFile& file, const ReadReport& report, std::size_t usable,
                    double max_rejected) {
  const auto path = file.path.string();
  const std::string hint = file.utf8 ? "" : "; " + encoding_hint(file.text, path);
  if (usable == 0)
    throw DataError(
        path + ": no usable " +
        (report.rows == 0 ? "record: the set is empty" : "record; " + report.first_rejection) +
        hint);
  const auto most = std::max(1.0, max_rejected * static_cast<double>(report.rows));
  if (static_cast<double>(report.rejected) <= most) return;
  char share[32];
  std::snprintf(share, sizeof share, "%g", max_rejected);
  throw DataError(path + ": " + std::to_string(report.rejected) + " of " +
                  std::to_string(report.rows) + " records cannot be used, --max-rejected " + share +
                  " allows " + std::to_string(static_cast<std::size_t>(most)) + " (first: " +
                  report.first_rejection + ")" + (hint.empty() ? "; mend them or raise it" : hint));
}

}  // namespace seawall
