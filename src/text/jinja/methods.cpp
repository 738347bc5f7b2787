// Methods of texts and dicts, and the functions that transformers gives a template.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

#include "seawall/core/text.hpp"
#include "text/jinja/interpreter.hpp"
#include "text/jinja/texts.hpp"

namespace seawall::jinja {
namespace {

constexpr std::array<std::string_view, 15> text_methods{
    "strip", "lstrip", "rstrip",     "split",   "rsplit", "splitlines", "startswith", "endswith",
    "upper", "lower",  "capitalize", "replace", "find",   "join",       "count"};
constexpr std::array<std::string_view, 4> dict_methods{"items", "keys", "values", "get"};
constexpr std::array<std::string_view, 5> functions{"namespace", "dict", "range", "raise_exception",
                                                    "strftime_now"};

const Text& text_of(Interpreter& in, const Value& value, const std::string& name) {
  if (const auto* text = value.text()) return *text;
  in.fail("method '" + name + "' wants a text, found " + type_name(value));
}

bool starts_or_ends(Interpreter& in, const std::string& name, const Text& self, const Value& with) {
  if (const auto* any = with.list()) {
    return std::ranges::any_of(
        any->items, [&](const Value& each) { return starts_or_ends(in, name, self, each); });
  }
  const auto& text = text_of(in, with, name).bytes;
  return name == "startswith" ? self.bytes.starts_with(text) : self.bytes.ends_with(text);
}

Value list_of(Interpreter& in, std::vector<Text> parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (auto& part : parts) {
    in.step();
    items.push_back(in.make(std::move(part)));
  }
  return in.make(std::move(items));
}

Value cut_up(Interpreter& in, const std::string& name, const Text& self, Taker& taker) {
  const auto at = taker.take("sep"), most = taker.take("maxsplit");
  std::optional<Text> separator;
  if (at && !at->none()) separator = text_of(in, *at, name);
  if (separator && separator->bytes.empty()) in.fail("method '" + name + "': an empty separator");
  const auto count = most ? in.whole_of(*most, "method '" + name + "'") : -1;
  return list_of(in, split(self, separator, count, name == "rsplit"));
}

Value count_or_find(Interpreter& in, const std::string& name, const Text& self, Taker& taker) {
  const auto what = text_of(in, taker.want("sub"), name).bytes;
  if (name == "find") {
    const auto at = self.bytes.find(what);
    if (at == std::string::npos) return std::int64_t{-1};
    return static_cast<std::int64_t>(
               characters(std::string_view(self.bytes).substr(0, at)).size()) -
           1;
  }
  if (what.empty()) return static_cast<std::int64_t>(characters(self.bytes).size());
  std::int64_t count = 0;
  for (auto at = self.bytes.find(what); at != std::string::npos;
       at = self.bytes.find(what, at + what.size()))
    ++count;
  return count;
}

Value of_text(Interpreter& in, const std::string& name, const Text& self, Taker& taker) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const auto set = taker.take("chars");
    std::optional<Text> characters;
    if (set && !set->none()) characters = text_of(in, *set, name);
    const auto side = name == "strip" ? Side::both : name == "lstrip" ? Side::left : Side::right;
    return in.make(stripped(self, side, characters));
  }
  if (name == "split" || name == "rsplit") return cut_up(in, name, self, taker);
  if (name == "splitlines")
    return list_of(in, split_lines(self, truth(taker.take("keepends").value_or(false))));
  if (name == "startswith" || name == "endswith")
    return starts_or_ends(in, name, self, taker.want("prefix"));
  if (name == "upper") return in.make(upper(self));
  if (name == "lower") return in.make(lower(self));
  if (name == "capitalize") return in.make(capitalized(self));
  if (name == "replace") {
    Arguments given{{taker.want("old"), taker.want("new")}, {}};
    if (auto count = taker.take("count")) given.plain.push_back(*count);
    return apply_filter(in, "replace", Value::of(self), given);
  }
  if (name == "join") {
    std::vector<Text> parts;
    for (const auto& item : in.items_of(taker.want("iterable")))
      parts.push_back(text_of(in, item, name));
    return in.make(joined(parts, self));
  }
  return count_or_find(in, name, self, taker);
}

Value of_dict(Interpreter& in, const std::string& name, const Dict& self, Taker& taker) {
  if (name == "get") {
    const auto key = taker.want("key");
    const auto otherwise = taker.take("default").value_or(None{});
    const auto* found = key.text() ? self.find(key.text()->bytes) : nullptr;
    return found != nullptr ? *found : otherwise;
  }
  std::vector<Value> items;
  for (const auto& [key, value] : self.items) {
    in.step();
    if (name == "items") {
      items.push_back(in.make({Value::of(key), value}, true));
    } else {
      items.push_back(name == "keys" ? Value::of(key) : value);
    }
  }
  return in.make(std::move(items));
}

