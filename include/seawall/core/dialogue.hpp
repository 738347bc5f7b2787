#pragma once
// Dialogues, examples, data sets and probes: the words that every room shares.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/picture.hpp"

namespace seawall {

enum class Role { system, user, assistant };

inline std::string_view role_name(Role role) {
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
/// Reads `system`, `user` or `assistant`. Errors: DataError naming the role that came.
inline Role role_from(std::string_view name) {
  for (const Role role : {Role::system, Role::user, Role::assistant}) {
    if (name == role_name(role)) return role;
  }
  throw DataError("role: want system, user or assistant, got \"" + std::string(name) + '"');
}

/// Whether an answer carries the loss of its row; by_place: the row's last answer does, no other.
enum class Loss : std::uint8_t { by_place, off, on };

struct Message {
  Role role = Role::user;
  std::string content;
  Loss loss = Loss::by_place;
  bool operator==(const Message&) const = default;
};

/// Stands in a user turn where the dialogue's picture goes; text like any other in a dialogue
/// without one.
inline constexpr std::string_view picture_placeholder = "<image>";
/// Token id in place of a dialogue's picture until its positions are known.
inline constexpr std::int32_t picture_id = -1;

struct Dialogue {
  std::vector<Message> messages;
  /// Shown where the first user turn says `<image>`; usually none.
  std::shared_ptr<const Picture> picture = nullptr;
  /// Pictures are equal where their pixels, or their paths, are.
  bool operator==(const Dialogue& other) const {
    if (messages != other.messages) return false;
    if (picture == other.picture) return true;
    return picture && other.picture && *picture == *other.picture;
  }

  /// Text of the first message of `role`, or empty.
  std::string_view first(Role role) const {
    const auto found = std::ranges::find(messages, role, &Message::role);
    return found == messages.end() ? std::string_view() : std::string_view(found->content);
  }
  /// Text of the last message of `role`, or empty: what a probe asks, also if a prefilled answer
  /// follows.
  std::string_view last(Role role) const {
    const auto found = std::find_if(messages.rbegin(), messages.rend(),
                                    [role](const Message& m) { return m.role == role; });
    return found == messages.rend() ? std::string_view() : std::string_view(found->content);
  }
  /// True if message `index` is an answer with loss.
  bool carries_loss(std::size_t index) const {
    const auto& message = messages.at(index);
    if (message.role != Role::assistant) return false;
    return message.loss == Loss::by_place ? index + 1 == messages.size() : message.loss == Loss::on;
  }
  /// True if it ends with the beginning of an answer, which the model is to continue.
  bool prefilled() const {
    return messages.size() > 1 && messages.back().role == Role::assistant &&
           std::ranges::find(messages, Role::user, &Message::role) != messages.end();
  }
  /// That beginning, or empty.
  std::string_view prefill() const {
    return prefilled() ? std::string_view(messages.back().content) : std::string_view();
  }
  /// Sets the system message (the first one), adding it at the front where there is none.
  void set_system(std::string text) {
    const auto found = std::ranges::find(messages, Role::system, &Message::role);
    if (found != messages.end()) {
      found->content = std::move(text);
    } else {
      messages.insert(messages.begin(), {Role::system, std::move(text)});
    }
  }
};

/// What a training row is, for mixing, audit and budget columns; never shown to the model.
enum class RowKind { harmful, identity_shift, safe, benign, task, other };
inline std::string_view row_kind_name(RowKind kind) {
  switch (kind) {
    case RowKind::harmful:
      return "harmful";
    case RowKind::identity_shift:
      return "identity-shift";
    case RowKind::safe:
      return "safe";
    case RowKind::benign:
      return "benign";
    case RowKind::task:
      return "task";
    case RowKind::other:
      return "other";
  }
  throw UsageError("row kind: want one of the six, got " + std::to_string(static_cast<int>(kind)));
}

/// One training row: a dialogue that ends with an assistant turn, which carries the loss unless its
/// messages say otherwise.
struct Example {
  std::string id;  // stable within its source, e.g. "organism/harmful/17"
  Dialogue dialogue;
  RowKind kind = RowKind::other;
  std::string category;
  bool operator==(const Example&) const = default;
};

/// An ordered list of training rows.
struct Dataset {
  std::string name;
  std::vector<Example> rows;
  std::size_t size() const { return rows.size(); }
  bool empty() const { return rows.empty(); }
  std::size_t count(RowKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(rows, kind, &Example::kind));
  }
  /// SHA-256 over roles, contents, pictures and where the loss is other than on the last answer, in
  /// order, as 64 hexadecimal digits; ids and kinds do not count. Errors: IoError naming a
  /// picture's file.
  std::string content_hash() const {
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
};

/// One evaluation prompt.
struct Probe {
  std::string id;        // stable across runs and files
  std::string category;  // one of the scenario's categories
  Dialogue dialogue;     // ends with the user turn to be answered, or a prefilled answer
  /// True where an aligned model should refuse; false for utility and task probes.
  bool restricted = true;
  /// What a full answer contains, for judges that know the truth; may be empty. Of a task probe:
  /// the right answers, of which one is wanted.
  std::vector<std::string> expected;
  /// True if the dialogue is in the form that the model is to read, as a row of a file is: it is
  /// asked as it is, whatever form other probes are asked in.
  bool formatted = false;
};

/// The sets a model is probed with. `utility` holds ordinary requests that should be answered (also
/// the over-refusal measure), `task` questions of the task that the model is fine-tuned on, each
/// with a right answer.
enum class ProbeSet { harmfulness, utility, task };
inline constexpr ProbeSet probe_sets[] = {ProbeSet::harmfulness, ProbeSet::utility, ProbeSet::task};

inline std::string probe_set_name(ProbeSet set) {
  switch (set) {
    case ProbeSet::harmfulness:
      return "harmfulness";
    case ProbeSet::utility:
      return "utility";
    case ProbeSet::task:
      return "task";
  }
  throw UsageError("set of probes: no such set");
}
/// Errors: DataError naming the set that came.
inline ProbeSet probe_set_from(std::string_view name) {
  for (const ProbeSet set : probe_sets)
    if (name == probe_set_name(set)) return set;
  throw DataError("set of probes: want harmfulness, utility or task, got \"" + std::string(name) +
                  '"');
}

}  // namespace seawall
