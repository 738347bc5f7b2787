// `organism train`: makes the built-in model from its recipe, bit for bit on the same kind of
// machine.
#include <filesystem>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/organism_pictures.hpp"
#include "seawall/run/organism_train.hpp"
#include "seawall/run/place_spec.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/train/signals.hpp"

namespace seawall::commands {
namespace {

struct OrganismOptions : NewOutputSpec {
  // One, whatever the machine has: sums are split by thread, so the bits depend on it.
  std::int64_t threads = 1;
  std::string from;
  static constexpr void visit(auto& self, auto&& field) {
    NewOutputSpec::visit(
        self, field,
        "folder to write: config.json, model.safetensors, tokenizer.model, vision/, and in base/ "
        "the model before alignment",
        "write into a folder that is not empty");
    field(self.from, OptionInfo{.name = "from",
                                .help = "train the picture encoder alone, for the decoder of this "
                                        "folder (or `organism`)"});
    field(self.threads, OptionInfo{.name = "threads",
                                   .help = "CPU threads; other counts give other bits",
                                   .min = 1,
                                   .max = 4096});
  }
};

}  // namespace

int organism(const Program& program, const Words& words) {
  namespace fs = std::filesystem;
  std::string verb;
  OrganismOptions options;
  CommandLine line(program.name + " organism train --out FOLDER [options]",
                   "Pre-trains and aligns the built-in model from nothing and teaches it to see, "
                   "in a few minutes; the "
                   "same bits every time on the same kind of machine.");
  line.positional("train", "what to do", verb);
  line.add(options, "Options");
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (verb != "train") throw UsageError("organism " + verb + ": want `organism train`");
  if (options.out.empty()) throw UsageError("organism train: want --out FOLDER");
  const fs::path folder = options.out;
  if (fs::exists(folder) &&
      (!fs::is_directory(folder) || (!fs::is_empty(folder) && !options.overwrite)))
    throw UsageError("--out " + folder.string() +
                     ": not an empty folder; give another, or --overwrite");
  prepare_folder(folder);
  set_threads(options.threads);
  SignalGuard signals;

  if (!options.from.empty()) {
    train_pictures(load_model(options.from, "cpu", "organism"), folder / "vision", options.quiet);
    return 0;
  }
  train_organism(folder, options.quiet);
  return 0;
}

}  // namespace seawall::commands