/// The day that templates which write "Today Date" see. A prompt must be the same tomorrow, so it
/// is a fixed one, that which Llama 3.1's template writes by itself; SOURCE_DATE_EPOCH moves it.
std::tm today() {
  std::time_t seconds = 1721952000;  // 2024-07-26
  if (const char* given = std::getenv("SOURCE_DATE_EPOCH"); given != nullptr)
    seconds = std::strtoll(given, nullptr, 10);
  std::tm date{};
  gmtime_r(&seconds, &date);
  return date;
}

Value date(Interpreter& in, Taker& taker) {
  const auto format = str(taker.want("format"));
  if (format.bytes.size() > 256) in.fail("strftime_now: the format is over 256 bytes");
  static constexpr std::array<std::string_view, 12> months{
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::array<std::string_view, 7> days{
      "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  const auto tm = today();
  const auto two = [](int value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  const auto month = months[static_cast<std::size_t>(tm.tm_mon)];
  const auto day = days[static_cast<std::size_t>(tm.tm_wday)];
  Text out;
  for (std::size_t i = 0; i < format.bytes.size(); ++i) {
    if (format.bytes[i] != '%' || i + 1 == format.bytes.size()) {
      out.add(format, i, i + 1);
      continue;
    }
    // Not by strftime: the names of months must not follow the locale.
    switch (format.bytes[++i]) {
      case 'd':
        out.add(two(tm.tm_mday));
        break;
      case 'm':
        out.add(two(tm.tm_mon + 1));
        break;
      case 'y':
        out.add(two(tm.tm_year % 100));
        break;
      case 'Y':
        out.add(std::to_string(tm.tm_year + 1900));
        break;
      case 'H':
        out.add(two(tm.tm_hour));
        break;
      case 'M':
        out.add(two(tm.tm_min));
        break;
      case 'S':
        out.add(two(tm.tm_sec));
        break;
      case 'b':
        out.add(month.substr(0, 3));
        break;
      case 'B':
        out.add(month);
        break;
      case 'a':
        out.add(day.substr(0, 3));
        break;
      case 'A':
        out.add(day);
        break;
      case '%':
        out.add("%");
        break;
      default:
        in.fail("strftime_now: '%" + shown(format.bytes.substr(i, 1)) + "' is not supported");
    }
  }
  return in.make(std::move(out));
}

Value range(Interpreter& in, const Arguments& arguments) {
  std::array<std::int64_t, 3> ends{0, 0, 1};
  const auto count = arguments.plain.size();
  if (count < 1 || count > 3 || !arguments.named.empty()) in.fail("range wants 1 to 3 numbers");
  for (std::size_t i = 0; i < count; ++i) {
    ends[count == 1 ? 1 : i] = in.whole_of(arguments.plain[i], "range");
  }
  if (ends[2] == 0) in.fail("range with a step of 0");
  std::vector<Value> items;
  for (auto i = ends[0]; ends[2] > 0 ? i < ends[1] : i > ends[1];) {
    in.step();
    if (items.size() == 100000) in.fail("range gives more than 100000 numbers");
    items.emplace_back(i);
    if (__builtin_add_overflow(i, ends[2], &i)) break;
  }
  return in.make(std::move(items));
}

}  // namespace

bool is_method(const Value& self, std::string_view name) {
  if (self.text()) return std::ranges::count(text_methods, name) > 0;
  return self.dict() && std::ranges::count(dict_methods, name) > 0;
}

bool is_function(std::string_view name) { return std::ranges::count(functions, name) > 0; }

Value call_method(Interpreter& in, const std::string& name, const Value& self,
                  const Arguments& arguments) {
  Taker taker(in, "method '" + name + "'", arguments);
  auto out =
      self.text() ? of_text(in, name, *self.text(), taker) : of_dict(in, name, *self.dict(), taker);
  taker.done();
  return out;
}

Value call_function(Interpreter& in, const std::string& name, const Arguments& arguments) {
  if (name == "range") return range(in, arguments);
  Taker taker(in, name, arguments);
  if (name == "strftime_now") {
    auto out = date(in, taker);
    taker.done();
    return out;
  }
  if (name == "raise_exception")
    in.fail("the template refuses the dialogue: " + shown(str(taker.want("message")).bytes, 200));
  if (!arguments.plain.empty()) in.fail(name + " wants arguments with names");
  if (name == "dict") {
    std::vector<std::pair<Text, Value>> items;
    for (const auto& [key, value] : arguments.named) items.emplace_back(Text(key), value);
    return in.make(std::move(items));
  }
  const auto space = in.make_space();
  for (const auto& [field, value] : arguments.named) space->set(field, value);
  return std::shared_ptr<Space>(space);
}

}  // namespace seawall::jinja
