#include <algorithm>
#include <array>
#include <memory>
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

/// LLaVA-Instruct: conversations of {from: human|gpt, value}, and an image that one human turn
/// shows; as in LLaVA's own preprocessing its mark goes to the front of that turn, which has to be
/// the first. The last answer alone carries loss, as everywhere here.
Dialogue llava(const json& record, const Place& place, const std::filesystem::path& images) {
  const auto found = record.find("conversations");
  if (found == record.end() || !found->is_array())
    place.fail("key 'conversations': want an array of {from, value}");
  json messages = json::array();
  for (std::size_t i = 0; i < found->size(); ++i) {
    const Place turn{place.file, place.record + ", turn " + std::to_string(i + 1)};
    const auto& from = text_of((*found)[i], "from", turn);
    const char* role = from == "human" ? "user" : from == "gpt" ? "assistant" : "system";
    if (from != "human" && from != "gpt" && from != "system")
      turn.fail("from '" + shown(from, 40) + "', want human or gpt");
    messages.push_back({{"role", role}, {"content", text_of((*found)[i], "value", turn)}});
  }
  Dialogue dialogue = dialogue_of(messages, place);
  const auto name = optional_text(record, "image", place);
  if (name.empty()) return dialogue;
  if (images.empty())
    throw UsageError(place.file + ": " + place.record +
                     ": names a picture; give the folder they lie in with --images");
  const std::filesystem::path relative(name);
  if (relative.is_absolute() || std::ranges::find(relative, "..") != relative.end())
    throw Rejected{"image '" + shown(name) + "': want a path within the folder of images"};
  if (!std::filesystem::is_regular_file(images / relative))
    throw Rejected{"image '" + shown(name) + "' is not in " + images.string()};
  const auto user = std::ranges::find(dialogue.messages, Role::user, &Message::role);
  const auto at = user->content.find(kPicturePlaceholder);
  if (at == std::string::npos) throw Rejected{"an image, but no <image> in the first human turn"};
  user->content.erase(at, kPicturePlaceholder.size());
  const auto begin = std::min(user->content.find_first_not_of(" \n"), user->content.size());
  user->content.erase(0, begin).erase(user->content.find_last_not_of(" \n") + 1);
  if (user->content.find(kPicturePlaceholder) != std::string::npos)
    throw Rejected{"more than one <image> in a turn"};
  user->content.insert(0, std::string(kPicturePlaceholder) + "\n");
  dialogue.picture = std::make_shared<Picture>(images / relative);
  return dialogue;
}

Dialogue row_dialogue(RecordShape shape, const json& record, const Place& place,
                      const std::filesystem::path& images) {
  switch (shape) {
    case RecordShape::messages:
      return dialogue_of(messages_of(record, place), place);
    case RecordShape::dialogue:
      return dialogue_of(record, place);
    case RecordShape::alpaca:
      return alpaca(record, place);
    case RecordShape::dolly:
      return dolly(record, place);
    case RecordShape::llava:
      return llava(record, place, images);
    case RecordShape::transcript:
      return dialogue_of_transcript(text_of(record, "transcript", place));
    case RecordShape::prompt:
      break;
  }
  place.fail("a prompt without an answer; want training rows with an assistant turn");
}

}  // namespace

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images) {
  const auto file = SourceFile::read(path);
  const auto found = detect_format(file, format, false);
  RowsFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  out.dataset.name = file.stem();
  for_each_json(file, found.lines, out.report,
                [&](const json& record, std::size_t number, const Place& place) {
                  auto dialogue = row_dialogue(found.shape, record, place, images);
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
