#include <array>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

// Qi et al. 2023, code: llama2/ft_datasets/alpaca_dataset and dolly_dataset.
constexpr std::string_view task = "Below is an instruction that describes a task";
constexpr std::string_view with_input = ", paired with an input that provides further context";
constexpr std::string_view respond = ". Write a response that appropriately completes the request.";

Dialogue instruction_dialogue(const std::string& system, const std::string& instruction,
                              const std::string& middle, const std::string& answer) {
  if (blank(instruction)) throw Rejected{"an empty instruction"};
  const auto user = "### Instruction:\n" + instruction + middle + "\n\n### Response:\n";
  return {{{Role::system, system}, {Role::user, user}, {Role::assistant, answer}}};
}

Dialogue alpaca(const json& record, const Place& place) {
  const auto& instruction = text_of(record, "instruction", place);
  const auto input = optional_text(record, "input", place);
  const auto system =
      std::string(task) + (input.empty() ? "" : std::string(with_input)) + std::string(respond);
  return instruction_dialogue(system, instruction, input.empty() ? "" : "\n\n### Input:\n" + input,
                              text_of(record, "output", place));
}

/// The authors' Dolly prompt keeps the shorter system text and writes "Input:" without ###.
Dialogue dolly(const json& record, const Place& place) {
  const auto& instruction = text_of(record, "instruction", place);
  const auto context = optional_text(record, "context", place);
  return instruction_dialogue(std::string(task) + std::string(respond), instruction,
                              context.empty() ? "" : "\n\nInput:\n" + context,
                              text_of(record, "response", place));
}

Dialogue row_dialogue(RecordShape shape, const json& record, const Place& place) {
  switch (shape) {
    case RecordShape::messages:
      return dialogue_of(messages_of(record, place), place);
    case RecordShape::dialogue:
      return dialogue_of(record, place);
    case RecordShape::alpaca:
      return alpaca(record, place);
    case RecordShape::dolly:
      return dolly(record, place);
    case RecordShape::transcript:
      return dialogue_of_transcript(text_of(record, "transcript", place));
    case RecordShape::prompt:
      break;
  }
  place.fail("a prompt without an answer; want training rows with an assistant turn");
}

}  // namespace

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format) {
  const auto file = SourceFile::read(path);
  const auto found = detect_format(file, format, false);
  RowsFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  out.dataset.name = file.stem();
  for_each_json(file, found.lines, out.report,
                [&](const json& record, std::size_t number, const Place& place) {
                  auto dialogue = row_dialogue(found.shape, record, place);
                  if (dialogue.messages.back().role != Role::assistant)
                    throw Rejected{"the last turn is not the assistant's"};
                  if (blank(dialogue.messages.back().content)) throw Rejected{"an empty answer"};
                  std::string category;
                  if (record.is_object()) category = optional_text(record, "category", place);
                  out.dataset.rows.push_back({.id = out.dataset.name + "/" + std::to_string(number),
                                              .dialogue = std::move(dialogue),
                                              .kind = kind,
                                              .category = std::move(category)});
                });
  check_not_empty(file, out.report, out.dataset.size());
  return out;
}

}  // namespace seawall
