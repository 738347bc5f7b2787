// The filters and tests of Jinja that chat templates use.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "seawall/core/text.hpp"
#include "text/jinja/interpreter.hpp"
#include "text/jinja/texts.hpp"

namespace seawall::jinja {
namespace {

/// The whole number that a text spells, as Python's int() reads it.
std::optional<std::int64_t> spelled_whole(const Text& text) {
  const auto clean = stripped(text, Side::both, std::nullopt).bytes;
  std::int64_t value = 0;
  const auto* first = clean.data() + (clean.starts_with('+') ? 1 : 0);
  const auto read = std::from_chars(first, clean.data() + clean.size(), value);
  if (read.ec != std::errc{} || read.ptr != clean.data() + clean.size()) return std::nullopt;
  return value;
}
std::optional<double> spelled_real(const Text& text) {
  const auto clean = stripped(text, Side::both, std::nullopt).bytes;
  double value = 0;
  const auto* first = clean.data() + (clean.starts_with('+') ? 1 : 0);
  const auto read = std::from_chars(first, clean.data() + clean.size(), value);
  if (read.ec != std::errc{} || read.ptr != clean.data() + clean.size()) return std::nullopt;
  return value;
}

Value to_whole(Interpreter& in, const Value& value, Taker& taker) {
  auto otherwise = taker.take("default").value_or(std::int64_t{0});
  if (const auto* text = value.text()) {
    if (const auto found = spelled_whole(*text)) return *found;
    const auto real = spelled_real(*text);
    if (real && std::fabs(*real) < 9e18) return static_cast<std::int64_t>(*real);
    return otherwise;
  }
  if (const auto* real = value.as<double>()) {
    if (!(std::fabs(*real) < 9e18)) in.fail("filter 'int': the number is too large");
    return static_cast<std::int64_t>(*real);
  }
  if (value.number()) return value.integer();
  return otherwise;
}

Value to_real(const Value& value, Taker& taker) {
  auto otherwise = taker.take("default").value_or(0.0);
  if (const auto* text = value.text()) {
    if (const auto found = spelled_real(*text)) return *found;
    return otherwise;
  }
  return value.number() ? Value(value.real()) : otherwise;
}

Value to_json(Interpreter& in, const Value& value, Taker& taker) {
  // The order of transformers' own tojson.
  JsonStyle style;
  const auto ascii = taker.take("ensure_ascii"), indent = taker.take("indent"),
             separators = taker.take("separators"), sorted = taker.take("sort_keys");
  style.ascii = ascii && truth(*ascii);
  style.sort_keys = sorted && truth(*sorted);
  if (indent && !indent->none()) {
    style.indent = std::max<std::int64_t>(0, in.whole_of(*indent, "filter 'tojson': indent"));
    if (style.indent > 64) in.fail("filter 'tojson': indent is over 64");
  }
  if (separators && !separators->none()) {
    const auto both = in.items_of(*separators);
    if (both.size() != 2) in.fail("filter 'tojson': want two separators");
    style.separators = {str(both[0]).bytes, str(both[1]).bytes};
  }
  auto text = json_of(value, style);
  if (!text) in.fail("filter 'tojson': a value of type " + type_name(value) + " has no JSON form");
  return in.make(std::move(*text));
}

Value join(Interpreter& in, const Value& value, Taker& taker) {
  const auto between = str(taker.take("d").value_or(Value::of({})));
  const auto field = taker.take("attribute");
  std::vector<Text> parts;
  for (const auto& item : in.items_of(value)) {
    in.step();
    parts.push_back(str(field ? in.item(item, *field) : item));
  }
  return in.make(joined(parts, between));
}

Value indented(Interpreter& in, const Value& value, Taker& taker) {
  const auto width = taker.take("width").value_or(std::int64_t{4});
  const bool first = truth(taker.take("first").value_or(false));
  const bool blank = truth(taker.take("blank").value_or(false));
  Text pad;
  if (width.text()) {
    pad = *width.text();
  } else {
    const auto count = in.whole_of(width, "filter 'indent'");
    if (count > 1024) in.fail("filter 'indent': a width over 1024");
    pad = Text(std::string(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), ' '));
  }
  const auto text = str(value);
  auto lines = split_lines(text, false);
  if (text.bytes.empty() || text.bytes.ends_with('\n')) lines.emplace_back();
  Text out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.add("\n");
    if ((i > 0 || first) && (blank || !lines[i].bytes.empty() || (i == 0 && first))) out.add(pad);
    out.add(lines[i]);
  }
  return in.make(std::move(out));
}

