// Alpaca and Dolly: an instruction with an optional text to it.
#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "seawall/dataset/formats.hpp"
#include "seawall/dataset/instruction.hpp"

namespace seawall {
namespace {

const std::string& instruction_of(const Json& record, const Place& place) {
  const auto& instruction = text_of(record, "instruction", place);
  if (blank(instruction)) throw Rejected{"an empty instruction"};
  return instruction;
}

}  // namespace

bool Alpaca::is(const Json& record, const FormatWanted& wanted) {
  return !wanted.prompts && has_keys(record, {"instruction", "output"});
}

Dialogue Alpaca::read(const Json& record, const Reading& reading) {
  const auto& instruction = instruction_of(record, reading.place);
  return alpaca_dialogue(instruction, optional_text(record, "input", reading.place),
                         text_of(record, "output", reading.place));
}

Dialogue Alpaca::ask(const Json& record, const Reading& reading) {
  return Prompts::ask(lower_keys(record), reading);
}

bool Dolly::is(const Json& record, const FormatWanted& wanted) {
  return !wanted.prompts && has_keys(record, {"instruction", "response"});
}

Dialogue Dolly::read(const Json& record, const Reading& reading) {
  const auto& instruction = instruction_of(record, reading.place);
  return dolly_dialogue(instruction, optional_text(record, "context", reading.place),
                        text_of(record, "response", reading.place));
}

Dialogue Dolly::ask(const Json& record, const Reading& reading) {
  return Prompts::ask(lower_keys(record), reading);
}

}  // namespace seawall
