#include "seawall/eval/classifier_template.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

constexpr std::string_view prompt_place = "{prompt}", response_place = "{response}";
constexpr std::array<std::string_view, 5> steps{"one", "two", "three", "four", "five"};

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// `key: value` lines with the line each stands in.
struct Header {
  std::string where;
  std::map<std::string, std::pair<std::string, std::size_t>> fields;

  [[noreturn]] void fail(std::size_t line, const std::string& what) const {
    throw DataError(where + ": line " + std::to_string(line) + ": " + what);
  }
  const std::string* find(const std::string& key) const {
    const auto found = fields.find(key);
    return found == fields.end() ? nullptr : &found->second.first;
  }
  std::size_t line_of(const std::string& key) const { return fields.at(key).second; }
  double share(const std::string& key, double otherwise) const {
    const auto* text = find(key);
    if (text == nullptr) return otherwise;
    double value = 0;
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (code != std::errc() || end != text->data() + text->size() || !(value >= 0 && value <= 1))
      fail(line_of(key), key + ": want a number of 0 to 1, got '" + shown(*text, 40) + "'");
    return value;
  }
  bool flag(const std::string& key, bool otherwise) const {
    const auto* text = find(key);
    if (text == nullptr) return otherwise;
    if (*text != "true" && *text != "false") fail(line_of(key), key + ": want true or false");
    return *text == "true";
  }
  ClassifierTemplate::Spellings words(const std::string& key) const {
    const auto* text = find(key);
    if (text == nullptr) throw DataError(where + ": want a line `" + key + ": WORDS`");
    std::istringstream in(*text);
    ClassifierTemplate::Spellings out;
    for (std::string word; in >> word;) out.push_back(word);
    if (out.empty()) fail(line_of(key), key + ": want at least one word");
    return out;
  }
};

}  // namespace

ClassifierTemplate ClassifierTemplate::parse(std::string_view text, const std::string& where) {
  Header header{where, {}};
  ClassifierTemplate out;
  std::size_t number = 0;
  bool body = false;
  while (!text.empty() && !body) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (trimmed(line) == "---") {
      body = true;
      break;
    }
    line = line.substr(0, std::min(line.find(" #"), line.size()));
    if (line.starts_with('#') || trimmed(line).empty()) continue;
    const auto colon = line.find(':');
    if (colon == line.npos) header.fail(number, "want `key: value`, a remark or ---");
    const auto key = trimmed(line.substr(0, colon));
    constexpr std::array<std::string_view, 8> known{"kind", "chat",      "bos",   "yes",
                                                    "no",   "threshold", "round", "least"};
    if (std::ranges::find(known, key) == known.end() &&
        std::ranges::find(steps, key) == steps.end())
      header.fail(number, "unknown key '" + shown(key, 40) + "'");
    if (!header.fields.emplace(key, std::pair(trimmed(line.substr(colon + 1)), number)).second)
      header.fail(number, key + " comes twice");
  }
  if (!body) throw DataError(where + ": want a line --- and the text behind it");
  if (text.ends_with('\n')) text.remove_suffix(1);
  out.text = text;
  for (const auto place : {prompt_place, response_place})
    if (count_of(text, place) != 1)
      throw DataError(where + ": the text has " + std::to_string(count_of(text, place)) + " of " +
                      std::string(place) + ", want one");
  const auto* kind = header.find("kind");
  if (kind == nullptr || (*kind != "yes-no" && *kind != "scale"))
    throw DataError(where + ": want a line `kind: yes-no` or `kind: scale`");
  if (*kind == "yes-no") {
    out.words = {header.words("yes"), header.words("no")};
  } else {
    out.kind = Kind::scale;
    for (const auto step : steps) out.words.push_back(header.words(std::string(step)));
  }
  if (const auto* chat = header.find("chat")) out.chat = *chat;
  out.threshold = header.share("threshold", out.threshold);
  out.least = header.share("least", out.least);
  out.round = header.flag("round", out.round);
  out.bos = header.flag("bos", out.bos);
  return out;
}

std::string ClassifierTemplate::filled(std::string_view prompt, std::string_view response) const {
  const auto at_prompt = text.find(prompt_place), at_response = text.find(response_place);
  const bool prompt_first = at_prompt < at_response;
  const auto first = std::min(at_prompt, at_response), second = std::max(at_prompt, at_response);
  const auto first_size = prompt_first ? prompt_place.size() : response_place.size();
  const auto second_size = prompt_first ? response_place.size() : prompt_place.size();
  std::string out = text.substr(0, first);
  out += prompt_first ? prompt : response;
  out += text.substr(first + first_size, second - first - first_size);
  out += prompt_first ? response : prompt;
  return out += text.substr(second + second_size);
}

}  // namespace seawall
