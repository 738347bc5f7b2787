#include "text/jinja/texts.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace seawall::jinja {
namespace {

std::string utf8(std::int32_t c) {
  std::array<std::uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(c, bytes.data());
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length)};
}

/// Each character through `change`, which gets its place and value and gives text.
template <class Change>
Text mapped(const Text& text, Change&& change) {
  Text out;
  std::size_t number = 0;
  for (std::size_t i = 0; i < text.bytes.size();) {
    const auto [c, length] = character_at(text.bytes, i);
    if (c < 0) {
      out.add(text, i, i + length);
    } else {
      out.add(change(number, c), text.mark(i));
    }
    ++number;
    i += length;
  }
  return out;
}

// One character that becomes several; the others that do are ligatures and iota subscripts.
std::string upper_of(std::int32_t c) { return c == 0xDF ? "SS" : utf8(utf8proc_toupper(c)); }
std::string lower_of(std::int32_t c) { return c == 0x130 ? "i\u0307" : utf8(utf8proc_tolower(c)); }

}  // namespace

Text stripped(const Text& text, Side side, const std::optional<Text>& set) {
  const auto starts = characters(text.bytes);
  const auto goes = [&](std::size_t i) {
    const auto one = std::string_view(text.bytes).substr(starts[i], starts[i + 1] - starts[i]);
    if (set) return set->bytes.find(one) != std::string::npos;
    return is_space(character_at(one, 0).first);
  };
  std::size_t begin = 0, end = starts.size() - 1;
  while (side != Side::right && begin < end && goes(begin)) ++begin;
  while (side != Side::left && end > begin && goes(end - 1)) --end;
  return text.cut(starts[begin], starts[end]);
}

Text upper(const Text& text) {
  return mapped(text, [](std::size_t, std::int32_t c) { return upper_of(c); });
}
Text lower(const Text& text) {
  return mapped(text, [](std::size_t, std::int32_t c) { return lower_of(c); });
}
Text capitalized(const Text& text) {
  return mapped(text, [](std::size_t number, std::int32_t c) {
    return number == 0 ? utf8(utf8proc_totitle(c)) : lower_of(c);
  });
}

Text titled(const Text& text) {
  bool first = true;
  return mapped(text, [&](std::size_t, std::int32_t c) {
    const bool ends =
        is_space(c) ||
        (c < 128 && std::string_view("-({[<").find(static_cast<char>(c)) != std::string_view::npos);
    const bool starts = std::exchange(first, ends);
    return starts && !ends ? upper_of(c) : lower_of(c);
  });
}

Text replaced(const Text& text, const Text& what, const Text& by, std::int64_t most) {
  Text out;
  if (what.bytes.empty()) {  // before every character and at the end
    const auto starts = characters(text.bytes);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      if (most-- != 0) {
        out.add(by);
      } else {
        most = 0;
      }
      if (i + 1 < starts.size()) out.add(text, starts[i], starts[i + 1]);
    }
    return out;
  }
  std::size_t from = 0;
  for (auto at = text.bytes.find(what.bytes); at != std::string::npos && most != 0;
       at = text.bytes.find(what.bytes, from), --most) {
    out.add(text, from, at);
    out.add(by);
    from = at + what.bytes.size();
  }
  out.add(text, from, text.bytes.size());
  return out;
}

namespace {

std::vector<Text> split_space(const Text& text, std::int64_t most, bool from_right) {
  const auto starts = characters(text.bytes);
  const auto space = [&](std::size_t i) {
    return is_space(character_at(text.bytes, starts[i]).first);
  };
  std::vector<Text> parts;
  std::size_t begin = 0, end = starts.size() - 1;
  for (;;) {
    while (begin < end && space(begin)) ++begin;
    while (end > begin && space(end - 1)) --end;
    if (begin == end) break;
    auto first = begin, last = end;
    if (from_right) {
      while (most != 0 && first < last && !space(last - 1)) --last;
      parts.push_back(text.cut(most == 0 ? 0 : starts[last], starts[end]));
      end = most == 0 ? begin : last;
    } else {
      while (most != 0 && first < last && !space(first)) ++first;
      // What is left over keeps its white space at the end, as in Python.
      parts.push_back(text.cut(starts[begin], most == 0 ? text.bytes.size() : starts[first]));
      begin = most == 0 ? end : first;
    }
    if (most == 0) break;
    --most;
  }
  if (from_right) std::ranges::reverse(parts);
  return parts;
}

}  // namespace