/// map, select, reject, selectattr, rejectattr.
Value chosen(Interpreter& in, const std::string& name, const Value& value, Arguments given) {
  const bool by_field = name.ends_with("attr"), keeps = name.starts_with("select");
  Value field;
  if (by_field) {
    if (given.plain.empty()) in.fail("filter '" + name + "' wants an attribute");
    field = given.plain[0];
    given.plain.erase(given.plain.begin());
  }
  std::string test;
  if (!given.plain.empty()) {
    test = str(given.plain[0]).bytes;
    given.plain.erase(given.plain.begin());
  }
  std::vector<Value> kept;
  for (const auto& item : in.items_of(value)) {
    in.step();
    const auto looked_at = by_field ? in.item(item, field) : item;
    const bool holds = test.empty() ? truth(looked_at) : apply_test(in, test, looked_at, given);
    if (holds == keeps) kept.push_back(item);
  }
  return in.make(std::move(kept));
}

Value mapped(Interpreter& in, const Value& value, Arguments given) {
  std::vector<Value> out;
  if (given.plain.empty()) {
    Taker taker(in, "filter 'map'", given);
    const auto field = taker.want("attribute");
    const auto otherwise = taker.take("default");
    taker.done();
    for (const auto& item : in.items_of(value)) {
      in.step();
      auto found = in.item(item, field);
      if (found.undefined() && otherwise)
        out.push_back(*otherwise);
      else
        out.push_back(std::move(found));
    }
    return in.make(std::move(out));
  }
  const auto filter = str(given.plain[0]).bytes;
  given.plain.erase(given.plain.begin());
  for (const auto& item : in.items_of(value)) {
    in.step();
    out.push_back(apply_filter(in, filter, item, given));
  }
  return in.make(std::move(out));
}

Value reversed(Interpreter& in, const Value& value) {
  auto items = in.items_of(value);
  std::ranges::reverse(items);
  if (!value.text()) return in.make(std::move(items));
  Text out;
  for (const auto& item : items) out.add(*item.text());
  return in.make(std::move(out));
}

Value unique(Interpreter& in, const Value& value) {
  std::vector<Value> kept;
  for (const auto& item : in.items_of(value)) {
    in.step();
    const auto same = [&](const Value& other) {
      in.step();
      // Without regard to case, as Jinja compares here.
      return item.text() && other.text() ? lower(*item.text()).bytes == lower(*other.text()).bytes
                                         : equal(item, other);
    };
    if (std::ranges::none_of(kept, same)) kept.push_back(item);
  }
  return in.make(std::move(kept));
}

Value pairs_of(Interpreter& in, const Value& value) {
  std::vector<Value> pairs;
  if (const auto* dict = value.dict()) {
    for (const auto& [key, held] : dict->items)
      pairs.push_back(in.make({Value::of(key), held}, true));
  } else if (!value.undefined()) {
    in.fail("filter 'items': want a dict, found " + type_name(value));
  }
  return in.make(std::move(pairs));
}

Value at_end(Interpreter& in, const Value& value, bool last) {
  const auto items = in.items_of(value);
  if (items.empty()) return Undefined{"an item of an empty sequence"};
  return last ? items.back() : items.front();
}

Value absolute(Interpreter& in, const Value& value) {
  if (!value.number()) in.fail("filter 'abs': want a number, found " + type_name(value));
  if (value.as<double>()) return std::fabs(value.real());
  if (value.integer() == INT64_MIN) in.fail("a number that is too large");
  return std::abs(value.integer());
}

Value otherwise(const Value& value, Taker& taker) {
  const auto second = taker.take("default_value").value_or(Value::of({}));
  const bool any_false = truth(taker.take("boolean").value_or(false));
  return value.undefined() || (any_false && !truth(value)) ? second : value;
}

