#include "seawall/dataset/detect.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/dataset/csv.hpp"

namespace seawall {
namespace {

using nlohmann::json;

struct Known {
  std::string_view name;
  RecordShape shape;
  bool json, lines;
};
constexpr std::array<Known, 16> formats{{{"dialogues-json", RecordShape::dialogue, true, false},
                                         {"chat-json", RecordShape::messages, true, false},
                                         {"chat-jsonl", RecordShape::messages, true, true},
                                         {"alpaca-json", RecordShape::alpaca, true, false},
                                         {"alpaca-jsonl", RecordShape::alpaca, true, true},
                                         {"dolly-json", RecordShape::dolly, true, false},
                                         {"dolly-jsonl", RecordShape::dolly, true, true},
                                         {"llava-json", RecordShape::llava, true, false},
                                         {"llava-jsonl", RecordShape::llava, true, true},
                                         {"red-team-json", RecordShape::transcript, true, false},
                                         {"red-team-jsonl", RecordShape::transcript, true, true},
                                         {"pairs-csv", RecordShape::pair, false, false},
                                         {"prompts-json", RecordShape::prompt, true, false},
                                         {"prompts-jsonl", RecordShape::prompt, true, true},
                                         {"prompts-csv", RecordShape::prompt, false, false},
                                         {"prompts-lines", RecordShape::prompt, false, false}}};

FormatFound found(std::string_view name) {
  const auto known = std::ranges::find(formats, name, &Known::name);
  return {std::string(name), known->shape, known->json, known->lines};
}

RecordShape shape_of(const json& record, bool prompts) {
  if (record.is_array()) return RecordShape::dialogue;
  if (record.contains("messages")) return RecordShape::messages;
  if (record.contains("transcript")) return RecordShape::transcript;
  if (!prompts && record.contains("conversations")) return RecordShape::llava;
  if (!prompts && record.contains("instruction") && record.contains("output"))
    return RecordShape::alpaca;
  if (!prompts && record.contains("instruction") && record.contains("response"))
    return RecordShape::dolly;
  return RecordShape::prompt;
}

FormatFound of_record(const SourceFile& file, const json& first, bool lines, bool prompts) {
  if (!first.is_array() && !first.is_object() && !(prompts && first.is_string())) {
    throw DataError(file.path.string() + ": the first record is " + first.type_name() +
                    ", want an object or an array of messages");
  }
  const auto shape = shape_of(first, prompts);
  const bool usable = shape != RecordShape::prompt ||
                      (prompts && (first.is_string() || prompt_key(first) != nullptr));
  for (const auto& known : formats) {
    if (usable && known.json && known.shape == shape && known.lines == lines)
      return found(known.name);
  }
  throw DataError(file.path.string() + ": the first record has none of the known keys; want " +
                  (prompts
                       ? "messages, transcript, goal, instruction, prompt or text"
                       : "messages, transcript, instruction with output (Alpaca), instruction with "
                         "response (Dolly), or conversations (LLaVA)"));
}

}  // namespace

const char* prompt_key(const json& record) {
  for (const auto* key : {"goal", "instruction", "prompt", "text"}) {
    if (record.is_object() && record.contains(key)) return key;
  }
  return nullptr;
}

const json& messages_of(const json& record, const Place& place) {
  if (!record.is_object() || !record.contains("messages"))
    place.fail("key 'messages' is missing, want an array");
  return record["messages"];
}

FormatFound detect_format(const SourceFile& file, std::string_view format, bool prompts) {
  if (!format.empty()) {
    std::string names;
    for (const auto& known : formats) {
      if (prompts ? known.shape == RecordShape::pair : known.shape == RecordShape::prompt) continue;
      if (known.name == format) return found(format);
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    throw UsageError("data format '" + std::string(format) +
                     "' is not known, want one of: " + names);
  }
  const std::string_view text = file.text;
  const auto start = text.find_first_not_of(" \t\r\n");
  // A prompt in a text file may begin with a bracket.
  const auto extension = file.path.extension();
  const bool plain = prompts && (extension == ".csv" || extension == ".txt");
  const char first = plain ? ' ' : text[start];
  if (first == '[') {
    const auto document = parse_json(text, file.path.string());
    if (!document.is_array() || document.empty())
      throw DataError(file.path.string() + ": the set is empty");
    return of_record(file, document[0], false, prompts);
  }
  if (first == '{') {
    const auto end = std::min(text.find('\n', start), text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(start), '\n');
    return of_record(file,
                     parse_json(text.substr(start, end - start),
                                file.path.string() + ": line " + std::to_string(line)),
                     true, prompts);
  }
  if (!prompts) {
    if (pair_columns(file)) return found("pairs-csv");
    throw DataError(file.path.string() +
                    ": want JSON (an array), JSONL (an object a line) or CSV with goal,target, "
                    "found other text");
  }
  return found(prompt_column(file) ? "prompts-csv" : "prompts-lines");
}

}  // namespace seawall
