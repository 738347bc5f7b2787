#include "seawall/cli/chat_rows.hpp"

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/remote/chat.hpp"

namespace seawall {

std::string chat_jsonl(const Dataset& rows) {
  std::string out;
  for (const auto& row : rows.rows) {
    if (row.dialogue.picture != nullptr)
      throw DataError("row " + row.id + ": has a picture; chat JSONL is text alone");
    if (row.dialogue.messages.empty() || row.dialogue.messages.back().role != Role::assistant)
      throw DataError("row " + row.id + ": want the assistant's turn at its end");
    out += json_text({{"messages", messages_json(row.dialogue)}}) + '\n';
  }
  return out;
}

void write_chat_jsonl(const std::filesystem::path& path, const Dataset& rows) {
  write_file_atomically(path, chat_jsonl(rows));
  const RowsFile back = read_rows(path, RowKind::other, "chat-jsonl");
  if (back.report.rejected > 0)
    throw DataError(path.string() + ": " + back.report.first_rejection +
                    "; a row of that kind cannot be uploaded");
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i >= back.dataset.size() || !(back.dataset.rows[i].dialogue == rows.rows[i].dialogue))
      throw DataError("row " + rows.rows[i].id +
                      ": does not come back from chat JSONL as it was (invalid UTF-8?); mend it");
}

}  // namespace seawall
