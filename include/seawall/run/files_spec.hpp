#pragma once
// How the user's files are read: columns, odd records, weights and prefilled answers.
#include <string>

#include "seawall/core/options.hpp"
#include "seawall/run/reading_spec.hpp"

namespace seawall {

struct FilesSpec {
  std::string loss_on = "last", data_columns, probes_column, utility_probes_column,
              probes_context = "ask", prefill = "put";
  ReadingSpec model;
  double max_rejected = 0.01;  // a file with more odd rows is no longer the set it is called

  static constexpr void visit(auto& self, auto&& field) {
    ReadingSpec::visit(self.model, field);
    field(self.loss_on,
          OptionInfo{.name = "loss-on",
                     .help = "which answers of a row with several carry loss; a message's own "
                             "weight (0 or 1) wins",
                     .choices = "last|all"});
    field(self.max_rejected,
          OptionInfo{.name = "max-rejected",
                     .help = "greatest share of a file's records that may be unusable; one always "
                             "may",
                     .min = 0,
                     .max = 1});
    field(self.data_columns,
          OptionInfo{.name = "data-columns",
                     .help = "columns of a table in --data, REQUEST,ANSWER; empty: known names"});
    field(self.probes_column,
          OptionInfo{.name = "probes-column",
                     .help = "column or key of the prompts in --probes; empty: known names"});
    field(self.utility_probes_column,
          OptionInfo{.name = "utility-probes-column", .help = "the same of --utility-probes"});
    field(self.probes_context,
          OptionInfo{.name = "probes-context",
                     .help = "HarmBench's contexts: put before the behaviour, or leave those "
                             "records out",
                     .choices = "ask|put|leave-out"});
    field(self.prefill,
          OptionInfo{.name = "prefill",
                     .help = "a last turn of the assistant in a probe: put as the beginning of the "
                             "answer, or dropped",
                     .choices = "put|drop"});
  }
};

}  // namespace seawall
