#include "seawall/policy/phrases.hpp"

#include <algorithm>
#include <sstream>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"

namespace seawall {
namespace {

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 128 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool stands_in(const std::string& text, const std::string& phrase) {
  for (auto at = text.find(phrase); at != text.npos; at = text.find(phrase, at + 1)) {
    const auto end = at + phrase.size();
    const bool cut_before = at > 0 && is_word(text[at - 1]) && is_word(phrase.front());
    const bool cut_after = end < text.size() && is_word(text[end]) && is_word(phrase.back());
    if (!cut_before && !cut_after) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> read_phrases(const std::filesystem::path& file, std::string_view option) {
  std::istringstream in(read_file(file));
  std::vector<std::string> phrases;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) phrases.push_back(line);
  }
  if (phrases.empty())
    throw DataError(std::string(option) + " " + file.string() +
                    ": no phrase in the file; want one a line");
  return phrases;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string plain_apostrophes(std::string_view text) {
  constexpr std::string_view marks[] = {
      "\xE2\x80\x98", "\xE2\x80\x99", "\xCA\xBC", "\xEF\xBC\x87", "`", "\xC2\xB4"};
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = 0;
    for (const auto mark : marks)
      if (text.starts_with(mark)) length = mark.size();
    out += length > 0 ? '\'' : text.front();
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

const std::string* first_phrase(std::string_view text, const std::vector<std::string>& phrases) {
  const std::string lowered = lower_case(text);
  const auto found = std::find_if(phrases.begin(), phrases.end(), [&](const std::string& phrase) {
    return !phrase.empty() && stands_in(lowered, lower_case(phrase));
  });
  return found == phrases.end() ? nullptr : &*found;
}

}  // namespace seawall
