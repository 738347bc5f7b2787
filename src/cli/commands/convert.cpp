// `convert`: run files and activations in the forms that other tools read.
#include <cstdio>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/exchange/convert.hpp"
#include "seawall/run/place_spec.hpp"

namespace seawall::commands {
namespace {

struct ConvertOptions : NewOutputSpec {
  ConvertSpec spec = {};
  static constexpr void visit(auto& self, auto&& field) {
    ConvertSpec::visit(self.spec, field);
    NewOutputSpec::visit(self, field, "file to write (npz, pt, inspect), or folder",
                         "replace what is at --out");
  }
};

}  // namespace

int convert(const Program& program, const Words& words) {
  ConvertOptions options;
  std::string input;
  CommandLine line(
      program.name + " convert FILE.h5 --to FORMAT --out PATH [options]",
      "Writes a run file, or activations of `extract`, as another tool reads it: npz for "
      "numpy.load (both), csv for pandas (answers and steps), pt for torch.load (mean_diffs.pt of "
      "Arditi et al. 2024, of a run with --trace depth), tensorboard, inspect for inspect_ai, "
      "saelens for SAELens's cached activations (activations alone).");
  line.add(options, "Options");
  line.positional("FILE.h5", "a run file, or the first file of an extraction", input);
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  const std::string done = convert_file(input, options.spec, options.out, options.overwrite);
  if (!options.quiet) std::printf("%s\n", done.c_str());
  return 0;
}

}  // namespace seawall::commands
