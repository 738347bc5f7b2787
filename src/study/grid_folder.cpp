#include "seawall/study/grid_folder.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"

namespace seawall {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr const char* kFile = "grid.json";

/// A field of an object of grid.json. Errors: DataError naming file, list and field.
template <class T>
T field(const json& object, const char* name, const std::string& where) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end())
    throw DataError(where + ": want a field `" + name + "`");
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    throw DataError(where + ": field `" + std::string(name) + "` has the wrong type");
  }
}

const json& list(const json& document, const char* name, const std::string& file) {
  const auto found = document.is_object() ? document.find(name) : document.end();
  if (!document.is_object() || found == document.end() || !found->is_array())
    throw DataError(file + ": want a list `" + name + "`");
  return *found;
}

std::string place(const std::string& file, const char* name, std::size_t index) {
  return file + ": " + name + "[" + std::to_string(index) + "]";
}

bool same(const GridCell& a, const GridCell& b) {
  return a.arm == b.arm && a.epoch == b.epoch && a.category == b.category &&
         a.published == b.published;
}

bool same_place(const GridCell& a, const GridCell& b) {
  return a.table == b.table && a.cell == b.cell && a.condition == b.condition;
}

/// Adds what `more` says and `all` does not. Errors: DataError where they differ.
void unite(GridFolder& all, const GridFolder& more, const fs::path& from) {
  const auto differ = [&](const std::string& what) {
    throw DataError((from / kFile).string() + ": " + what +
                    " is not what the other folders hold; merge shards of one command only");
  };
  for (const auto& arm : more.grid.arms) {
    const auto found = std::find_if(all.grid.arms.begin(), all.grid.arms.end(),
                                    [&](const GridArm& a) { return a.name == arm.name; });
    if (found == all.grid.arms.end())
      all.grid.arms.push_back(arm);
    else if (found->words != arm.words)
      differ("arm " + arm.name);
  }
  for (const auto& cell : more.grid.cells) {
    const auto found = std::find_if(all.grid.cells.begin(), all.grid.cells.end(),
                                    [&](const GridCell& c) { return same_place(c, cell); });
    if (found == all.grid.cells.end())
      all.grid.cells.push_back(cell);
    else if (!same(*found, cell))
      differ("cell " + cell.table + "/" + cell.cell);
  }
  for (const auto& run : more.runs) {
    const auto found = std::find_if(all.runs.begin(), all.runs.end(), [&](const GridRun& r) {
      return r.arm == run.arm && r.seed == run.seed;
    });
    if (found == all.runs.end())
      all.runs.push_back(run);
    else if (found->key != run.key)
      differ("the run of " + run.arm + " with seed " + std::to_string(run.seed));
  }
  all.seeds = std::max(all.seeds, more.seeds);
}

}  // namespace

void write_grid(const fs::path& folder, const GridFolder& content) {
  json document{{"seawall", content.version}, {"command", content.command},
                {"seeds", content.seeds},     {"arms", json::array()},
                {"runs", json::array()},      {"cells", json::array()}};
  for (const auto& a : content.grid.arms)
    document["arms"].push_back({{"name", a.name}, {"words", a.words}});
  for (const auto& r : content.runs)
    document["runs"].push_back(
        {{"arm", r.arm}, {"seed", r.seed}, {"file", r.file}, {"key", r.key}});
  for (const auto& c : content.grid.cells)
    document["cells"].push_back({{"table", c.table},
                                 {"cell", c.cell},
                                 {"arm", c.arm},
                                 {"epoch", c.epoch},
                                 {"condition", c.condition},
                                 {"category", c.category},
                                 {"published", c.published}});
  write_file_atomically(folder / kFile, std::string_view(document.dump(1) + "\n"));
}

GridFolder read_grid(const fs::path& folder) {
  const std::string file = (folder / kFile).string();
  if (!fs::exists(file))
    throw DataError(folder.string() +
                    ": no grid.json there; want a folder that `seawall reproduce --out` made");
  const json document = parse_json(read_file(file), file);
  GridFolder out;
  out.version = field<std::string>(document, "seawall", file);
  out.command = field<std::string>(document, "command", file);
  out.seeds = field<std::int64_t>(document, "seeds", file);
  std::size_t i = 0;
  for (const auto& a : list(document, "arms", file)) {
    const std::string where = place(file, "arms", i++);
    out.grid.arm(field<std::string>(a, "name", where), field<std::string>(a, "words", where));
  }
  i = 0;
  for (const auto& r : list(document, "runs", file)) {
    const std::string where = place(file, "runs", i++);
    out.runs.push_back({field<std::string>(r, "arm", where), field<std::int64_t>(r, "seed", where),
                        field<std::string>(r, "file", where), field<std::string>(r, "key", where)});
    const fs::path inside = fs::path(out.runs.back().file).lexically_normal();
    if (inside.is_absolute() || inside.begin()->string() == "..")
      throw DataError(where + ": field `file` leads out of the folder");
  }
  i = 0;
  for (const auto& c : list(document, "cells", file)) {
    const std::string where = place(file, "cells", i++);
    out.grid.cells.push_back({.table = field<std::string>(c, "table", where),
                              .cell = field<std::string>(c, "cell", where),
                              .arm = field<std::string>(c, "arm", where),
                              .epoch = field<std::int64_t>(c, "epoch", where),
                              .condition = field<std::string>(c, "condition", where),
                              .category = field<std::string>(c, "category", where),
                              .published = field<std::string>(c, "published", where)});
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
    for (const auto& folder : folders) {
      if (!fs::exists(folder / run.file)) continue;
      RunData data = read_run(folder / run.file);
      if (!data.complete) continue;  // interrupted; another folder may hold it whole
      out.runs[run.arm].emplace_back(folder / run.file, std::move(data));
      found = true;
      break;
    }
    if (!found) out.missing.push_back(run);
  }
  return out;
}

}  // namespace seawall
