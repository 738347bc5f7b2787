#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "dataset/messages.hpp"
#include "dataset/records.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

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
    if (dialogue.messages.empty()) throw Rejected{"no messages"};
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

}  // namespace

RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images, const RowFilter& filter) {
  const auto file = SourceFile::read_records(path);
  const FormatWanted wanted{.prompts = false, .columns = filter.columns, .option = "data"};
  const auto found = detect_format(file, format, wanted, filter.readers);
  const ReaderEntry& reader = *found.reader;
  RowsFile out;
  out.report.format = found.name;
  out.report.form = reader.form;
  out.report.sha256 = file.sha256;
  out.dataset.name = file.stem();
  RowList list(out, kind, filter.loss_on);
  for_each_record(
      file, found, wanted, out.report,
      [&](const json& record, std::size_t number, const Place& place) {
        if (!reader.keys.empty()) check_keys(record, reader.keys, true, place, out.report);
        auto dialogue = reader.read(
            record,
            {.place = place, .report = out.report, .columns = filter.columns, .images = images});
        if (rated_at_least(record, filter.min_rating))
          list.add(std::move(dialogue), number, row_category(record), place);
        else
          ++out.report.low_rated;
      });
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
