#include "text/jinja/value.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace seawall::jinja {

Mark Text::mark() const {
  return marks.empty() ? from_template : Mark{*std::ranges::max_element(marks)};
}

void Text::add(const Text& more, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  if (marks.empty() && !more.marks.empty()) marks.assign(bytes.size(), from_template);
  bytes.append(more.bytes, begin, end - begin);
  if (!more.marks.empty()) {
    marks.append(more.marks, begin, end - begin);
  } else if (!marks.empty()) {
    marks.append(end - begin, from_template);
  }
}

void Text::add(std::string_view more, Mark mark) {
  if (more.empty()) return;
  if (mark != from_template) marks.resize(bytes.size(), from_template);
  if (mark != from_template || !marks.empty()) marks.append(more.size(), mark);
  bytes += more;
}

Text Text::cut(std::size_t begin, std::size_t end) const {
  Text part;
  part.add(*this, begin, end);
  return part;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    if (name.bytes == key) return &value;
  }
  return nullptr;
}

const Value* Space::find(std::string_view field) const {
  for (const auto& [name, value] : fields) {
    if (name == field) return &value;
  }
  return nullptr;
}

void Space::set(std::string_view field, Value value) {
  for (auto& [name, held] : fields) {
    if (name == field) {
      held = std::move(value);
      return;
    }
  }
  fields.emplace_back(field, std::move(value));
}

namespace {

void add(Extent& extent, const Value& part) {
  constexpr std::size_t most = std::size_t{1} << 60;
  const auto inner = extent_of(part);
  extent.weight = std::min(most, extent.weight + inner.weight);
  extent.depth = std::max(extent.depth, inner.depth + 1);
}

}  // namespace

Value make_list(std::vector<Value> items, bool tuple) {
  Extent extent;
  for (const auto& item : items) add(extent, item);
  return std::make_shared<const List>(List{std::move(items), tuple, extent});
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): its elements are moved from
Value make_dict(std::vector<std::pair<Text, Value>> items) {
  Dict dict;
  for (auto& [key, value] : items) {  // a key given again keeps its place and takes the new value
    const auto& bytes = key.bytes;
    const auto found = std::ranges::find_if(
        dict.items, [&bytes](const auto& each) { return each.first.bytes == bytes; });
    if (found == dict.items.end()) {
      dict.items.emplace_back(std::move(key), std::move(value));
    } else {
      found->second = std::move(value);
    }
  }
  for (const auto& [key, value] : dict.items) {
    add(dict.extent, value);
    dict.extent.weight += key.bytes.size() / 16 + 1;
  }
  return std::make_shared<const Dict>(std::move(dict));
}

double Value::real() const {
  if (const auto* value = as<double>()) return *value;
  return static_cast<double>(integer());
}

std::int64_t Value::integer() const {
  if (const auto* value = whole()) return *value;
  if (const auto* value = as<bool>()) return *value ? 1 : 0;
  return 0;
}

bool truth(const Value& value) {
  if (value.undefined() || value.none()) return false;
  if (value.number()) return value.real() != 0;
  if (const auto* text = value.text()) return !text->bytes.empty();
  if (const auto* list = value.list()) return !list->items.empty();
  if (const auto* dict = value.dict()) return !dict->items.empty();
  return true;
}

bool equal(const Value& a, const Value& b) {
  if (a.number() && b.number()) {
    return a.as<double>() || b.as<double>() ? a.real() == b.real() : a.integer() == b.integer();
  }
  if (a.text() && b.text()) return a.text()->bytes == b.text()->bytes;
  if (a.list() && b.list()) {
    return a.list()->tuple == b.list()->tuple &&
           std::ranges::equal(a.list()->items, b.list()->items, equal);
  }
  if (a.dict() && b.dict()) {
    if (a.dict()->items.size() != b.dict()->items.size()) return false;
    return std::ranges::all_of(a.dict()->items, [&](const auto& item) {
      const auto* other = b.dict()->find(item.first.bytes);
      return other != nullptr && equal(item.second, *other);
    });
  }
  if (a.pointed<Space>()) return a.pointed<Space>() == b.pointed<Space>();
  if (a.pointed<const Function>())
    return a.pointed<const Function>() == b.pointed<const Function>();
  return (a.none() && b.none()) || (a.undefined() && b.undefined());
}

