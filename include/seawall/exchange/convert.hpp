#pragma once
// Run files and activations in the forms that other tools read.
#include <cstdint>
#include <filesystem>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

/// What convert_file writes.
struct ConvertSpec {
  std::string to;
  std::int64_t evaluation = -1, context = 128;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.to, OptionInfo{.name = "to",
                              .help = "the format to write",
                              .choices = "npz|csv|pt|tensorboard|inspect|saelens"});
    field(self.evaluation,
          OptionInfo{.name = "evaluation",
                     .help = "of pt and inspect: the evaluation, as the coordinate `evaluation` "
                             "numbers them; -1: the last of the set harmfulness",
                     .min = -1,
                     .max = 1e9});
    field(self.context, OptionInfo{.name = "context",
                                   .help = "of saelens: tokens per row, SAELens's context_size",
                                   .min = 1,
                                   .max = 1e6});
  }
};

/// Writes the run file or activations `file` as `out` and returns one line about what was written.
/// Files and folders appear whole. A folder that is there is replaced if it holds nothing but files
/// of the same names.
///
/// | format | of | written | read by |
/// |---|---|---|---|
/// | npz | both | every dataset under its name; texts as unicode arrays | numpy.load |
/// | csv | run | folder: evaluations.csv (evaluation, probe, judge), steps.csv | pandas |
/// | pt | run | tensor (position, layer, d_model) f64: mean difference of the streams | torch.load
/// | | tensorboard | run | folder with an event file: steps, drift, rates | TensorBoard | | inspect
/// | run | log of one evaluation: NAME.eval or NAME.json | inspect_ai | | saelens | activations |
/// folder: a data set (hook_name, token_ids) | SAELens, datasets |
///
/// Memory: the largest dataset; activations one batch of rows. Errors: UsageError if `out` is there
/// and `overwrite` is not set; DataError if the file is of another kind or lacks what the format
/// needs; IoError.
std::string convert_file(const std::filesystem::path& file, const ConvertSpec& spec,
                         const std::filesystem::path& out, bool overwrite);

}  // namespace seawall
