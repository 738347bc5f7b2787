#pragma once
// Runs a parsed chat template under limits.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/ast.hpp"

namespace seawall::jinja {

/// What one rendering may take. A chat template comes from outside like any other file.
struct Limits {
  std::int64_t steps = 4'000'000;             // statements run and expressions computed
  std::size_t output = std::size_t{1} << 26;  // bytes of a text, items of a list
  std::size_t made = std::size_t{1} << 29;    // bytes of all texts and lists together
  int depth = 250;                            // statements, expressions and macros in each other
};

struct Frame;

/// Something that can be called: a macro, a method with its object, or a function of the
/// environment.
struct Function {
  std::string name;
  Value self;                        // of a method
  const Statement* macro = nullptr;  // of a macro
  std::weak_ptr<Frame> home;         // where the macro was defined
};

/// Names with their values, inside those of `parent`.
struct Frame {
  std::shared_ptr<Frame> parent;
  std::vector<std::pair<std::string, Value>> values;
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

/// What a filter, a test, a method or a function is called with.
struct Arguments {
  std::vector<Value> plain;
  std::vector<std::pair<std::string, Value>> named;
};

class Interpreter {
 public:
  Interpreter(const std::string& where, const Limits& limits) : where_(where), left_(limits) {}
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Text of `body` with the names in `values`.
  Text run(const Body& body, std::vector<std::pair<std::string, Value>> values);

  // For filters, tests, methods and functions:
  /// Errors out: DataError naming the template and the line.
  [[noreturn]] void fail(const std::string& what) const;
  Value make(Text text);
  Value make(std::vector<Value> items, bool tuple = false);
  Value make(std::vector<std::pair<Text, Value>> items);
  std::shared_ptr<Space> make_space();
  /// Items of a list, keys of a dict, characters of a text.
  std::vector<Value> items_of(const Value& value);
  /// Whole number, or an error that says `what` wants one.
  std::int64_t whole_of(const Value& value, const std::string& what) const;
  std::size_t length_of(const Value& value) const;
  bool contains(const Value& all, const Value& one) const;
  /// -1, 0 or 1. Errors where Python cannot order the two.
  int order(const Value& a, const Value& b) const;
  Value attribute(const Value& of, const std::string& name) const;
  Value item(const Value& of, const Value& at) const;
  void step();

 private:
  enum class Flow { on, jump_out, jump_on };
  using FramePtr = std::shared_ptr<Frame>;
  struct Level;

  Flow run(const Body& body, const FramePtr& frame, Text& out);
  Flow run(const Statement& statement, const FramePtr& frame, Text& out);
  Flow loop(const Statement& statement, const FramePtr& frame, Text& out);
  void assign(const Statement& statement, const FramePtr& frame, Value value);
  void bind(const std::vector<std::string>& targets, const Value& value, Frame& frame);
  void write(const Text& text, Text& out);

  Value eval(const Expr& e, const FramePtr& frame);
  Value eval_logic(const Expr& e, const FramePtr& frame);
  Value binary(const std::string& op, const Value& a, const Value& b);
  Value arithmetic(const std::string& op, const Value& a, const Value& b);
  Value repeated(const Value& what, std::int64_t times);
  bool compare(const std::string& op, const Value& a, const Value& b) const;
  Value slice(const Expr& e, const FramePtr& frame);
  Value dict(const Expr& e, const FramePtr& frame);
  Value name(const std::string& name, const Frame& frame) const;
  Value call(const Expr& e, const FramePtr& frame);
  Value call_macro(const Function& function, const Arguments& arguments);
  Arguments arguments(const Expr& e, const FramePtr& frame);
  void charge(std::size_t size);
  Value checked(Value value);

  const std::string& where_;
  Limits left_;
  int line_ = 0;
  std::vector<std::shared_ptr<Space>> spaces_;  // emptied at the end: they may hold each other
};

/// Takes arguments by place or name; `done` refuses what nobody took.
class Taker {
 public:
  Taker(const Interpreter& in, std::string what, const Arguments& arguments)
      : in_(in), what_(std::move(what)), arguments_(arguments), used_(arguments.named.size()) {}
  /// The next argument, or the one of this name.
  std::optional<Value> take(std::string_view name);
  Value want(std::string_view name);
  void done() const;

 private:
  const Interpreter& in_;
  std::string what_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
  std::vector<bool> used_;
};

/// `value | name(...)`. Errors: an unknown filter is named.
Value apply_filter(Interpreter& in, const std::string& name, const Value& value,
                   const Arguments& arguments);
/// `value is name ...`.
bool apply_test(Interpreter& in, const std::string& name, const Value& value,
                const Arguments& arguments);
/// `self.name(...)` of a text or a dict.
Value call_method(Interpreter& in, const std::string& name, const Value& self,
                  const Arguments& arguments);
bool is_method(const Value& self, std::string_view name);
/// namespace, dict, range, raise_exception, strftime_now.
Value call_function(Interpreter& in, const std::string& name, const Arguments& arguments);
bool is_function(std::string_view name);

}  // namespace seawall::jinja
