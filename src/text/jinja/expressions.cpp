// Expressions: what Python's operators do to the values of a template.
#include <algorithm>
#include <array>
#include <cmath>

#include "seawall/core/text.hpp"
#include "text/jinja/interpreter.hpp"

namespace seawall::jinja {
namespace {

std::string no_attribute(const Value& of, std::string_view name) {
  return "'" + type_name(of) + "' has no attribute '" + shown(name, 40) + "'";
}

}  // namespace

Value Interpreter::eval(const Expr& e, const FramePtr& frame) {
  step();
  if (--left_.depth < 0) fail("macros, tags and expressions in each other too deeply");
  auto value = eval_logic(e, frame);
  ++left_.depth;
  left_.steps -=
      static_cast<std::int64_t>(extent_of(value).weight / 16);  // to look at it takes time
  return value;
}

Value Interpreter::eval_logic(const Expr& e, const FramePtr& frame) {
  const auto arg = [&](std::size_t i) { return eval(*e.args[i], frame); };
  const auto here = [&] { line_ = e.line; };
  switch (e.kind) {
    case Expr::Kind::constant:
      return e.constant;
    case Expr::Kind::name:
      here();
      return name(e.name, *frame);
    case Expr::Kind::list:
    case Expr::Kind::tuple: {
      std::vector<Value> items;
      for (std::size_t i = 0; i < e.args.size(); ++i) items.push_back(arg(i));
      return make(std::move(items), e.kind == Expr::Kind::tuple);
    }
    case Expr::Kind::dict:
      return dict(e, frame);
    case Expr::Kind::attribute: {
      const auto of = arg(0);
      here();
      return attribute(of, e.name);
    }
    case Expr::Kind::item: {
      const auto of = arg(0), at = arg(1);
      here();
      return item(of, at);
    }
    case Expr::Kind::slice:
      return slice(e, frame);
    case Expr::Kind::call:
      return call(e, frame);
    case Expr::Kind::filter: {
      const auto value = arg(0);
      const auto given = arguments(e, frame);
      here();
      return apply_filter(*this, e.name, value, given);
    }
    case Expr::Kind::test: {
      const auto value = arg(0);
      const auto given = arguments(e, frame);
      here();
      return apply_test(*this, e.name, value, given);
    }
    case Expr::Kind::logical_not:
      return !truth(arg(0));
    case Expr::Kind::logical_and: {
      auto left = arg(0);
      return truth(left) ? arg(1) : left;
    }
    case Expr::Kind::logical_or: {
      auto left = arg(0);
      return truth(left) ? left : arg(1);
    }
    case Expr::Kind::ternary:
      if (truth(arg(1))) return arg(0);
      return e.args.size() > 2 ? arg(2) : Undefined{"the if without else was false"};
    case Expr::Kind::negative:
    case Expr::Kind::positive: {
      const auto value = arg(0);
      here();
      if (!value.number()) fail("a sign before a value of type " + type_name(value));
      return binary(e.kind == Expr::Kind::negative ? "-" : "+", std::int64_t{0}, value);
    }
    case Expr::Kind::binary: {
      const auto a = arg(0), b = arg(1);
      here();
      return binary(e.name, a, b);
    }
    case Expr::Kind::concat: {
      Text text = str(arg(0));
      text.add(str(arg(1)));
      here();
      return make(std::move(text));
    }
    case Expr::Kind::compare: {
      auto left = arg(0);
      for (std::size_t i = 0; i < e.ops.size(); ++i) {
        auto right = arg(i + 1);
        here();
        if (!compare(e.ops[i], left, right)) return false;
        left = std::move(right);
      }
      return true;
    }
  }
  return {};
}

Value Interpreter::name(const std::string& name, const Frame& frame) const {
  if (const auto* found = frame.find(name)) return *found;
  if (is_function(name)) return std::make_shared<const Function>(Function{.name = name});
  return Undefined{"'" + shown(name, 40) + "' is undefined"};
}

Value Interpreter::dict(const Expr& e, const FramePtr& frame) {
  std::vector<std::pair<Text, Value>> items;
  for (std::size_t i = 0; i + 1 < e.args.size(); i += 2) {
    const auto key = eval(*e.args[i], frame);
    if (!key.text()) {
      line_ = e.line;
      fail("a dict key of type " + type_name(key) + " is not supported, want a text");
    }
    items.emplace_back(*key.text(), eval(*e.args[i + 1], frame));
  }
  return make(std::move(items));
}

Value Interpreter::attribute(const Value& of, const std::string& name) const {
  if (const auto* none = of.as<Undefined>()) fail(none->what);
  if (const auto* space = of.pointed<Space>()) {
    const auto* found = space->find(name);
    return found != nullptr ? *found : Undefined{no_attribute(of, name)};
  }
  if (is_method(of, name)) return std::make_shared<const Function>(Function{name, of});
  if (const auto* dict = of.dict()) {
    if (const auto* found = dict->find(name)) return *found;
  }
  return Undefined{no_attribute(of, name)};
}

Value Interpreter::item(const Value& of, const Value& at) const {
  if (const auto* none = of.as<Undefined>()) fail(none->what);
  if (at.text()) {
    if (const auto* dict = of.dict()) {
      if (const auto* found = dict->find(at.text()->bytes)) return *found;
    }
    return attribute(of, at.text()->bytes);
  }
  if (!at.whole() && !at.as<bool>()) return Undefined{"no item of type " + type_name(at)};
  const auto size = of.list() || of.text() ? static_cast<std::int64_t>(length_of(of)) : 0;
  const auto index = at.integer() < 0 ? at.integer() + size : at.integer();
  if (index < 0 || index >= size) {
    return Undefined{"'" + type_name(of) + "' has no item " + std::to_string(at.integer())};
  }
  const auto i = static_cast<std::size_t>(index);
  if (of.list()) return of.list()->items[i];
  const auto starts = characters(of.text()->bytes);
  return Value::of(of.text()->cut(starts[i], starts[i + 1]));
}

Value Interpreter::slice(const Expr& e, const FramePtr& frame) {
  const auto of = eval(*e.args[0], frame);
  std::array<std::optional<std::int64_t>, 3> ends;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!e.args[i + 1]) continue;
    const auto value = eval(*e.args[i + 1], frame);
    line_ = e.line;
    if (!value.none()) ends[i] = whole_of(value, "a slice");
  }
  line_ = e.line;
  if (of.undefined()) fail(of.as<Undefined>()->what);
  if (!of.list() && !of.text()) fail("a value of type " + type_name(of) + " cannot be sliced");
  const auto by = ends[2].value_or(1);
  if (by == 0) fail("a slice of step 0");
  const auto starts = of.text() ? characters(of.text()->bytes) : std::vector<std::size_t>{};
  const auto size =
      static_cast<std::int64_t>(of.text() ? starts.size() - 1 : of.list()->items.size());
  const auto place = [&](std::optional<std::int64_t> end, std::int64_t otherwise) {
    if (!end) return otherwise;
    const auto low = by < 0 ? -1 : 0, high = by < 0 ? -1 : 0;
    const auto at = *end < 0 ? *end + size : *end;
    return std::clamp<std::int64_t>(at, low, std::max<std::int64_t>(low, size + high));
  };
  const auto begin = place(ends[0], by < 0 ? size - 1 : 0),
             end = place(ends[1], by < 0 ? -1 : size);
  std::vector<Value> items;
  Text text;
  for (auto i = begin; by < 0 ? i > end : i < end;) {
    step();
    const auto at = static_cast<std::size_t>(i);
    if (of.list()) {
      items.push_back(of.list()->items[at]);
    } else if (by == 1) {
      text.add(*of.text(), starts[at], starts[static_cast<std::size_t>(end)]);
      break;
    } else {
      text.add(*of.text(), starts[at], starts[at + 1]);
    }
    if (by > size || by < -size) break;
    i += by;
  }
  return of.list() ? make(std::move(items), of.list()->tuple) : make(std::move(text));
}

