#pragma once
// Values of a chat template. Every byte of a text remembers who wrote it, template or dialogue.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace seawall::jinja {

/// Who wrote a byte: the template, a message, or the answer that training aims at.
enum Mark : char { from_template = 0, from_message = 1, from_answer = 2 };

struct Text {
  std::string bytes;
  std::string marks;  // one a byte; empty where the template wrote all of it

  Text() = default;
  Text(std::string_view own) : bytes(own) {}  // NOLINT(google-explicit-constructor): a literal
  Text(std::string_view text, Mark mark) : bytes(text), marks(text.size(), mark) {}
  Mark mark(std::size_t i) const { return marks.empty() ? from_template : Mark{marks[i]}; }
  /// The mark that stands out most among the bytes: what a text made from this one by rule bears.
  Mark mark() const;
  void add(const Text& more) { add(more, 0, more.bytes.size()); }
  void add(const Text& more, std::size_t begin, std::size_t end);
  void add(std::string_view more, Mark mark = from_template);
  Text cut(std::size_t begin, std::size_t end) const;
};

class Value;
struct List;
struct Dict;
struct Space;
struct Function;

struct None {};
struct Undefined {
  std::string what;  // "'x' is undefined"
};

class Value {
 public:
  Value() : held_(Undefined{}) {}
  // The clause leaves copies and moves alone; conversions are what this class is for.
  // NOLINTBEGIN(bugprone-forwarding-reference-overload, google-explicit-constructor)
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, Value>) Value(T&& value)
      : held_(std::forward<T>(value)) {}
  // NOLINTEND(bugprone-forwarding-reference-overload, google-explicit-constructor)
  static Value of(Text text) { return std::make_shared<const Text>(std::move(text)); }

  template <class T>
  const T* as() const {
    return std::get_if<T>(&held_);
  }
  template <class T>
  const T* pointed() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&held_);
    return held == nullptr ? nullptr : held->get();
  }
  template <class T>
  T* changed() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&held_);
    return held == nullptr ? nullptr : held->get();
  }
  const Text* text() const { return pointed<const Text>(); }
  const List* list() const { return pointed<const List>(); }
  const Dict* dict() const { return pointed<const Dict>(); }
  bool undefined() const { return as<Undefined>() != nullptr; }
  bool none() const { return as<None>() != nullptr; }
  /// True, false and whole numbers as a whole number, as in Python.
  const std::int64_t* whole() const { return as<std::int64_t>(); }
  bool number() const { return whole() || as<double>() || as<bool>(); }
  /// A number's value. The caller has asked number().
  double real() const;
  std::int64_t integer() const;

 private:
  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Space>,
               std::shared_ptr<const Function>>
      held_;
};

/// How much a value holds, all levels together, and how many levels: what is shared counts as often
/// as it is reached, since printing and comparing walk it as often.
struct Extent {
  std::size_t weight = 1;
  int depth = 1;
};
Extent extent_of(const Value& value);

struct List {
  std::vector<Value> items;
  bool tuple = false;
  Extent extent{};
};

/// Keys are texts. In the order in which they were given.
struct Dict {
  std::vector<std::pair<Text, Value>> items;
  Extent extent{};
  const Value* find(std::string_view key) const;
};

/// namespace(), and `loop` of a for: the one kind of value that may change.
struct Space {
  std::vector<std::pair<std::string, Value>> fields;
  const char* name = "namespace object";
  const Value* find(std::string_view field) const;
  void set(std::string_view field, Value value);
};

Value make_list(std::vector<Value> items, bool tuple = false);
Value make_dict(std::vector<std::pair<Text, Value>> items);

bool truth(const Value& value);
bool equal(const Value& a, const Value& b);
/// As Python names the type: `str`, `dict`, ...
std::string type_name(const Value& value);
/// As Python's str() and repr() write a value.
Text str(const Value& value);
Text repr(const Value& value);

/// Whether Python's str.isspace holds for the code point.
bool is_space(std::int32_t c);
/// Byte offset of every character, and the text's size at the end. A byte that is not UTF-8 is a
/// character.
std::vector<std::size_t> characters(std::string_view text);
/// The code point that starts at `at`, or -1, and its length.
std::pair<std::int32_t, std::size_t> character_at(std::string_view text, std::size_t at);

}  // namespace seawall::jinja
