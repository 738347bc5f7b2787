#pragma once
// What a run file keeps, as options.
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct RecordSpec {
  /// Whether evaluations keep residual streams.
  bool streams() const { return trace == "residual" || trace == "depth"; }
  std::string trace = "residual";
  bool no_spectra = false;
  bool row_agreement = false;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.trace,
          OptionInfo{.name = "trace",
                     .help = "what the run file keeps: none, metrics, also the residual "
                             "stream at each evaluation, or also what the start makes "
                             "of every token of the answers (depth)",
                     .choices = "none|metrics|residual|depth"});
    field(self.no_spectra,
          OptionInfo{.name = "no-spectra", .help = "leave the singular values of the drift out"});
    field(self.row_agreement,
          OptionInfo{.name = "row-agreement",
                     .help = "before step 1, for each training row: whether its gradient makes the "
                             "model's refusals less likely; a backward pass a row",
                     .in_key_if_set = true});
  }
};

}  // namespace seawall
