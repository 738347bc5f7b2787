#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "dataset/messages.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/json_records.hpp"
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

/// ShareGPT and LLaVA-Instruct: conversations of {from: human|gpt, value}, and an image that one
/// human turn shows; as in LLaVA's own preprocessing its mark goes to the front of that turn, which
/// has to be the first.
Dialogue llava(const json& record, const Place& place, const std::filesystem::path& images,
               ReadReport& report) {
  const auto found = record.find("conversations");
  if (found == record.end() || !found->is_array())
    place.fail("key 'conversations': want an array of {from, value}");
  if (!found->empty() && found->front().is_object() && found->front().contains("role"))
    return dialogue_of(*found, place, report);
  json messages = json::array();
  for (std::size_t i = 0; i < found->size(); ++i) {
    const Place turn{place.file, place.record + ", turn " + std::to_string(i + 1)};
    const auto& from = text_of((*found)[i], "from", turn);
    const bool user = from == "human" || from == "user",
               answer =
                   from == "gpt" || from == "assistant" || from == "chatgpt" || from == "model";
    if (!user && !answer && from != "system")
      turn.fail("from '" + shown(from, 40) + "', want human or gpt");
    json message{{"role", user     ? "user"
                          : answer ? "assistant"
                                   : "system"},
                 {"content", text_of((*found)[i], "value", turn)}};
    if ((*found)[i].contains("weight")) message["weight"] = (*found)[i]["weight"];
    messages.push_back(std::move(message));
  }
  Dialogue dialogue = dialogue_of(messages, place, report);
  if (const auto system = optional_text(record, "system", place);
      !system.empty() && dialogue.first(Role::system).empty())
    dialogue.set_system(system);
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
                      const std::filesystem::path& images, std::string_view columns,
                      ReadReport& report) {
  switch (shape) {
    case RecordShape::messages:
      return dialogue_of(messages_of(record, place), place, report);
    case RecordShape::dialogue:
      return dialogue_of(record, place, report);
    case RecordShape::alpaca:
      return alpaca(record, place);
    case RecordShape::dolly:
      return dolly(record, place);
    case RecordShape::llava:
      return llava(record, place, images, report);
    case RecordShape::transcript:
      return dialogue_of_transcript(text_of(record, "transcript", place));
    case RecordShape::pair: {
      const auto lower = lower_keys(record);
      const auto keys = pair_keys(lower, columns);
      if (!keys)
        place.fail("want the keys " + (columns.empty() ? known_pairs() : std::string(columns)));
      return pair_dialogue(lower, *keys, place, report);
    }
    case RecordShape::prompt:
      break;
  }
  place.fail("a prompt without an answer; want training rows with an assistant turn");
}

/// Keys that are read in a record of each shape.
std::vector<std::string_view> used_keys(RecordShape shape) {
  std::vector<std::string_view> keys{"category"};
  const auto add = [&keys](std::initializer_list<std::string_view> more) {
    keys.insert(keys.end(), more);
  };
  if (shape == RecordShape::messages) add({"messages"});
  if (shape == RecordShape::alpaca) add({"instruction", "input", "output"});
  if (shape == RecordShape::dolly) add({"instruction", "context", "response"});
  if (shape == RecordShape::llava) add({"conversations", "image", "system"});
  if (shape == RecordShape::transcript) add({"transcript", "tags", "rating"});
  return keys;
}

/// What the record says of itself: its `category`, or the first of the red-team set's `tags`.
std::string row_category(const json& record) {
  auto category = category_of(record);
  if (!category.empty() || !record.is_object()) return category;
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

/// Writes down which answers carry loss: their own weight decides, else their place in the row.
/// False if none does.
bool settle_loss(Dialogue& dialogue, LossOn loss_on) {
  bool any = false;
  for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
    auto& message = dialogue.messages[i];
    if (message.role != Role::assistant) continue;
    const bool last = i + 1 == dialogue.messages.size();
    const bool carries =
        message.loss == Loss::by_place ? last || loss_on == LossOn::all : message.loss == Loss::on;
    message.loss = carries == last ? Loss::by_place : carries ? Loss::on : Loss::off;
    any = any || carries;
  }
  return any;
}

