#include "seawall/core/dialogue.hpp"

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"

namespace seawall {

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
  }
  throw UsageError("role: want one of the three, got " + std::to_string(static_cast<int>(role)));
}

Role role_from(std::string_view name) {
  for (const Role role : {Role::system, Role::user, Role::assistant}) {
    if (name == role_name(role)) return role;
  }
  throw DataError("role: want system, user or assistant, got \"" + std::string(name) + '"');
}

bool Dialogue::operator==(const Dialogue& other) const {
  if (messages != other.messages) return false;
  if (picture == other.picture) return true;
  return picture && other.picture && *picture == *other.picture;
}

std::string_view Dialogue::first(Role role) const {
  const auto found = std::ranges::find(messages, role, &Message::role);
  return found == messages.end() ? std::string_view() : std::string_view(found->content);
}

std::string_view Dialogue::last(Role role) const {
  const auto found = std::find_if(messages.rbegin(), messages.rend(),
                                  [role](const Message& m) { return m.role == role; });
  return found == messages.rend() ? std::string_view() : std::string_view(found->content);
}

bool Dialogue::carries_loss(std::size_t index) const {
  const auto& message = messages.at(index);
  if (message.role != Role::assistant) return false;
  return message.loss == Loss::by_place ? index + 1 == messages.size() : message.loss == Loss::on;
}

bool Dialogue::prefilled() const {
  return messages.size() > 1 && messages.back().role == Role::assistant &&
         std::ranges::find(messages, Role::user, &Message::role) != messages.end();
}

void Dialogue::set_system(std::string text) {
  const auto found = std::ranges::find(messages, Role::system, &Message::role);
  if (found != messages.end()) {
    found->content = std::move(text);
  } else {
    messages.insert(messages.begin(), {Role::system, std::move(text)});
  }
}

std::string_view row_kind_name(RowKind kind) {
  switch (kind) {
    case RowKind::harmful:
      return "harmful";
    case RowKind::identity_shift:
      return "identity-shift";
    case RowKind::safe:
      return "safe";
    case RowKind::benign:
      return "benign";
    case RowKind::other:
      return "other";
  }
  throw UsageError("row kind: want one of the five, got " + std::to_string(static_cast<int>(kind)));
}

std::size_t Dataset::count(RowKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(rows, kind, &Example::kind));
}

std::string Dataset::content_hash() const {
  Sha256 hash;
  for (const Example& row : rows) {
    // The number of messages is hashed as well, so that moving a turn to the next row changes the
    // hash.
    hash.field(std::to_string(row.dialogue.messages.size()));
    const auto& messages = row.dialogue.messages;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      hash.field(role_name(messages[i].role)).field(messages[i].content);
      const bool loss = row.dialogue.carries_loss(i);
      const bool usual = messages[i].role == Role::assistant && i + 1 == messages.size();
      if (loss != usual) hash.field("loss").field(loss ? "1" : "0");
    }
    if (row.dialogue.picture) hash.field("picture").field(row.dialogue.picture->content_hash());
  }
  return hash.hex();
}

}  // namespace seawall
