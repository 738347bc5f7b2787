// `verify` and `seal`: whether files are as they were written.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "cli/compare_runs.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/store/run_file.hpp"
#include "seawall/store/seal.hpp"

namespace seawall::commands {
namespace {

namespace fs = std::filesystem;

struct Counts {
  std::size_t whole = 0, wrong = 0, other = 0;  // other: made by other versions
};

void say_wrong(Counts& counts, const std::string& what) {
  std::printf("WRONG   %s\n", what.c_str());
  ++counts.wrong;
}

/// The files that SHA256SUMS of a folder names.
void verify_sums(const fs::path& folder, Counts& counts) {
  const fs::path sums = folder / "SHA256SUMS";
  if (!fs::exists(sums)) return;
  std::istringstream lines(read_file(sums));
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    constexpr std::size_t digits = 64;
    if (line.size() < digits + 3 || line[digits] != ' ') {
      say_wrong(counts, sums.string() + ":" + std::to_string(number) +
                            ": want 64 hexadecimal digits, two spaces and a name");
      continue;
    }
    const fs::path file = folder / line.substr(digits + 2);
    if (!fs::exists(file))
      say_wrong(counts, file.string() + ": is gone; SHA256SUMS names it");
    else if (sha256_file(file) != line.substr(0, digits))
      say_wrong(counts, file.string() + ": is not the file that SHA256SUMS names");
    else
      ++counts.whole;
  }
}

void verify_file(const fs::path& file, Counts& counts) {
  try {
    h5::verify_seal(file);
    const std::string kind = h5::Reader(file).text_attribute("seawall_kind");
    ++counts.whole;
    if (kind != "run") return;
    const std::string differs = versions_that_differ(read_run(file).info.versions, versions_here());
    if (differs.empty()) return;
    std::printf("other   %s: %s\n", file.c_str(), differs.c_str());
    ++counts.other;
  } catch (const Error& error) {
    say_wrong(counts, error.what());
  }
}

/// A checkpoint, whose files its manifest vouches for.
void verify_manifest(const fs::path& folder, Counts& counts) {
  try {
    counts.whole += verify_checkpoint(folder);
  } catch (const Error& error) {
    say_wrong(counts, error.what());
  }
}

}  // namespace

int verify(const Program& program, const Words& words) {
  std::string word;
  CommandLine line(
      program.name + " verify FILE|FOLDER",
      "Compares every HDF5 file of ours with the SHA-256 at its end, checkpoints with their "
      "manifests, a study's files "
      "with its SHA256SUMS, and the versions that made a run with those that are "
      "here. Exit code 3 if a file is not as it was written.");
  line.positional("FILE|FOLDER", "a run, activation or state file, or a folder with some", word);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const fs::path path(word);
  if (!fs::exists(path)) throw IoError(path.string() + ": no such file or folder");
  Counts counts;
  if (!fs::is_directory(path)) {
    verify_file(path, counts);
  } else {
    std::vector<fs::path> files, checkpoints;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const fs::path& here = entry.path();
      if (here.filename() == "manifest.json") checkpoints.push_back(here.parent_path());
      if (here.extension() == ".h5" && !fs::exists(here.parent_path() / "manifest.json"))
        files.push_back(here);
    }
    std::ranges::sort(files);
    std::ranges::sort(checkpoints);
    verify_sums(path, counts);
    for (const auto& file : files) verify_file(file, counts);
    for (const auto& checkpoint : checkpoints) verify_manifest(checkpoint, counts);
  }
  std::printf("%zu as they were written, %zu not", counts.whole, counts.wrong);
  if (counts.other > 0) std::printf("; %zu made by other versions", counts.other);
  std::printf("\n");
  if (counts.whole + counts.wrong == 0)
    throw DataError(path.string() + ": no HDF5 file is there to verify");
  return counts.wrong == 0 ? 0 : 3;
}

int seal(const Program& program, const Words& words) {
  std::string word;
  CommandLine line(program.name + " seal FILE",
                   "Puts a new SHA-256 behind an HDF5 file of ours that you changed (a note, "
                   "compression), so that Seawall reads it again. What it holds is yours to vouch "
                   "for.");
  line.positional("FILE", "a run, activation or state file", word);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const std::string kind = h5::seal_again(word);
  std::printf("sealed  %s (%s)\n", word.c_str(), kind.c_str());
  return 0;
}

}  // namespace seawall::commands