/// Takes rows in and counts those that cannot be used.
class RowList {
 public:
  RowList(RowsFile& out, RowKind kind, LossOn loss_on)
      : out_(out), kind_(kind), loss_on_(loss_on) {}
  void add(Dialogue dialogue, std::size_t number, std::string category, const Place& place) {
    if (dialogue.messages.back().role != Role::assistant)
      throw Rejected{"the last turn is not the assistant's"};
    if (!settle_loss(dialogue, loss_on_)) {
      ++out_.report.no_loss;
      out_.report.note("row without loss left out: its answers have weight 0", place.record);
      return;
    }
    if (blank(dialogue.messages.back().content)) throw Rejected{"an empty answer"};
    out_.dataset.rows.push_back({.id = out_.dataset.name + "/" + std::to_string(number),
                                 .dialogue = std::move(dialogue),
                                 .kind = kind_,
                                 .category = std::move(category)});
  }

 private:
  RowsFile& out_;
  RowKind kind_;
  LossOn loss_on_;
};

/// A table with a request and an answer, as AdvBench's goal,target.
void add_pairs(const SourceFile& file, const std::string& chosen, ReadReport& report,
               RowList& list) {
  const auto names = pair_names(chosen);
  const auto table = find_table(file, std::vector<std::string_view>(names.begin(), names.end()));
  const auto columns = table ? pair_columns(table->names, chosen) : std::nullopt;
  if (!columns)
    Place{file.path.string(), "line 1"}.fail("want a header with " +
                                             (chosen.empty() ? known_pairs() : chosen));
  report.columns = columns->request + ", " + columns->answer;
  for (std::size_t i = 0; i < table->records.size(); ++i) {
    ++report.rows;
    const auto place = table->place(i);
    try {
      if (auto wrong = file.not_utf8(table->records[i].raw); !wrong.empty())
        throw Rejected{std::move(wrong)};
      if (auto wrong = table->wrong_width(i); !wrong.empty()) throw Rejected{std::move(wrong)};
      const auto record = record_of(*table, i);
      list.add(pair_dialogue(record, *columns, place, report), i + 1, category_of(record), place);
    } catch (const Rejected& rejected) {
      report.reject(place.record + ": " + rejected.reason);
    }
  }
}

}  // namespace

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images, const RowFilter& filter) {
  const auto file = SourceFile::read_records(path);
  const auto found =
      detect_format(file, format, {.prompts = false, .columns = filter.columns, .option = "data"});
  RowsFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  out.dataset.name = file.stem();
  RowList list(out, kind, filter.loss_on);
  const auto used = used_keys(found.shape);
  if (found.json) {
    for_each_json(file, found.layout, out.report, OddRecords::count,
                  [&](const json& record, std::size_t number, const Place& place) {
                    if (found.shape != RecordShape::pair)  // which names its own
                      check_keys(record, used, true, place, out.report);
                    auto dialogue = row_dialogue(found.shape, record, place, images, filter.columns,
                                                 out.report);
                    if (rated_at_least(record, filter.min_rating))
                      list.add(std::move(dialogue), number, row_category(record), place);
                    else
                      ++out.report.low_rated;
                  });
  } else {
    add_pairs(file, filter.columns, out.report, list);
  }
  if (out.dataset.empty() && out.report.low_rated > 0)
    throw DataError(path.string() + ": none of its rows has the rating that --min-rating wants");
  if (out.dataset.empty() && out.report.no_loss > 0)
    throw DataError(path.string() + ": no row carries loss; the answers have weight 0");
  check_rejected(file, out.report, out.dataset.size(), filter.max_rejected);
  apply_filter(filter, out, path.string());
  return out;
}

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images) {
  return read_rows(path, kind, format, images, RowFilter{});
}

}  // namespace seawall