std::vector<Text> split(const Text& text, const std::optional<Text>& at, std::int64_t most,
                        bool from_right) {
  if (!at) return split_space(text, most, from_right);
  std::vector<std::size_t> cuts;
  const auto& what = at->bytes;
  if (from_right) {
    for (auto end = text.bytes.size(); end >= what.size() && most != 0; --most) {
      const auto found = text.bytes.rfind(what, end - what.size());
      if (found == std::string::npos) break;
      cuts.insert(cuts.begin(), found);
      end = found;
    }
  } else {
    for (auto i = text.bytes.find(what); i != std::string::npos && most != 0;
         i = text.bytes.find(what, i + what.size()), --most) {
      cuts.push_back(i);
    }
  }
  std::vector<Text> parts;
  std::size_t from = 0;
  for (const auto cut : cuts) {
    parts.push_back(text.cut(from, cut));
    from = cut + what.size();
  }
  parts.push_back(text.cut(from, text.bytes.size()));
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  for (std::size_t from = 0; from < text.bytes.size();) {
    auto end = text.bytes.find_first_of("\n\r\v\f\x1c\x1d\x1e", from);
    if (end == std::string::npos) end = text.bytes.size();
    auto next = std::min(end + 1, text.bytes.size());
    if (text.bytes.compare(end, 2, "\r\n") == 0) ++next;
    lines.push_back(text.cut(from, keep_ends ? next : end));
    from = next;
  }
  return lines;
}

Text joined(const std::vector<Text>& parts, const Text& between) {
  Text out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.add(between);
    out.add(parts[i]);
  }
  return out;
}

namespace {

std::string unicode_escape(std::int32_t c) {
  const auto four = [](std::int32_t unit) {
    std::string text = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) text += "0123456789abcdef"[unit >> shift & 15];
    return text;
  };
  if (c < 0x10000) return four(c);
  c -= 0x10000;
  return four(0xD800 + (c >> 10)) + four(0xDC00 + (c & 0x3FF));
}

void write_json(const Text& text, bool ascii, Text& out) {
  static constexpr std::string_view special = "\"\\\n\r\t\f\b", names = "\"\\nrtfb";
  out.add("\"");
  for (std::size_t i = 0; i < text.bytes.size();) {
    const auto [c, length] = character_at(text.bytes, i);
    const auto found = length == 1 ? special.find(text.bytes[i]) : std::string_view::npos;
    if (found != std::string_view::npos) {
      out.add(std::string{'\\', names[found]}, text.mark(i));
    } else if (c >= 0 && (c < 0x20 || (ascii && c > 0x7E))) {
      out.add(unicode_escape(c), text.mark(i));
    } else {
      out.add(text, i, i + length);
    }
    i += length;
  }
  out.add("\"");
}

/// False where a value has no JSON form.
bool write_json(const Value& value, const JsonStyle& style, std::int64_t level, Text& out) {
  const auto separators = style.separators.value_or(
      std::pair<std::string, std::string>{style.indent < 0 ? ", " : ",", ": "});
  const auto line = [&](std::int64_t to) {
    if (style.indent >= 0)
      out.add("\n" +
              std::string(static_cast<std::size_t>(std::min<std::int64_t>(style.indent * to, 4096)),
                          ' '));
  };
  if (value.none()) return out.add("null"), true;
  if (const auto* flag = value.as<bool>()) return out.add(*flag ? "true" : "false"), true;
  if (const auto* real = value.as<double>()) {
    const auto text = str(*real).bytes;
    out.add(text == "nan"    ? "NaN"
            : text == "inf"  ? "Infinity"
            : text == "-inf" ? "-Infinity"
                             : text);
    return true;
  }
  if (value.number()) return out.add(str(value)), true;
  if (const auto* text = value.text()) return write_json(*text, style.ascii, out), true;
  if (const auto* list = value.list()) {
    out.add("[");
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      if (i > 0) out.add(separators.first);
      line(level + 1);
      if (!write_json(list->items[i], style, level + 1, out)) return false;
    }
    if (!list->items.empty()) line(level);
    out.add("]");
    return true;
  }
  if (const auto* dict = value.dict()) {
    auto items = dict->items;
    if (style.sort_keys) {
      std::ranges::stable_sort(items, {}, [](const auto& item) { return item.first.bytes; });
    }
    out.add("{");
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out.add(separators.first);
      line(level + 1);
      write_json(items[i].first, style.ascii, out);
      out.add(separators.second);
      if (!write_json(items[i].second, style, level + 1, out)) return false;
    }
    if (!items.empty()) line(level);
    out.add("}");
    return true;
  }
  return false;
}

}  // namespace

std::optional<Text> json_of(const Value& value, const JsonStyle& style) {
  Text out;
  if (!write_json(value, style, 0, out)) return std::nullopt;
  return out;
}

}  // namespace seawall::jinja
