#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

Dialogue alpaca(const json& record, const Place& place) {
  const auto& instruction = text_of(record, "instruction", place);
  if (blank(instruction)) throw Rejected{"an empty instruction"};
  return alpaca_dialogue(instruction, optional_text(record, "input", place),
                         text_of(record, "output", place));
}

Dialogue dolly(const json& record, const Place& place) {
  const auto& instruction = text_of(record, "instruction", place);
  if (blank(instruction)) throw Rejected{"an empty instruction"};
  return dolly_dialogue(instruction, optional_text(record, "context", place),
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
    case RecordShape::pair:  // CSV alone: add_pairs
    case RecordShape::prompt:
      break;
  }
  place.fail("a prompt without an answer; want training rows with an assistant turn");
}

/// What the record says of itself: its `category`, or the first of the red-team set's `tags`.
std::string category_of(const json& record, const Place& place) {
  if (!record.is_object()) return "";
  auto category = optional_text(record, "category", place);
  if (!category.empty()) return category;
  const auto tags = record.find("tags");
  if (tags == record.end() || !tags->is_array() || tags->empty() || !tags->front().is_string())
    return "";
  return tags->front().get<std::string>();
}

bool rated_at_least(const json& record, double rating) {
  if (rating <= 0 || !record.is_object()) return true;
  const auto found = record.find("rating");
  return found != record.end() && found->is_number() && found->get<double>() >= rating;
}

/// Takes rows in and counts those that cannot be used.
class RowList {
 public:
  RowList(RowsFile& out, RowKind kind) : out_(out), kind_(kind) {}
  void add(Dialogue dialogue, std::size_t number, std::string category) {
    if (dialogue.messages.back().role != Role::assistant)
      throw Rejected{"the last turn is not the assistant's"};
    if (blank(dialogue.messages.back().content)) throw Rejected{"an empty answer"};
    out_.dataset.rows.push_back({.id = out_.dataset.name + "/" + std::to_string(number),
                                 .dialogue = std::move(dialogue),
                                 .kind = kind_,
                                 .category = std::move(category)});
  }

 private:
  RowsFile& out_;
  RowKind kind_;
};

/// CSV with a request and an answer, as AdvBench's goal,target.
void add_pairs(const SourceFile& file, ReadReport& report, RowList& list) {
  const auto columns = pair_columns(file);
  if (!columns)
    Place{file.path.string(), "line 1"}.fail(
        "want a header with goal,target, prompt,response or instruction,output");
  const auto table = read_csv_table(file);
  for (std::size_t i = 0; i < table.records.size(); ++i) {
    const auto& fields = table.records[i].fields;
    ++report.rows;
    try {
      if (blank(fields[columns->first])) throw Rejected{"an empty prompt"};
      list.add({{{Role::user, fields[columns->first]}, {Role::assistant, fields[columns->second]}}},
               i + 1, columns->category ? fields[*columns->category] : "");
    } catch (const Rejected& rejected) {
      if (report.rejected++ == 0)
        report.first_rejection = table.place(i).record + ": " + rejected.reason;
    }
  }
}

}  // namespace

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images, const RowFilter& filter) {
  const auto file = SourceFile::read(path);
  const auto found = detect_format(file, format, false);
  RowsFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  out.dataset.name = file.stem();
  RowList list(out, kind);
  if (found.json) {
    for_each_json(file, found.lines, out.report,
                  [&](const json& record, std::size_t number, const Place& place) {
                    auto dialogue = row_dialogue(found.shape, record, place, images);
                    if (rated_at_least(record, filter.min_rating))
                      list.add(std::move(dialogue), number, category_of(record, place));
                    else
                      ++out.report.low_rated;
                  });
  } else {
    add_pairs(file, out.report, list);
  }
  if (out.dataset.empty() && out.report.low_rated > 0)
    throw DataError(path.string() + ": none of its rows has the rating that --min-rating wants");
  check_not_empty(file, out.report, out.dataset.size());
  apply_filter(filter, out, path.string());
  return out;
}

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images) {
  return read_rows(path, kind, format, images, RowFilter{});
}

}  // namespace seawall
