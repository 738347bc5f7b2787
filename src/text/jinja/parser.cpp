// The statements of a chat template.
#include <algorithm>
#include <iterator>

#include "text/jinja/reader.hpp"

namespace seawall::jinja {
namespace {

constexpr int max_tag_depth = 40;

using Kind = Token::Kind;

class Parser {
 public:
  Parser(std::string_view source, const std::string& where) : in_(source, where) {}

  Body run() {
    std::string ended_by;
    Body body = statements({}, ended_by);
    return body;
  }

 private:
  using Words = std::vector<std::string_view>;

  /// Statements up to a tag of one of `ends`, whose name is taken; at the top: up to the end.
  Body statements(const Words& ends, std::string& ended_by) {
    if (++level_ > max_tag_depth) {
      in_.fail("more than " + std::to_string(max_tag_depth) + " tags inside each other");
    }
    Body body;
    for (;;) {
      const auto line = in_.now().line;
      switch (in_.now().kind) {
        case Kind::data:
          body.push_back({.kind = Statement::Kind::text, .line = line, .text = in_.take().text});
          break;
        case Kind::print_begin: {
          in_.take();
          body.push_back({.kind = Statement::Kind::print, .line = line});
          body.back().value = parse_tuple(in_);
          in_.want(Kind::print_end, "'}}'");
          break;
        }
        case Kind::tag_begin: {
          in_.take();
          ended_by = in_.want_name();
          if (std::ranges::count(ends, ended_by) > 0) {
            --level_;
            return body;
          }
          statement(ended_by, line, body);
          break;
        }
        default:
          if (!ends.empty())
            in_.fail("want a tag '" + std::string(ends.back()) + "', found " + in_.seen());
          if (in_.now().kind != Kind::end) in_.fail("found " + in_.seen());
          --level_;
          return body;
      }
    }
  }

  void end_tag() { in_.want(Kind::tag_end, "'%}'"); }

  void statement(const std::string& tag, int line, Body& body) {
    Statement made{.line = line};
    if (tag == "if") {
      branches(made);
    } else if (tag == "for") {
      loop(made);
    } else if (tag == "set") {
      set(made);
    } else if (tag == "macro") {
      macro(made);
    } else if (tag == "break" || tag == "continue") {
      if (loops_ == 0) in_.fail("'" + tag + "' outside of a loop");
      made.kind = tag == "break" ? Statement::Kind::jump_out : Statement::Kind::jump_on;
      end_tag();
    } else if (tag == "generation") {
      // transformers marks the answers with it for a mask of its own; it writes nothing.
      end_tag();
      std::string ended_by;
      auto inside = statements({"endgeneration"}, ended_by);
      end_tag();
      std::ranges::move(inside, std::back_inserter(body));
      return;
    } else {
      in_.fail("the tag '" + shown(tag, 40) +
               "' is not supported here, want if, for, set, macro, break, continue or generation");
    }
    body.push_back(std::move(made));
  }

  void branches(Statement& made) {
    made.kind = Statement::Kind::branch;
    std::string tag = "if";
    while (tag == "if" || tag == "elif") {
      Statement::Branch branch;
      branch.condition = parse_tuple(in_, false);
      end_tag();
      branch.body = statements({"elif", "else", "endif"}, tag);
      made.branches.push_back(std::move(branch));
    }
    if (tag == "else") {
      end_tag();
      made.branches.push_back({nullptr, statements({"endif"}, tag)});
    }
    end_tag();
  }

  std::vector<std::string> names() {
    std::vector<std::string> all;
    const bool bracket = in_.take_sign("(");
    do {
      if (!all.empty() && (in_.word("in") || in_.sign(")") || in_.sign("="))) break;
      all.push_back(in_.want_name());
    } while (in_.take_sign(","));
    if (bracket) in_.want_sign(")");
    return all;
  }

  void loop(Statement& made) {
    made.kind = Statement::Kind::loop;
    made.targets = names();
    if (!in_.take_word("in")) in_.fail("want 'in', found " + in_.seen());
    made.value = parse_tuple(in_, false);
    if (in_.take_word("if")) made.condition = parse_expression(in_);
    if (in_.word("recursive")) in_.fail("a recursive loop is not supported");
    end_tag();
    std::string tag;
    ++loops_;
    made.body = statements({"else", "endfor"}, tag);
    --loops_;
    if (tag == "else") {
      end_tag();
      made.otherwise = statements({"endfor"}, tag);
    }
    end_tag();
  }

  void set(Statement& made) {
    made.kind = Statement::Kind::set;
    made.targets = names();
    if (made.targets.size() == 1 && in_.take_sign(".")) made.field = in_.want_name();
    if (in_.take_sign("=")) {
      made.value = parse_tuple(in_);
      return end_tag();
    }
    if (in_.sign("|")) in_.fail("a filter on a set block is not supported");
    if (made.targets.size() != 1) in_.fail("want '=', found " + in_.seen());
    made.kind = Statement::Kind::set_block;
    end_tag();
    std::string tag;
    made.body = statements({"endset"}, tag);
    end_tag();
  }

  void macro(Statement& made) {
    made.kind = Statement::Kind::macro;
    made.text = in_.want_name();
    in_.want_sign("(");
    while (!in_.take_sign(")")) {
      if (!made.parameters.empty()) in_.want_sign(",");
      made.parameters.emplace_back(in_.want_name(), nullptr);
      if (in_.take_sign("=")) {
        made.parameters.back().second = parse_expression(in_);
      } else if (made.parameters.size() > 1 && made.parameters.rbegin()[1].second) {
        in_.fail("a parameter without a default after one with a default");
      }
    }
    end_tag();
    std::string tag;
    const auto loops = std::exchange(loops_, 0);
    made.body = statements({"endmacro"}, tag);
    loops_ = loops;
    end_tag();
  }

  Reader in_;
  int level_ = 0, loops_ = 0;
};

}  // namespace

Body parse(std::string_view source, const std::string& where) {
  return Parser(source, where).run();
}

}  // namespace seawall::jinja
