#include "seawall/report/report.hpp"

#include <string>

#include "report/page.hpp"
#include "report/reading.hpp"
#include "report/sections.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/study/results.hpp"

namespace seawall::report {

std::size_t write_report(const std::vector<std::filesystem::path>& folders,
                         const std::filesystem::path& published, const std::filesystem::path& out) {
  const auto reading = read_cells(load_grid(folders), read_published(published));
  prepare_folder(out);
  const std::string html = page(reading, out);
  write_file_atomically(out / "report.html", std::string_view(html));
  std::vector<GridResult> results;
  for (const auto& table : reading.tables)
    for (const auto& cell : table.cells)
      if (cell.shown())
        results.push_back({cell.cell, cell.estimate, cell.cost, cell.unjudged, cell.cut});
  write_file_atomically(out / "results.csv", std::string_view(results_csv(results)));
  write_file_atomically(out / "results.md", std::string_view(markdown_tables(reading)));
  return html.size();
}

}  // namespace seawall::report
