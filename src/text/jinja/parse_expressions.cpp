// Expressions by recursive descent, with Jinja's precedence.
#include <array>
#include <charconv>

#include "text/jinja/reader.hpp"

namespace seawall::jinja {
namespace {

constexpr int max_expression_depth = 120;

using Kind = Token::Kind;

class Expressions {
 public:
  explicit Expressions(Reader& in) : in_(in) {}

  /// With a comma: a tuple.
  ExprPtr tuple(bool with_ternary = true) {
    auto first = with_ternary ? ternary() : logical_or();
    if (!in_.sign(",")) return first;
    auto all = make(Expr::Kind::tuple);
    add(*all, std::move(first));
    while (in_.take_sign(",")) {
      if (ends()) break;
      add(*all, with_ternary ? ternary() : logical_or());
    }
    return all;
  }

  ExprPtr ternary() {
    const Level level(*this);
    auto value = logical_or();
    while (in_.take_word("if")) {
      auto all = make(Expr::Kind::ternary);
      add(*all, std::move(value));
      add(*all, logical_or());
      if (in_.take_word("else")) add(*all, ternary());
      value = std::move(all);
    }
    return value;
  }

 private:
  /// Counts how deep the parser is.
  struct Level {
    explicit Level(Expressions& of) : of_(of) {
      if (++of_.level_ > max_expression_depth) of_.too_deep();
    }
    ~Level() { --of_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Expressions& of_;
  };

  [[noreturn]] void too_deep() const {
    in_.fail("an expression of more than " + std::to_string(max_expression_depth) + " levels");
  }
  ExprPtr make(Expr::Kind kind, std::string name = {}) const {
    auto made = std::make_unique<Expr>();
    made->kind = kind;
    made->line = in_.now().line;
    made->name = std::move(name);
    return made;
  }
  void count(Expr& parent, const Expr& part) const {
    parent.depth = std::max(parent.depth, part.depth + 1);
    if (parent.depth > max_expression_depth) too_deep();
  }
  void add(Expr& parent, ExprPtr part) const {
    if (part) count(parent, *part);
    parent.args.push_back(std::move(part));
  }
  ExprPtr of_two(Expr::Kind kind, std::string name, ExprPtr left, ExprPtr right) const {
    auto both = make(kind, std::move(name));
    add(*both, std::move(left));
    add(*both, std::move(right));
    return both;
  }
  bool ends() const {
    return in_.now().kind == Kind::tag_end || in_.now().kind == Kind::print_end || in_.sign(")") ||
           in_.sign("]") || in_.sign("}") || in_.sign("=");
  }

  ExprPtr logical_or() {
    auto left = logical_and();
    while (in_.take_word("or"))
      left = of_two(Expr::Kind::logical_or, {}, std::move(left), logical_and());
    return left;
  }
  ExprPtr logical_and() {
    auto left = logical_not();
    while (in_.take_word("and"))
      left = of_two(Expr::Kind::logical_and, {}, std::move(left), logical_not());
    return left;
  }
  ExprPtr logical_not() {
    const Level level(*this);
    if (!in_.take_word("not")) return compare();
    auto made = make(Expr::Kind::logical_not);
    add(*made, logical_not());
    return made;
  }

  ExprPtr compare() {
    auto first = sum();
    std::vector<std::string> ops;
    auto all = make(Expr::Kind::compare);
    add(*all, std::move(first));
    for (;;) {
      static constexpr std::array<std::string_view, 6> signs{"==", "!=", "<", "<=", ">", ">="};
      const bool is_sign =
          in_.now().kind == Kind::sign && std::ranges::count(signs, in_.now().text) > 0;
      if (is_sign) {
        all->ops.push_back(in_.take().text);
      } else if (in_.take_word("in")) {
        all->ops.emplace_back("in");
      } else if (in_.word("not") && in_.next().is(Kind::name, "in")) {
        in_.take();
        in_.take();
        all->ops.emplace_back("not in");
      } else {
        break;
      }
      add(*all, sum());
    }
    return all->ops.empty() ? std::move(all->args[0]) : std::move(all);
  }

  ExprPtr sum() {
    auto left = concat();
    while (in_.sign("+") || in_.sign("-")) {
      auto name = in_.take().text;
      left = of_two(Expr::Kind::binary, std::move(name), std::move(left), concat());
    }
    return left;
  }
  ExprPtr concat() {
    auto left = product();
    while (in_.take_sign("~")) left = of_two(Expr::Kind::concat, {}, std::move(left), product());
    return left;
  }
  ExprPtr product() {
    auto left = power();
    while (in_.sign("*") || in_.sign("/") || in_.sign("//") || in_.sign("%")) {
      auto name = in_.take().text;
      left = of_two(Expr::Kind::binary, std::move(name), std::move(left), power());
    }
    return left;
  }
  ExprPtr power() {
    auto left = unary(true);
    while (in_.take_sign("**"))
      left = of_two(Expr::Kind::binary, "**", std::move(left), unary(true));
    return left;
  }

  ExprPtr unary(bool with_filters) {
    const Level level(*this);
    ExprPtr made;
    if (in_.sign("-") || in_.sign("+")) {
      made = make(in_.take().text == "-" ? Expr::Kind::negative : Expr::Kind::positive);
      add(*made, unary(false));
    } else {
      made = primary();
    }
    made = postfix(std::move(made));
    return with_filters ? filters(std::move(made)) : std::move(made);
  }

  ExprPtr constant(Value value) const {
    auto made = make(Expr::Kind::constant);
    made->constant = std::move(value);
    return made;
  }