std::string type_name(const Value& value) {
  if (value.undefined()) return "Undefined";
  if (value.none()) return "None";
  if (value.as<bool>()) return "bool";
  if (value.whole()) return "int";
  if (value.as<double>()) return "float";
  if (value.text()) return "str";
  if (value.list()) return value.list()->tuple ? "tuple" : "list";
  if (value.dict()) return "dict";
  if (value.pointed<Space>()) return value.pointed<Space>()->name;
  return "function";
}

namespace {

/// As Python writes a float: the shortest digits that read back the same, never without a point or
/// exponent.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const auto size = std::fabs(value);
  const bool fixed = value == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), end.ptr);
  if (fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

bool printable(std::int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return c == ' ';
    default:
      return true;
  }
}

std::string escaped(std::int32_t c) {
  const auto hex = [&](const char* start, int digits) {
    std::string text = start;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
      text += "0123456789abcdef"[c >> shift & 15];
    return text;
  };
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  return c < 0x100 ? hex("\\x", 2) : c < 0x10000 ? hex("\\u", 4) : hex("\\U", 8);
}

Text quoted(const Text& text) {
  const bool has_single = text.bytes.find('\'') != std::string::npos;
  const char quote = has_single && text.bytes.find('"') == std::string::npos ? '"' : '\'';
  Text out;
  out.add(std::string_view(&quote, 1));
  for (std::size_t i = 0; i < text.bytes.size();) {
    const auto [c, length] = character_at(text.bytes, i);
    if (c == quote || c == '\\') {
      const char both[2] = {'\\', static_cast<char>(c)};
      out.add({both, 2}, text.mark(i));
    } else if (c >= 0 && !printable(c)) {
      out.add(escaped(c), text.mark(i));
    } else {
      out.add(text, i, i + length);
    }
    i += length;
  }
  out.add(std::string_view(&quote, 1));
  return out;
}

template <class Items, class Add>
Text bracketed(std::string_view open, const Items& items, std::string_view close, Add&& add) {
  Text out(open);
  bool first = true;
  for (const auto& item : items) {
    if (!first) out.add(", ");
    first = false;
    add(out, item);
  }
  out.add(close);
  return out;
}

}  // namespace

Text repr(const Value& value) {
  if (const auto* text = value.text()) return quoted(*text);
  if (const auto* list = value.list()) {
    const bool one = list->tuple && list->items.size() == 1;
    return bracketed(list->tuple ? "(" : "[", list->items,
                     one           ? ",)"
                     : list->tuple ? ")"
                                   : "]",
                     [](Text& out, const Value& item) { out.add(repr(item)); });
  }
  if (const auto* dict = value.dict()) {
    return bracketed("{", dict->items, "}", [](Text& out, const auto& item) {
      out.add(quoted(item.first));
      out.add(": ");
      out.add(repr(item.second));
    });
  }
  if (value.undefined()) return Text("Undefined");
  return str(value);
}

Text str(const Value& value) {
  if (value.undefined()) return {};
  if (value.none()) return Text("None");
  if (const auto* flag = value.as<bool>()) return Text(*flag ? "True" : "False");
  if (const auto* whole = value.whole()) return Text(std::to_string(*whole));
  if (const auto* real = value.as<double>()) return Text(float_text(*real));
  if (const auto* text = value.text()) return *text;
  if (value.list() || value.dict()) return repr(value);
  return Text("<" + type_name(value) + ">");
}

bool is_space(std::int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::pair<std::int32_t, std::size_t> character_at(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {byte, 1};
  std::int32_t c = -1;
  const auto length = utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  if (length <= 0) return {-1, 1};
  return {c, static_cast<std::size_t>(length)};
}

std::vector<std::size_t> characters(std::string_view text) {
  std::vector<std::size_t> starts;
  starts.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); i += character_at(text, i).second) starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

}  // namespace seawall::jinja
