#include "dataset/records.hpp"

#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "seawall/dataset/csv.hpp"

namespace seawall {
namespace {

/// Counts a record, and what makes it unusable.
void take(const SourceFile& file, std::string_view raw, const Place& place, ReadReport& report,
          const std::function<void()>& visit) {
  ++report.rows;
  try {
    if (auto wrong = file.not_utf8(raw); !wrong.empty()) throw Rejected{std::move(wrong)};
    visit();
  } catch (const Rejected& rejected) {
    report.reject(place.record + ": " + rejected.reason);
  }
}

CsvTable table_of(const SourceFile& file, const ReaderEntry& reader, const FormatWanted& wanted) {
  const auto names = reader.headers(wanted.columns);
  auto table = find_table(file, std::vector<std::string_view>(names.begin(), names.end()));
  if (table && reader.is(header_of(*table), wanted)) return std::move(*table);
  const std::string known =
      wanted.columns.empty()
          ? (wanted.prompts ? "one of " : "") + (reader.any_keys() ? reader.known_names() : "")
      : wanted.prompts ? cell_name(wanted.columns)
                       : wanted.columns;
  Place{file.path.string(), "line 1"}.fail("want a header with " + known);
}

void for_each_of_table(const SourceFile& file, const ReaderEntry& reader,
                       const FormatWanted& wanted, ReadReport& report, const VisitJson& visit) {
  const auto table = table_of(file, reader, wanted);
  if (reader.column_names != nullptr)
    report.columns = reader.column_names(header_of(table), wanted.columns);
  for (std::size_t i = 0; i < table.records.size(); ++i) {
    const auto place = table.place(i);
    take(file, table.records[i].raw, place, report, [&] {
      if (auto wrong = table.wrong_width(i); !wrong.empty()) throw Rejected{std::move(wrong)};
      visit(record_of(table, i), i + 1, place);
    });
  }
}

void for_each_line(const SourceFile& file, ReadReport& report, const VisitJson& visit) {
  const auto records = read_prompt_lines(file);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Place place{file.path.string(), "line " + std::to_string(records[i].line)};
    take(file, records[i].raw, place, report,
         [&] { visit(nlohmann::json(records[i].fields[0]), i + 1, place); });
  }
}

}  // namespace

void for_each_record(const SourceFile& file, const FormatFound& format, const FormatWanted& wanted,
                     ReadReport& report, const VisitJson& visit) {
  const ReaderEntry& reader = *format.reader;
  if (format.form == FileForm::table) return for_each_of_table(file, reader, wanted, report, visit);
  if (format.form == FileForm::lines) return for_each_line(file, report, visit);
  const auto layout = format.form == FileForm::array ? JsonLayout::array : JsonLayout::values;
  for_each_json(file, layout, report, OddRecords::count,
                [&](const nlohmann::json& record, std::size_t number, const Place& place) {
                  if (reader.any_keys())
                    visit(lower_keys(record), number, place);
                  else
                    visit(record, number, place);
                });
}

}  // namespace seawall
