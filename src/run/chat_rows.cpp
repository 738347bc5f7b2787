#include "seawall/run/chat_rows.hpp"

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/remote/chat.hpp"

namespace seawall {

namespace {

/// The messages with weights that make a provider, who trains on every answer of weight 1 or none,
/// train on the answers that carry loss here; a single answer with loss needs none.
nlohmann::json weighted_messages(const Dialogue& dialogue) {
  auto messages = messages_json(dialogue);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (dialogue.messages[i].role != Role::assistant) continue;
    const bool loss = dialogue.carries_loss(i);
    if (!loss || i + 1 < messages.size()) messages[i]["weight"] = loss ? 1 : 0;
  }
  return messages;
}

}  // namespace

std::string chat_jsonl(const Dataset& rows) {
  std::string out;
  for (const auto& row : rows.rows) {
    if (row.dialogue.picture != nullptr)
      throw DataError("row " + row.id + ": has a picture; chat JSONL is text alone");
    if (row.dialogue.messages.empty() || row.dialogue.messages.back().role != Role::assistant)
      throw DataError("row " + row.id + ": want the assistant's turn at its end");
    out += json_text({{"messages", weighted_messages(row.dialogue)}}) + '\n';
  }
  return out;
}

void write_chat_jsonl(const std::filesystem::path& path, const Dataset& rows) {
  write_file_atomically(path, chat_jsonl(rows));
  const RowsFile back = read_rows(path, RowKind::other, "chat-jsonl");
  if (back.report.rejected + back.report.no_loss > 0)
    throw DataError(path.string() + ": " +
                    (back.report.rejected > 0 ? back.report.first_rejection
                                              : "a row in which no answer carries loss") +
                    "; a row of that kind cannot be uploaded");
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i >= back.dataset.size() || !(back.dataset.rows[i].dialogue == rows.rows[i].dialogue))
      throw DataError("row " + rows.rows[i].id +
                      ": does not come back from chat JSONL as it was (invalid UTF-8?); mend it");
}

}  // namespace seawall
