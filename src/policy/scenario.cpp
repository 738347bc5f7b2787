#include "seawall/policy/scenario.hpp"

#include "seawall/core/error.hpp"

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
  }
  return RowKind::other;
}

const std::vector<std::string>& Scenario::restricted_phrases() const {
  static const std::vector<std::string> none;
  return none;
}

std::optional<Verdict> Scenario::audit(const Example&) const { return std::nullopt; }

std::vector<double> Scenario::row_losses(const Dataset& rows) const {
  if (!losses_)
    throw UsageError("scenario `" + std::string(name()) +
                     "`: no model is there to compute the losses of rows; call lend() first");
  return losses_(rows);
}

std::vector<Moderated> Scenario::moderate(const Dataset& rows) const {
  if (!moderation_)
    throw UsageError("scenario `" + std::string(name()) +
                     "`: no moderation service is there to ask; call lend() first");
  auto out = moderation_(rows);
  if (out.size() != rows.size())
    throw RunError("moderation: want a word on each of " + std::to_string(rows.size()) +
                   " rows, got " + std::to_string(out.size()));
  return out;
}

}  // namespace seawall
