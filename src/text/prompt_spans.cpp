#include "seawall/text/prompt_spans.hpp"

#include <algorithm>
#include <span>
#include <string>

namespace seawall {
namespace {

constexpr std::string_view white = " \t\r\n";
constexpr std::string_view unfinished = "\xEF\xBF\xBD";  // a letter of which bytes are to come
enum Place : std::int64_t { sink, system_text, user_text, assistant_text, template_text };

bool is_white(char c) { return white.find(c) != white.npos; }

std::string_view stripped(std::string_view text) {
  const auto first = text.find_first_not_of(white);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(white) + 1 - first);
}

Place place_of(Role role) {
  if (role == Role::system) return system_text;
  return role == Role::user ? user_text : assistant_text;
}

struct Content {
  std::size_t begin = 0, end = 0;  // bytes
  Place place = user_text;
};

std::string mark_of(std::size_t message) { return "Qzmark" + std::to_string(message) + "endzQ"; }

/// Where the contents are in `text`, which is `shape` with a content in each mark's place; nothing
/// if it is not.
std::vector<Content> contents_in(std::string_view text, std::string_view shape,
                                 const Dialogue& dialogue, bool strip) {
  std::vector<Content> found;
  while (true) {
    std::size_t at = shape.npos, which = 0;  // the next mark
    for (std::size_t m = 0; m < dialogue.messages.size(); ++m)
      if (const auto place = shape.find(mark_of(m)); place < at) at = place, which = m;
    const auto literal = shape.substr(0, at);
    const auto begin = found.empty() ? 0 : found.back().end;
    if (text.substr(begin, literal.size()) != literal) return {};
    if (at == shape.npos) return begin + literal.size() == text.size() ? found : decltype(found)();
    const Message& message = dialogue.messages[which];
    const std::string_view words = strip ? stripped(message.content) : message.content;
    const auto first = begin + literal.size();
    if (text.substr(first, words.size()) != words) return {};
    found.push_back({first, first + words.size(), place_of(message.role)});
    shape.remove_prefix(at + mark_of(which).size());
  }
}

/// Without white space, which tokenizers add and leave out.
std::string letters(std::string_view text) {
  std::string out;
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return !is_white(c); });
  return out;
}

}  // namespace

std::vector<std::int64_t> plain_spans(std::size_t tokens) {
  std::vector<std::int64_t> out(tokens, user_text);
  if (tokens > 0) out.front() = sink;
  return out;
}

std::vector<std::int64_t> prompt_spans(const ChatTemplate& chat, const Dialogue& dialogue,
                                       const TokenIds& ids, const Tokenizer& tokenizer) {
  Dialogue marked = dialogue;
  for (std::size_t m = 0; m < marked.messages.size(); ++m) marked.messages[m].content = mark_of(m);
  const std::string text = chat.render(dialogue, true), shape = chat.render(marked, true);
  auto contents = contents_in(text, shape, dialogue, false);
  if (contents.empty()) contents = contents_in(text, shape, dialogue, true);
  const std::string read = letters(tokenizer.decode(ids, false));
  const auto offset = read.rfind(letters(text));  // behind what the tokenizer puts first
  if (contents.empty() || ids.empty() || offset == read.npos) return {};
  for (Content& content : contents)  // as places among the letters
    for (std::size_t* place : {&content.begin, &content.end})
      *place = offset + letters(std::string_view(text).substr(0, *place)).size();

  std::vector<std::int64_t> out(ids.size(), template_text);
  std::size_t first = 0, token = 0;  // that a letter begins in
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string so_far = tokenizer.decode(std::span(ids).first(i + 1), false);
    if (i + 1 < ids.size() && so_far.ends_with(unfinished)) continue;
    const auto last = letters(so_far).size();
    for (const Content& content : contents) {
      const bool within = first == last ? content.begin < first && first < content.end
                                        : first < content.end && last > content.begin;
      if (within)
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(token),
                  out.begin() + static_cast<std::ptrdiff_t>(i) + 1, content.place);
    }
    first = last;
    token = i + 1;
  }
  out.front() = sink;
  return out;
}

}  // namespace seawall
