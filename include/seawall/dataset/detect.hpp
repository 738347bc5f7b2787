#pragma once
// Which of the supported formats a data file is in.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "seawall/dataset/source.hpp"

namespace seawall {

enum class RecordShape { messages, dialogue, alpaca, dolly, llava, transcript, pair, prompt };

struct FormatFound {
  std::string name;
  RecordShape shape = RecordShape::prompt;
  bool json = false, lines = false;  // neither: CSV or one prompt a line
};

/// Names: dialogues-json, chat-json, chat-jsonl, alpaca-json, alpaca-jsonl, dolly-json,
/// dolly-jsonl, llava-json, llava-jsonl,
/// red-team-json, red-team-jsonl; for rows also pairs-csv (goal,target), for prompts prompts-json,
/// prompts-jsonl, prompts-csv, prompts-lines. `format`
/// "" looks at the content. Errors: UsageError listing the names; DataError where the content is
/// none of them.
FormatFound detect_format(const SourceFile& file, std::string_view format, bool prompts);

/// The key of a prompt in a record: goal, instruction, prompt or text; nullptr where none is there.
const char* prompt_key(const nlohmann::json& record);
const nlohmann::json& messages_of(const nlohmann::json& record, const Place& place);

}  // namespace seawall