Value Interpreter::binary(const std::string& op, const Value& a, const Value& b) {
  for (const auto* side : {&a, &b}) {
    if (const auto* none = side->as<Undefined>()) fail(none->what);
  }
  if (op == "+" && a.text() && b.text()) {
    Text text = *a.text();
    text.add(*b.text());
    return make(std::move(text));
  }
  if (op == "+" && a.list() && b.list() && a.list()->tuple == b.list()->tuple) {
    auto items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return make(std::move(items), a.list()->tuple);
  }
  if (op == "*" && (a.text() || a.list()) && b.number()) return repeated(a, whole_of(b, "'*'"));
  if (op == "*" && (b.text() || b.list()) && a.number()) return repeated(b, whole_of(a, "'*'"));
  if (op == "%" && a.text()) fail("'%' on a text is not supported, want '~'");
  if (!a.number() || !b.number())
    fail("'" + op + "' of " + type_name(a) + " and " + type_name(b) + " is not supported");
  return arithmetic(op, a, b);
}

Value Interpreter::repeated(const Value& what, std::int64_t times) {
  const auto size = what.text() ? what.text()->bytes.size() : 64 * what.list()->items.size();
  if (times > 0 && size > left_.output / static_cast<std::size_t>(times))
    fail("makes a value that is too long");
  Text text;
  std::vector<Value> items;
  for (std::int64_t i = 0; i < times && size > 0; ++i) {
    step();
    if (what.text()) {
      text.add(*what.text());
    } else {
      items.insert(items.end(), what.list()->items.begin(), what.list()->items.end());
    }
  }
  return what.text() ? make(std::move(text)) : make(std::move(items), what.list()->tuple);
}