  ExprPtr primary() {
    const Level level(*this);
    switch (in_.now().kind) {
      case Kind::name:
        return name();
      case Kind::text: {
        auto text = in_.take().text;
        while (in_.now().kind == Kind::text) text += in_.take().text;
        return constant(Value::of(Text(text)));
      }
      case Kind::whole: {
        const auto digits = in_.take().text;
        std::int64_t value = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (read.ec != std::errc{}) in_.fail("the number " + shown(digits, 40) + " is too large");
        return constant(value);
      }
      case Kind::real: {
        const auto digits = in_.take().text;
        double value = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (read.ec != std::errc{}) in_.fail("the number " + shown(digits, 40) + " is too large");
        return constant(value);
      }
      default:
        return bracketed();
    }
  }

  ExprPtr name() {
    const auto word = in_.now().text;
    if (word == "true" || word == "True") return in_.take(), constant(true);
    if (word == "false" || word == "False") return in_.take(), constant(false);
    if (word == "none" || word == "None") return in_.take(), constant(None{});
    for (const auto* kept : {"if", "else", "in", "is", "and", "or", "not"}) {
      if (word == kept) in_.fail("want a value, found '" + word + "'");
    }
    auto made = make(Expr::Kind::name, word);
    in_.take();
    return made;
  }

  ExprPtr bracketed() {
    if (in_.take_sign("(")) {
      if (in_.take_sign(")")) return make(Expr::Kind::tuple);
      auto made = tuple();
      in_.want_sign(")");
      return made;
    }
    if (in_.take_sign("[")) {
      auto made = make(Expr::Kind::list);
      while (!in_.take_sign("]")) {
        if (!made->args.empty()) {
          in_.want_sign(",");
          if (in_.take_sign("]")) break;
        }
        add(*made, ternary());
      }
      return made;
    }
    if (in_.take_sign("{")) {
      auto made = make(Expr::Kind::dict);
      while (!in_.take_sign("}")) {
        if (!made->args.empty()) {
          in_.want_sign(",");
          if (in_.take_sign("}")) break;
        }
        add(*made, ternary());
        in_.want_sign(":");
        add(*made, ternary());
      }
      return made;
    }
    in_.fail("want a value, found " + in_.seen());
  }

  ExprPtr postfix(ExprPtr value) {
    for (;;) {
      if (in_.take_sign(".")) {
        const bool index = in_.now().kind == Kind::whole;
        auto made = make(index ? Expr::Kind::item : Expr::Kind::attribute);
        add(*made, std::move(value));
        if (index) {
          add(*made, primary());
        } else {
          made->name = in_.want_name();
        }
        value = std::move(made);
      } else if (in_.take_sign("[")) {
        value = subscript(std::move(value));
      } else if (in_.sign("(")) {
        auto made = make(Expr::Kind::call);
        add(*made, std::move(value));
        arguments(*made);
        value = std::move(made);
      } else {
        return value;
      }
    }
  }

  ExprPtr subscript(ExprPtr value) {
    auto made = make(Expr::Kind::item);
    add(*made, std::move(value));
    const auto part = [&] { add(*made, in_.sign(":") || in_.sign("]") ? nullptr : ternary()); };
    part();
    if (in_.sign(":")) {
      made->kind = Expr::Kind::slice;
      while (made->args.size() < 4 && in_.take_sign(":")) part();
      made->args.resize(4);
    } else if (!made->args[1]) {
      in_.fail("want an index, found ']'");
    }
    in_.want_sign("]");
    return made;
  }

  void arguments(Expr& call) {
    in_.want_sign("(");
    while (!in_.take_sign(")")) {
      if (call.args.size() > 1 || !call.named.empty()) {
        in_.want_sign(",");
        if (in_.take_sign(")")) return;
      }
      if (in_.sign("*") || in_.sign("**")) in_.fail("arguments by * are not supported");
      if (in_.now().kind == Kind::name && in_.next().is(Kind::sign, "=")) {
        auto name = in_.take().text;
        in_.take();
        auto value = ternary();
        count(call, *value);
        call.named.emplace_back(std::move(name), std::move(value));
      } else {
        if (!call.named.empty()) in_.fail("an argument without a name after one with a name");
        add(call, ternary());
      }
    }
  }

  ExprPtr filters(ExprPtr value) {
    for (;;) {
      if (in_.take_sign("|")) {
        auto made = make(Expr::Kind::filter, in_.want_name());
        add(*made, std::move(value));
        if (in_.sign("(")) arguments(*made);
        value = std::move(made);
      } else if (in_.take_word("is")) {
        value = test(std::move(value));
      } else if (in_.sign("(")) {
        value = postfix(std::move(value));
      } else {
        return value;
      }
    }
  }

  ExprPtr test(ExprPtr value) {
    const bool inverted = in_.take_word("not");
    auto made = make(Expr::Kind::test, in_.want_name());
    add(*made, std::move(value));
    const auto& now = in_.now();
    const bool keyword =
        now.kind == Kind::name &&
        (now.text == "else" || now.text == "or" || now.text == "and" || now.text == "if" ||
         now.text == "is" || now.text == "not" || now.text == "in");
    if (in_.sign("(")) {
      arguments(*made);
    } else if ((now.kind == Kind::name && !keyword) || now.kind == Kind::text ||
               now.kind == Kind::whole || now.kind == Kind::real || in_.sign("[") ||
               in_.sign("{")) {
      add(*made, postfix(primary()));
    }
    if (!inverted) return made;
    auto turned = make(Expr::Kind::logical_not);
    add(*turned, std::move(made));
    return turned;
  }

  Reader& in_;
  int level_ = 0;
};

}  // namespace

ExprPtr parse_tuple(Reader& in, bool with_ternary) { return Expressions(in).tuple(with_ternary); }
ExprPtr parse_expression(Reader& in) { return Expressions(in).ternary(); }

}  // namespace seawall::jinja
