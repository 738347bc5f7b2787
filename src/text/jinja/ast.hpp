#pragma once
// A parsed chat template.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.hpp"

namespace seawall::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  enum class Kind {
    constant,
    name,
    list,
    tuple,
    dict,       // args: key, value, key, value ...
    attribute,  // args[0].name
    item,       // args[0][args[1]]
    slice,      // args[0][args[1]:args[2]:args[3]], each of the last three may be missing
    call,       // args[0](args[1..], named)
    filter,     // args[0] | name(args[1..], named)
    test,       // args[0] is name(args[1..])
    negative,
    positive,
    logical_not,
    logical_and,
    logical_or,
    binary,   // args[0] name args[1], name one of + - * / // % **
    concat,   // args[0] ~ args[1]
    compare,  // args[0] ops[0] args[1] ops[1] args[2] ...
    ternary   // args[0] if args[1] else args[2], which may be missing
  };
  Kind kind = Kind::constant;
  int line = 0;
  int depth = 1;  // levels of expressions below and with this one
  std::string name;
  Value constant;
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> named;
  std::vector<std::string> ops;
};

struct Statement;
using Body = std::vector<Statement>;

struct Statement {
  enum class Kind { text, print, branch, loop, set, set_block, macro, jump_out, jump_on };
  struct Branch {
    ExprPtr condition;  // none: else
    Body body;
  };
  Kind kind = Kind::text;
  int line = 0;
  std::string text;   // the text; a macro's name
  ExprPtr value;      // printed, looped over, set
  ExprPtr condition;  // of a loop
  /// What a loop or a set gives a value to: names, or one `name.field`.
  std::vector<std::string> targets;
  std::string field;
  std::vector<Branch> branches;
  Body body, otherwise;                                     // of a loop, a macro, a set block
  std::vector<std::pair<std::string, ExprPtr>> parameters;  // of a macro, with defaults
};

/// Errors: DataError naming `where`, the line, and what is not supported or is wrong.
Body parse(std::string_view source, const std::string& where);

}  // namespace seawall::jinja