Value Interpreter::arithmetic(const std::string& op, const Value& a, const Value& b) {
  const bool divides = op == "/" || op == "//" || op == "%";
  if (divides && b.real() == 0) fail("division by zero");
  if (op == "/") return a.real() / b.real();
  if (a.as<double>() || b.as<double>()) {
    const double x = a.real(), y = b.real();
    if (op == "+") return x + y;
    if (op == "-") return x - y;
    if (op == "*") return x * y;
    if (op == "**") return std::pow(x, y);
    if (op == "//") return std::floor(x / y);
    const auto rest = std::fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
  const auto x = a.integer(), y = b.integer();
  std::int64_t out = 0;
  bool over = false;
  if (op == "+") over = __builtin_add_overflow(x, y, &out);
  if (op == "-") over = __builtin_sub_overflow(x, y, &out);
  if (op == "*") over = __builtin_mul_overflow(x, y, &out);
  if (op == "**") {
    if (y < 0) return std::pow(a.real(), b.real());
    if (y > 64 && x != 0 && x != 1 && x != -1) fail("a number that is too large");
    out = y > 64 ? (y % 2 == 0 ? x * x : x) : 1;
    for (std::int64_t i = 0; i < y && y <= 64 && !over; ++i)
      over = __builtin_mul_overflow(out, x, &out);
  }
  if (divides) {
    if (y == -1) {
      over = op == "//" && __builtin_sub_overflow(std::int64_t{0}, x, &out);
    } else {
      const bool down = x % y != 0 && (x < 0) != (y < 0);
      out = op == "//" ? x / y - (down ? 1 : 0) : x % y + (down ? y : 0);
    }
  }
  if (over) fail("a number that is too large");
  return out;
}

int Interpreter::order(const Value& a, const Value& b) const {
  for (const auto* side : {&a, &b}) {
    if (const auto* none = side->as<Undefined>()) fail(none->what);
  }
  const auto sign = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.number() && b.number()) {
    if (a.as<double>() || b.as<double>()) return sign(a.real(), b.real());
    return sign(a.integer(), b.integer());
  }
  if (a.text() && b.text()) return sign(a.text()->bytes, b.text()->bytes);
  fail("cannot compare " + type_name(a) + " and " + type_name(b) + " by size");
}

bool Interpreter::contains(const Value& all, const Value& one) const {
  if (const auto* text = all.text()) {
    if (!one.text()) fail("'in' of a text wants a text, found " + type_name(one));
    return text->bytes.find(one.text()->bytes) != std::string::npos;
  }
  if (const auto* dict = all.dict()) return one.text() && dict->find(one.text()->bytes) != nullptr;
  if (const auto* list = all.list())
    return std::ranges::any_of(list->items, [&](const Value& v) { return equal(v, one); });
  if (all.undefined()) return false;
  fail("'in' of a value of type " + type_name(all));
}

bool Interpreter::compare(const std::string& op, const Value& a, const Value& b) const {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (op == "in") return contains(b, a);
  if (op == "not in") return !contains(b, a);
  const auto sign = order(a, b);
  if (op == "<") return sign < 0;
  if (op == "<=") return sign <= 0;
  return op == ">" ? sign > 0 : sign >= 0;
}

std::vector<Value> Interpreter::items_of(const Value& value) {
  std::vector<Value> items;
  if (const auto* list = value.list()) return list->items;
  if (const auto* dict = value.dict()) {
    for (const auto& [key, held] : dict->items) items.push_back(Value::of(key));
  } else if (const auto* text = value.text()) {
    const auto starts = characters(text->bytes);
    charge(64 * starts.size());
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      items.push_back(Value::of(text->cut(starts[i], starts[i + 1])));
  } else if (!value.undefined()) {
    fail("a value of type " + type_name(value) + " has no items");
  }
  return items;
}

std::int64_t Interpreter::whole_of(const Value& value, const std::string& what) const {
  if (value.whole() || value.as<bool>()) return value.integer();
  fail(what + " wants a whole number, found " + type_name(value));
}

std::size_t Interpreter::length_of(const Value& value) const {
  if (const auto* list = value.list()) return list->items.size();
  if (const auto* dict = value.dict()) return dict->items.size();
  if (const auto* text = value.text()) return characters(text->bytes).size() - 1;
  if (value.undefined()) return 0;
  fail("a value of type " + type_name(value) + " has no length");
}

}  // namespace seawall::jinja
