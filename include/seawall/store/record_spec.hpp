#pragma once
// What a run file keeps, as options.
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct RecordSpec {
  std::string trace = "residual";
  bool no_spectra = false;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.trace, OptionInfo{.name = "trace",
                                 .help = "what the run file keeps: none, metrics, or also the "
                                         "residual stream at each evaluation",
                                 .choices = "none|metrics|residual"});
    field(self.no_spectra,
          OptionInfo{.name = "no-spectra", .help = "leave the singular values of the drift out"});
  }
};

}  // namespace seawall
