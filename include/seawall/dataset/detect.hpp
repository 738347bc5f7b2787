#pragma once
// Which of the supported formats a data file is in.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "seawall/dataset/json_records.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {

enum class RecordShape { messages, dialogue, alpaca, dolly, llava, transcript, pair, prompt };

struct FormatFound {
  std::string name;
  RecordShape shape = RecordShape::prompt;
  bool json = false;  // else a table or one prompt per line
  JsonLayout layout = JsonLayout::array;
};

/// What is looked for: prompts or rows, and the columns that the user names (--probes-column NAME,
/// --data-columns REQUEST,ANSWER; "" without).
struct FormatWanted {
  bool prompts = false;
  std::string columns{}, option{};  // option: of the file, e.g. "probes"
};

/// Names: dialogues-json, dialogues-jsonl, chat-json, chat-jsonl, alpaca-json, alpaca-jsonl,
/// dolly-json, dolly-jsonl, llava-json, llava-jsonl, red-team-json, red-team-jsonl; for rows also
/// pairs-json, pairs-jsonl and pairs-csv (prompt,completion and others), for prompts prompts-json,
/// prompts-jsonl, prompts-csv, prompts-lines. `format` "" looks at the content. Errors: UsageError
/// listing the names; DataError where the content is none of them, or is a table without a known
/// column, which it names.
FormatFound detect_format(const SourceFile& file, std::string_view format,
                          const FormatWanted& wanted);

const nlohmann::json& messages_of(const nlohmann::json& record, const Place& place);

}  // namespace seawall
