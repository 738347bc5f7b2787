#include "seawall/study/grid_folder.hpp"

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "study/grid_json.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr const char* grid_file = "grid.json";

bool same(const GridCell& a, const GridCell& b) {
  return a.arm == b.arm && a.epoch == b.epoch && a.category == b.category &&
         a.published == b.published;
}

/// Adds what `more` says and `all` does not. Errors: DataError where they differ.
void unite(GridFolder& all, const GridFolder& more, const fs::path& from) {
  const auto differ = [&](const std::string& what) {
    throw DataError((from / grid_file).string() + ": " + what +
                    " is not what the other folders hold; merge shards of one command only");
  };
  const auto add = [&](auto& list, const auto& one, auto same_place, auto same_content,
                       const std::string& what) {
    const auto found =
        std::ranges::find_if(list, [&](const auto& o) { return same_place(o, one); });
    if (found == list.end())
      list.push_back(one);
    else if (!same_content(*found, one))
      differ(what);
  };
  for (const auto& arm : more.grid.arms)
    add(
        all.grid.arms, arm, [](auto& a, auto& b) { return a.name == b.name; },
        [](auto& a, auto& b) { return a.words == b.words; }, "arm " + arm.name);
  for (const auto& table : more.grid.tables) {
    add(
        all.grid.tables, table, [](auto& a, auto& b) { return a.name == b.name; },
        [](auto& a, auto& b) { return table_text(a) == table_text(b); }, "table " + table.name);
    Table& mine = *std::ranges::find(all.grid.tables, table.name, &Table::name);
    for (const auto& cell : table.cells)
      add(
          mine.cells, cell,
          [](auto& a, auto& b) { return a.cell == b.cell && a.condition == b.condition; }, same,
          "cell " + table.name + "/" + cell.cell);
  }
  for (const auto& run : more.runs)
    add(
        all.runs, run, [](auto& a, auto& b) { return a.arm == b.arm && a.seed == b.seed; },
        [](auto& a, auto& b) { return a.key == b.key; },
        "the run of " + run.arm + " with seed " + std::to_string(run.seed));
  all.seeds = std::max(all.seeds, more.seeds);
}

}  // namespace

void write_grid(const fs::path& folder, const GridFolder& content) {
  write_file_atomically(folder / grid_file, std::string_view(grid_text(content)));
}

GridFolder read_grid(const fs::path& folder) {
  const std::string file = (folder / grid_file).string();
  if (!fs::exists(file))
    throw DataError(folder.string() +
                    ": no grid.json there; want a folder that `seawall reproduce --out` made");
  GridFolder out = grid_from(read_file(file), file);
  for (const GridRun& run : out.runs) {
    const fs::path inside = fs::path(run.file).lexically_normal();
    if (inside.empty() || inside.is_absolute() || inside.begin()->string() == "..")
      throw DataError(file + ": the file of " + run.arm + ", seed " + std::to_string(run.seed) +
                      ", leads out of the folder");
  }
  return out;
}

LoadedGrid load_grid(const std::vector<fs::path>& folders) {
  LoadedGrid out;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const GridFolder folder = read_grid(folders[i]);
    if (i == 0)
      out.folder = folder;
    else
      unite(out.folder, folder, folders[i]);
  }
  std::sort(out.folder.runs.begin(), out.folder.runs.end(), [](const auto& a, const auto& b) {
    return std::tie(a.arm, a.seed) < std::tie(b.arm, b.seed);
  });
  for (const auto& run : out.folder.runs) {
    bool found = false;
    std::string broken;
    for (const auto& folder : folders) {
      if (!fs::exists(folder / run.file)) continue;
      try {
        RunData data = read_run(folder / run.file);
        if (!data.complete) continue;  // interrupted; another folder may hold it whole
        out.runs[run.arm].emplace_back(folder / run.file, std::move(data));
        found = true;
        break;
      } catch (const DataError& e) {  // no reason to leave the other runs unread
        if (broken.empty()) broken = e.what();
      }
    }
    if (found) continue;
    out.missing.push_back(run);
    if (!broken.empty()) out.broken.emplace(run.arm, broken);
  }
  return out;
}

}  // namespace seawall
