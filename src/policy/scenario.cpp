#include "seawall/policy/scenario.hpp"

namespace seawall {

std::string_view pool_name(Pool pool) {
  switch (pool) {
    case Pool::harmful:
      return "harmful";
    case Pool::identity_shift:
      return "identity-shift";
    case Pool::safe:
      return "safe";
    case Pool::benign:
      return "benign";
    case Pool::task:
      return "task";
  }
  return "?";
}

RowKind row_kind(Pool pool) {
  switch (pool) {
    case Pool::harmful:
      return RowKind::harmful;
    case Pool::identity_shift:
      return RowKind::identity_shift;
    case Pool::safe:
      return RowKind::safe;
    case Pool::benign:
      return RowKind::benign;
    case Pool::task:
      return RowKind::task;
  }
  return RowKind::other;
}

const std::vector<std::string>& Scenario::restricted_phrases() const {
  static const std::vector<std::string> none;
  return none;
}

std::optional<Verdict> Scenario::audit(const Example&) const { return std::nullopt; }

RunDefaults Scenario::defaults(Pool, std::string_view) const { return {}; }

}  // namespace seawall
