// `inspect`: what a file of ours, or a model, holds.
#include <filesystem>
#include <iostream>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_listing.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/inspect.hpp"

namespace seawall::commands {

int inspect(const Program&, const Words& words) {
  std::string word;
  CommandLine line("seawall inspect FILE|FOLDER [options]",
                   "Says on one screen what a file of ours, or a model, holds.");
  line.positional(
      "FILE|FOLDER",
      "a run file, a checkpoint, an activation file, a .gguf file or a Hugging Face folder", word);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const std::filesystem::path path =
      word == "organism" ? data_folder() / "organism" : std::filesystem::path(word);
  if (!std::filesystem::exists(path)) throw IoError(path.string() + ": no such file or folder");
  const bool folder = !is_checkpoint(path) && std::filesystem::exists(path / "config.json");
  if (path.extension() == ".gguf" || folder) {
    std::cout << describe_model(path);
  } else {
    std::cout << describe_file(path);
  }
  return 0;
}

}  // namespace seawall::commands