/// nullopt: no filter of this name.
std::optional<Value> filtered(Interpreter& in, const std::string& name, const Value& value,
                              Taker& taker) {
  if (name == "trim") {
    const auto set = taker.take("chars");
    return in.make(stripped(str(value), Side::both,
                            set && !set->none() ? std::optional(str(*set)) : std::nullopt));
  }
  if (name == "length" || name == "count") return static_cast<std::int64_t>(in.length_of(value));
  if (name == "tojson") return to_json(in, value, taker);
  if (name == "upper") return in.make(upper(str(value)));
  if (name == "lower") return in.make(lower(str(value)));
  if (name == "capitalize") return in.make(capitalized(str(value)));
  if (name == "title") return in.make(titled(str(value)));
  if (name == "string") return in.make(str(value));
  if (name == "list") return in.make(in.items_of(value));
  if (name == "first" || name == "last") return at_end(in, value, name == "last");
  if (name == "join") return join(in, value, taker);
  if (name == "default" || name == "d") return otherwise(value, taker);
  if (name == "replace") {
    const auto what = str(taker.want("old")), by = str(taker.want("new"));
    const auto most = taker.take("count");
    const auto count = most && !most->none() ? in.whole_of(*most, "filter 'replace'") : -1;
    const auto text = str(value);
    const auto growth = (text.bytes.size() + 1) / std::max<std::size_t>(what.bytes.size(), 1);
    if (by.bytes.size() > 0 && growth > (std::size_t{1} << 28) / by.bytes.size())
      in.fail("filter 'replace' makes a text that is too long");
    return in.make(replaced(text, what, by, count));
  }
  if (name == "int") return to_whole(in, value, taker);
  if (name == "float") return to_real(value, taker);
  if (name == "abs") return absolute(in, value);
  if (name == "items") return pairs_of(in, value);
  if (name == "reverse") return reversed(in, value);
  if (name == "unique") return unique(in, value);
  if (name == "indent") return indented(in, value, taker);
  return std::nullopt;
}

bool parity(Interpreter& in, const Value& value, std::int64_t by, const std::string& name) {
  if (by == 0) in.fail("division by zero");
  return by == -1 || in.whole_of(value, "test '" + name + "'") % by == 0;
}

bool same_case(const Value& value, bool upper_case) {
  const auto text = str(value);
  const auto& changed = upper_case ? upper(text) : lower(text);
  const auto& other = upper_case ? lower(text) : upper(text);
  return text.bytes == changed.bytes && text.bytes != other.bytes;
}

std::optional<bool> tested(Interpreter& in, const std::string& name, const Value& value,
                           Taker& taker) {
  if (name == "defined") return !value.undefined();
  if (name == "undefined") return value.undefined();
  if (name == "none") return value.none();
  if (name == "string") return value.text() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "sequence" || name == "iterable")
    return value.list() || value.dict() || value.text() || value.undefined();
  if (name == "number") return value.number();
  if (name == "integer") return value.whole() != nullptr;
  if (name == "float") return value.as<double>() != nullptr;
  if (name == "boolean") return value.as<bool>() != nullptr;
  if (name == "true" || name == "false")
    return value.as<bool>() && *value.as<bool>() == (name == "true");
  if (name == "callable") return value.pointed<const Function>() != nullptr;
  if (name == "odd") return !parity(in, value, 2, name);
  if (name == "even") return parity(in, value, 2, name);
  if (name == "divisibleby")
    return parity(in, value, in.whole_of(taker.want("num"), "test 'divisibleby'"), name);
  if (name == "lower" || name == "upper") return same_case(value, name == "upper");
  if (name == "eq" || name == "equalto" || name == "==") return equal(value, taker.want("other"));
  if (name == "ne" || name == "!=") return !equal(value, taker.want("other"));
  if (name == "sameas") {
    const auto other = taker.want("other");
    return type_name(value) == type_name(other) && equal(value, other);
  }
  if (name == "gt" || name == "greaterthan") return in.order(value, taker.want("other")) > 0;
  if (name == "ge") return in.order(value, taker.want("other")) >= 0;
  if (name == "lt" || name == "lessthan") return in.order(value, taker.want("other")) < 0;
  if (name == "le") return in.order(value, taker.want("other")) <= 0;
  if (name == "in") return in.contains(taker.want("seq"), value);
  return std::nullopt;
}

}  // namespace

Value apply_filter(Interpreter& in, const std::string& name, const Value& value,
                   const Arguments& arguments) {
  if (name == "map") return mapped(in, value, arguments);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
    return chosen(in, name, value, arguments);
  Taker taker(in, "filter '" + name + "'", arguments);
  auto out = filtered(in, name, value, taker);
  if (!out) in.fail("the filter '" + shown(name, 40) + "' is not supported");
  taker.done();
  return std::move(*out);
}

bool apply_test(Interpreter& in, const std::string& name, const Value& value,
                const Arguments& arguments) {
  Taker taker(in, "test '" + name + "'", arguments);
  const auto out = tested(in, name, value, taker);
  if (!out) in.fail("the test '" + shown(name, 40) + "' is not supported");
  taker.done();
  return *out;
}

}  // namespace seawall::jinja
