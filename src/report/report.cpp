#include "seawall/report/report.hpp"

#include <string>

#include "report/page.hpp"
#include "report/sections.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/study/results.hpp"

namespace seawall::report {

std::size_t write_report(const StudyReading& study, const std::filesystem::path& out) {
  prepare_folder(out);
  const std::string html = page(study, out);
  write_file_atomically(out / "report.html", std::string_view(html));
  write_file_atomically(out / "results.csv", std::string_view(results_csv(study)));
  write_file_atomically(out / "results.md", std::string_view(markdown_tables(study)));
  return html.size();
}

}  // namespace seawall::report
