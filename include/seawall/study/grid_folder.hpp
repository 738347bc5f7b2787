#pragma once
// The folder that a grid fills: `grid.json` says what belongs into it, `arms/` holds a run file for
// every run that is done. Several folders (shards) read as one.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "seawall/store/run_file.hpp"
#include "seawall/study/grid.hpp"

namespace seawall {

/// One arm under one seed. `key` is the SHA-256 of all that makes the run (options, rows, probes,
/// model, tokenizer, version), and its head is part of the file's name: what changes gets
/// another file, what does not is found again.
struct GridRun {
  std::string arm;
  std::int64_t seed = 0;
  std::string file;  // relative to the folder, e.g. arms/100-shot-seed0-1f2e3d4c.h5
  std::string key;
};

/// What grid.json holds. `grid.command` is the command that was run, with its options.
struct GridFolder {
  std::string version = {};
  std::int64_t seeds = 0;
  Grid grid = {};
  std::vector<GridRun> runs = {};
};

/// Writes `folder`/grid.json, whole. Errors: IoError.
void write_grid(const std::filesystem::path& folder, const GridFolder& content);
/// Errors: IoError; DataError naming file and field.
GridFolder read_grid(const std::filesystem::path& folder);

/// A grid with the runs that are there. Memory: every run, of residual streams their means alone.
struct LoadedGrid {
  GridFolder folder;
  /// Arm -> its runs, by seed.
  std::map<std::string, std::vector<std::pair<std::filesystem::path, RunData>>> runs;
  std::vector<GridRun> missing;  // no folder holds them whole
  /// Arm -> why a file of its runs could not be read; such a run is among the missing.
  std::map<std::string, std::string> broken = {};
};

/// Reads one or several folders as one grid: arms, tables and runs are united, and a run is taken
/// from the first folder that holds its file whole. Errors: DataError where two folders say
/// different things about one arm, table or run.
LoadedGrid load_grid(const std::vector<std::filesystem::path>& folders);

}  // namespace seawall
