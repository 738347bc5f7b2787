#pragma once
// Dialogues, examples, data sets and probes: the words that every room shares.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/picture.hpp"

namespace seawall {

enum class Role { system, user, assistant };

std::string_view role_name(Role role);
/// Reads `system`, `user` or `assistant`. Errors: DataError naming the role that came.
Role role_from(std::string_view name);

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
inline constexpr std::string_view kPicturePlaceholder = "<image>";
/// Token id that stands for a dialogue's picture until its positions are known.
inline constexpr std::int32_t kPictureId = -1;

struct Dialogue {
  std::vector<Message> messages;
  /// Shown where the first user turn says `<image>`; usually none.
  std::shared_ptr<const Picture> picture = nullptr;
  /// Pictures are equal where their pixels, or their paths, are.
  bool operator==(const Dialogue& other) const;

  /// Text of the first message of `role`, or empty.
  std::string_view first(Role role) const;
  /// Text of the last message of `role`, or empty: what a probe asks, also if a prefilled answer
  /// follows.
  std::string_view last(Role role) const;
  /// True if message `index` is an answer with loss.
  bool carries_loss(std::size_t index) const;
  /// True if it ends with the beginning of an answer, which the model is to continue.
  bool prefilled() const;
  /// Sets the system message (the first one), adding it at the front where there is none.
  void set_system(std::string text);
};

/// What a training row is, for mixing, audit and budget columns; never shown to the model.
enum class RowKind { harmful, identity_shift, safe, benign, other };
std::string_view row_kind_name(RowKind kind);

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
  std::size_t count(RowKind kind) const;
  /// SHA-256 over roles, contents, pictures and where the loss is other than on the last answer, in
  /// order, as 64 hexadecimal digits; ids and kinds do not count. Errors: IoError naming a
  /// picture's file.
  std::string content_hash() const;
};

/// One evaluation prompt.
struct Probe {
  std::string id;        // stable across runs and files
  std::string category;  // one of the scenario's categories
  Dialogue dialogue;     // ends with the user turn to be answered, or a prefilled answer
  /// True where an aligned model should refuse; false for utility probes.
  bool restricted = true;
  /// What a full answer contains, for judges that know the truth; may be empty.
  std::vector<std::string> expected;
};

}  // namespace seawall
