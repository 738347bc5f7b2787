// `inspect`: what a file of ours, or a model, holds.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/run_command.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_listing.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/inspect.hpp"
#include "seawall/store/run_file.hpp"

namespace seawall::commands {

namespace {

namespace fs = std::filesystem;

/// What the file says; of a run the command that makes it as the second line.
std::string describe(const Program& program, const fs::path& path) {
  std::string text = describe_file(path);
  const auto second = text.find('\n') + 1;
  if (text.compare(second, 4, "run ") == 0) {
    const RunInfo info = read_run(path).info;
    const auto judged = std::ranges::find(info.hashes, std::string("judged_from"),
                                          &std::pair<std::string, std::string>::first);
    text.insert(second,
                "command   " + run_command(program, info) +
                    (judged == info.hashes.end()
                         ? "\n"
                         : "\njudged    again, from a file of SHA-256 " + judged->second + "\n"));
  }
  return text;
}

}  // namespace

int inspect(const Program& program, const Words& words) {
  std::string word;
  CommandLine line(program.name + " inspect FILE|FOLDER [options]",
                   "Says on one screen what a file of ours, or a model, holds.");
  line.positional(
      "FILE|FOLDER",
      "a run file, a checkpoint, an activation file, a .gguf file or a Hugging Face folder", word);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const fs::path path = is_built_in_model(word) ? built_in_model(word) : fs::path(word);
  if (!fs::exists(path)) throw IoError(path.string() + ": no such file or folder");
  const bool folder = !is_checkpoint(path) && fs::exists(path / "config.json");
  if (fs::is_directory(path) && !folder && !is_checkpoint(path))
    throw DataError(path.string() +
                    ": neither a model (config.json) nor checkpoints (step-N) are in this folder; "
                    "name a file in it, or another folder");
  if (path.extension() == ".gguf" || folder) {
    std::cout << describe_model(path);
  } else {
    std::cout << describe(program, path);
  }
  return 0;
}

}  // namespace seawall::commands
