// Statements.
#include "text/jinja/interpreter.hpp"

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall::jinja {

const Value* Frame::find(std::string_view name) const {
  for (const auto* frame = this; frame != nullptr; frame = frame->parent.get()) {
    for (const auto& [held, value] : frame->values) {
      if (held == name) return &value;
    }
  }
  return nullptr;
}

void Frame::set(std::string_view name, Value value) {
  for (auto& [held, old] : values) {
    if (held == name) {
      old = std::move(value);
      return;
    }
  }
  values.emplace_back(name, std::move(value));
}

/// One level deeper while it lives.
struct Interpreter::Level {
  explicit Level(Interpreter& in) : in_(in) {
    if (--in_.left_.depth < 0) in_.fail("macros, tags and expressions in each other too deeply");
  }
  ~Level() { ++in_.left_.depth; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  Interpreter& in_;
};

void Interpreter::fail(const std::string& what) const {
  throw DataError(where_ + ": line " + std::to_string(line_) + ": " + what);
}

void Interpreter::step() {
  if (--left_.steps < 0) fail("takes too many steps");
}

void Interpreter::charge(std::size_t size) {
  if (size > left_.made) fail("makes too much text");
  left_.made -= size;
}

Value Interpreter::make(Text text) {
  if (text.bytes.size() > left_.output) fail("makes a text that is too long");
  charge(text.bytes.size() + text.marks.size() + 64);
  return Value::of(std::move(text));
}

Value Interpreter::make(std::vector<Value> items, bool tuple) {
  if (items.size() > left_.output / 64) fail("makes a list that is too long");
  charge(items.size() * sizeof(Value) + 64);
  return checked(make_list(std::move(items), tuple));
}

Value Interpreter::make(std::vector<std::pair<Text, Value>> items) {
  charge(items.size() * 128 + 64);
  return checked(make_dict(std::move(items)));
}

Value Interpreter::checked(Value value) {
  constexpr int max_levels = 100;
  const auto extent = extent_of(value);
  if (extent.depth > max_levels) fail("makes lists in each other too deeply");
  if (extent.weight > left_.output / 8) fail("makes a value that is too large");
  return value;
}

std::shared_ptr<Space> Interpreter::make_space() {
  charge(256);
  return spaces_.emplace_back(std::make_shared<Space>());
}

Interpreter::~Interpreter() {
  for (const auto& space : spaces_) space->fields.clear();
}

Extent extent_of(const Value& value) {
  if (const auto* list = value.list()) return list->extent;
  if (const auto* dict = value.dict()) return dict->extent;
  if (const auto* text = value.text()) return {text->bytes.size() / 16 + 1, 1};
  if (const auto* function = value.pointed<const Function>()) {
    auto extent = extent_of(function->self);
    ++extent.depth;
    return extent;
  }
  return {};
}

Text Interpreter::run(const Body& body, std::vector<std::pair<std::string, Value>> values) {
  const auto frame = std::make_shared<Frame>();
  frame->values = std::move(values);
  Text out;
  run(body, frame, out);
  return out;
}

void Interpreter::write(const Text& text, Text& out) {
  if (text.bytes.size() > left_.output - std::min(left_.output, out.bytes.size()))
    fail("writes a text that is too long");
  charge(text.bytes.size());
  out.add(text);
}

Interpreter::Flow Interpreter::run(const Body& body, const FramePtr& frame, Text& out) {
  for (const auto& statement : body) {
    const auto flow = run(statement, frame, out);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run(const Statement& statement, const FramePtr& frame, Text& out) {
  const Level level(*this);
  step();
  line_ = statement.line;
  switch (statement.kind) {
    case Statement::Kind::text:
      write(Text(statement.text), out);
      return Flow::on;
    case Statement::Kind::print:
      write(str(eval(*statement.value, frame)), out);
      return Flow::on;
    case Statement::Kind::branch:
      for (const auto& branch : statement.branches) {
        if (!branch.condition || truth(eval(*branch.condition, frame)))
          return run(branch.body, frame, out);
      }
      return Flow::on;
    case Statement::Kind::loop:
      return loop(statement, frame, out);
    case Statement::Kind::set:
      assign(statement, frame, eval(*statement.value, frame));
      return Flow::on;
    case Statement::Kind::set_block: {
      const auto inner = std::make_shared<Frame>(Frame{frame, {}});
      Text text;
      const auto flow = run(statement.body, inner, text);
      assign(statement, frame, make(std::move(text)));
      return flow;
    }
    case Statement::Kind::macro:
      frame->set(statement.text,
                 std::make_shared<const Function>(Function{statement.text, {}, &statement, frame}));
      return Flow::on;
    case Statement::Kind::jump_out:
      return Flow::jump_out;
    case Statement::Kind::jump_on:
      return Flow::jump_on;
  }
  return Flow::on;
}

void Interpreter::assign(const Statement& statement, const FramePtr& frame, Value value) {
  if (statement.field.empty()) return bind(statement.targets, value, *frame);
  const auto* found = frame->find(statement.targets[0]);
  auto* space = found == nullptr ? nullptr : found->changed<Space>();
  if (space == nullptr || std::string_view(space->name) != "namespace object") {
    fail("cannot set " + statement.targets[0] + "." + statement.field + ": not a namespace");
  }
  space->set(statement.field, std::move(value));
}

void Interpreter::bind(const std::vector<std::string>& targets, const Value& value, Frame& frame) {
  if (targets.size() == 1) return frame.set(targets[0], value);
  const auto parts = items_of(value);
  if (parts.size() != targets.size()) {
    fail("want " + std::to_string(targets.size()) + " values for as many names, found " +
         std::to_string(parts.size()));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) frame.set(targets[i], parts[i]);
}

Interpreter::Flow Interpreter::loop(const Statement& statement, const FramePtr& frame, Text& out) {
  auto items = items_of(eval(*statement.value, frame));
  if (statement.condition) {
    std::erase_if(items, [&](const Value& item) {
      step();
      const auto inner = std::make_shared<Frame>(Frame{frame, {}});
      bind(statement.targets, item, *inner);
      return !truth(eval(*statement.condition, inner));
    });
  }
  if (items.empty()) return run(statement.otherwise, frame, out);
  const auto count = static_cast<std::int64_t>(items.size());
  for (std::int64_t i = 0; i < count; ++i) {
    step();
    const auto at = static_cast<std::size_t>(i);
    const auto inner = std::make_shared<Frame>(Frame{frame, {}});
    const auto loop = std::make_shared<Space>();
    loop->name = "loop";
    loop->fields = {{"index", i + 1},
                    {"index0", i},
                    {"revindex", count - i},
                    {"revindex0", count - i - 1},
                    {"first", i == 0},
                    {"last", i + 1 == count},
                    {"length", count},
                    {"depth", std::int64_t{1}},
                    {"depth0", std::int64_t{0}},
                    {"previtem", i > 0 ? items[at - 1] : Value()},
                    {"nextitem", i + 1 < count ? items[at + 1] : Value()}};
    bind(statement.targets, items[at], *inner);
    inner->set("loop", std::shared_ptr<Space>(loop));
    if (run(statement.body, inner, out) == Flow::jump_out) break;
  }
  return Flow::on;
}

Arguments Interpreter::arguments(const Expr& e, const FramePtr& frame) {
  Arguments all;
  for (std::size_t i = 1; i < e.args.size(); ++i) all.plain.push_back(eval(*e.args[i], frame));
  for (const auto& [name, value] : e.named) all.named.emplace_back(name, eval(*value, frame));
  return all;
}

Value Interpreter::call(const Expr& e, const FramePtr& frame) {
  const auto callee = eval(*e.args[0], frame);
  const auto* function = callee.pointed<const Function>();
  if (function == nullptr) {
    if (const auto* none = callee.as<Undefined>()) fail(none->what);
    fail("a value of type " + type_name(callee) + " cannot be called");
  }
  auto given = arguments(e, frame);
  line_ = e.line;
  if (function->macro != nullptr) return call_macro(*function, given);
  if (!function->self.undefined()) return call_method(*this, function->name, function->self, given);
  return call_function(*this, function->name, given);
}

Value Interpreter::call_macro(const Function& function, const Arguments& given) {
  const Level level(*this);
  const auto home = function.home.lock();
  if (!home) fail("macro '" + function.name + "' is called outside of where it was defined");
  const auto frame = std::make_shared<Frame>(Frame{home, {}});
  const auto& parameters = function.macro->parameters;
  Taker taker(*this, "macro '" + function.name + "'", given);
  for (const auto& [name, otherwise] : parameters) {
    auto value = taker.take(name);
    if (!value && otherwise) value = eval(*otherwise, frame);
    frame->set(name, value.value_or(Undefined{"parameter '" + name + "' was not provided"}));
  }
  taker.done();
  Text out;
  run(function.macro->body, frame, out);
  return make(std::move(out));
}

std::optional<Value> Taker::take(std::string_view name) {
  if (next_ < arguments_.plain.size()) return arguments_.plain[next_++];
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if (!used_[i] && arguments_.named[i].first == name) {
      used_[i] = true;
      return arguments_.named[i].second;
    }
  }
  return std::nullopt;
}

Value Taker::want(std::string_view name) {
  if (auto value = take(name)) return *value;
  in_.fail(what_ + " wants '" + std::string(name) + "'");
}

void Taker::done() const {
  if (next_ < arguments_.plain.size()) in_.fail(what_ + ": too many arguments");
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if (!used_[i]) in_.fail(what_ + ": no argument '" + shown(arguments_.named[i].first, 40) + "'");
  }
}

}  // namespace seawall::jinja
