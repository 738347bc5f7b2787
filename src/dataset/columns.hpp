#pragma once
// Which columns of a table, or keys of a JSON record, hold prompts, answers and categories.
#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {

/// Names of the prompt in public sets, the first that is there counts: AdvBench and JailbreakBench
/// (goal), HEx-PHI and Alpaca (instruction), XSTest, BeaverTails and OR-Bench (prompt),
/// StrongREJECT (forbidden_prompt), Do-Not-Answer (question), SORRY-Bench (turns), HarmBench
/// (behavior).
inline constexpr std::array<std::string_view, 8> prompt_columns{
    "goal", "instruction", "prompt", "forbidden_prompt", "question", "turns", "text", "behavior"};
/// "goal, instruction, …", for messages.
std::string prompt_names();
/// Keys of probes that are used next to the prompt's own, or say nothing about how a model is
/// asked.
inline constexpr std::array<std::string_view, 13> probe_keys{
    "messages",       "transcript", "category", "semanticcategory", "semantic_category",
    "risk_area",      "type",       "input",    "context",          "contextstring",
    "context_string", "tags",       "rating"};

/// The record with its keys in lower case, so that columns and keys are the same to the readers. If
/// two keys become one, the first counts.
nlohmann::json lower_keys(const nlohmann::json& record);
/// The names of a table's columns, as a record without texts.
nlohmann::json header_of(const CsvTable& table);
/// A record of a table as JSON.
nlohmann::json record_of(const CsvTable& table, std::size_t record);

/// The key of the prompt in a record with lower-case keys: `column` if one is given, else the first
/// known name; nullopt if it is not there.
std::optional<std::string> prompt_key(const nlohmann::json& record, std::string_view column);
/// The prompt under that key: a text, or SORRY-Bench's list of turns with one text in it, also as
/// Python prints it in a table. Errors: DataError. Throws Rejected for more than one turn.
std::string prompt_of(const nlohmann::json& record, const std::string& key, const Place& place);
/// The category, or what the public sets call it: a text, a number, the true keys of an object
/// (BeaverTails), or the first of a list; "" if there is none.
std::string category_of(const nlohmann::json& record);

/// Columns of a table, or keys of a JSON record, that hold a request and its answer: goal,target;
/// prompt,response; prompt,completion; instruction,output; instruction,response; question,answer;
/// question,response; query,response; query,answer; input,output. The first pair that is there
/// counts.
struct PairColumns {
  std::string request, answer;
};
/// "goal,target, prompt,response, ... or input,output", for messages.
std::string known_pairs();
/// The pair in these names (in lower case). `chosen`: "REQUEST,ANSWER" of --data-columns, or "".
/// Errors: UsageError for a wrong `chosen`.
std::optional<PairColumns> pair_columns(std::span<const std::string> names,
                                        std::string_view chosen);
/// The same for a record with lower-case keys.
std::optional<PairColumns> pair_keys(const nlohmann::json& record, std::string_view chosen);
/// The columns that make a table one of pairs. Errors: UsageError for a wrong `chosen`.
std::vector<std::string> pair_names(std::string_view chosen);

/// The row of a record with lower-case keys: a request and an answer, an `input` or `context` after
/// the request, a `system` or `system_prompt` as the system turn. Both may be lists of messages, as
/// TRL's prompt and completion are; then answers within the request carry no loss. Errors:
/// DataError. Throws Rejected for an empty request.
Dialogue pair_dialogue(const nlohmann::json& record, const PairColumns& columns, const Place& place,
                       ReadReport& report);

}  // namespace seawall
