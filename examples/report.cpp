// Writes the page of grid folders from a program, as `seawall report` does.
#include <cstdio>
#include <filesystem>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/report/report.hpp"
#include "seawall/store/hdf5.hpp"

using namespace seawall;

int main(int argc, char** argv) try {
  if (argc < 3) throw UsageError("usage: report OUT FOLDER [FOLDER...]");
  h5::start();
  const std::vector<std::filesystem::path> folders(argv + 2, argv + argc);
  const std::size_t bytes = report::write_report(read_study(load_grid(folders)), argv[1]);
  std::printf("report.html: %zu bytes\n", bytes);
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "report: %s\n", error.what());
  return static_cast<int>(error.exit_code());
}
