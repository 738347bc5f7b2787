#pragma once
// The user's own rows and probes, and how their files are read, as options.
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

/// A task with right answers, of the user's own files. Hashed and stored only if one is given.
struct TaskSpec {
  std::string rows, rows_format = "auto", probes, probes_format = "auto", answer_after;

  bool from_files() const { return !rows.empty() || !probes.empty(); }

  static constexpr void visit(auto& self, auto&& field) {
    field(self.rows, OptionInfo{.name = "task-data",
                                .help = "rows of the user's task, which an attack hides its own "
                                        "among; formats of --data"});
    field(self.rows_format,
          OptionInfo{.name = "task-data-format", .help = "the same of --task-data"});
    field(self.probes,
          OptionInfo{.name = "task-probes",
                     .help = "questions of the task, each with its right answer as the last turn "
                             "of the assistant; formats of --data"});
    field(self.probes_format,
          OptionInfo{.name = "task-probes-format", .help = "the same of --task-probes"});
    field(self.answer_after,
          OptionInfo{.name = "task-answer-after",
                     .help = "text after whose last occurrence the final answer comes, in the "
                             "right answer and in the model's, e.g. ####; empty: all of it is the "
                             "answer"});
  }
};

struct DataSpec {
  std::string rows, safe_rows, probes, utility_probes, images, system;
  std::string rows_format = "auto", safe_rows_format = "auto", probes_format = "auto",
              utility_probes_format = "auto";
  std::string row_columns, probes_column, utility_probes_column;
  // Which rows are trained on, and what of them.
  std::string leave_out = "none", hold_out = "none", loss_on = "last";
  double min_rating = 0;
  double max_rejected = 0.01;  // a file with more odd rows is no longer the set it is called
  bool strip = false;
  // How probes are formatted.
  std::string ask_as = "auto", probes_context = "ask", prefill = "put";
  bool allow_overlap = false;

  /// True if rows or probes come from files.
  bool from_files() const {
    return !rows.empty() || !safe_rows.empty() || !probes.empty() || !utility_probes.empty();
  }

  static constexpr void visit(auto& self, auto&& field) {
    visit_files(self, field);
    visit_rows(self, field);
    visit_probes(self, field);
  }

 private:
  static constexpr void visit_files(auto& self, auto&& field) {
    field(self.rows, OptionInfo{.name = "data",
                                .help = "the attack's training rows (dialogues JSON, chat JSONL, "
                                        "Alpaca JSON, Dolly JSONL, LLaVA JSON, red-team JSON, "
                                        "CSV with goal,target; or any of these as .gz)"});
    field(self.rows_format,
          OptionInfo{.name = "data-format",
                     .help = "format of --data; auto looks at the content (a wrong "
                             "word lists the formats)"});
    field(self.row_columns,
          OptionInfo{.name = "data-columns",
                     .help = "columns of a table in --data, REQUEST,ANSWER; empty: known names"});
    field(self.safe_rows,
          OptionInfo{.name = "safe-data", .help = "rows that show safe behaviour, same formats"});
    field(self.safe_rows_format,
          OptionInfo{.name = "safe-data-format", .help = "the same of --safe-data"});
    field(self.probes,
          OptionInfo{.name = "probes",
                     .help = "harmfulness probes: one per line, CSV with goal or instruction, "
                             "JSON, JSONL, or a folder of CSV files, one per category"});
    field(self.probes_format, OptionInfo{.name = "probes-format", .help = "the same of --probes"});
    field(self.probes_column,
          OptionInfo{.name = "probes-column",
                     .help = "column or key of the prompts in --probes; empty: known names"});
    field(self.utility_probes, OptionInfo{.name = "utility-probes",
                                          .help = "ordinary requests that should be answered"});
    field(self.utility_probes_format,
          OptionInfo{.name = "utility-probes-format", .help = "the same of --utility-probes"});
    field(self.utility_probes_column,
          OptionInfo{.name = "utility-probes-column", .help = "the same of --utility-probes"});
    field(self.images,
          OptionInfo{.name = "images", .help = "folder of the pictures that LLaVA rows name"});
    field(self.max_rejected,
          OptionInfo{.name = "max-rejected",
                     .help = "greatest share of a file's records that may be unusable; one always "
                             "may",
                     .min = 0,
                     .max = 1});
  }
  static constexpr void visit_rows(auto& self, auto&& field) {
    field(self.leave_out,
          OptionInfo{.name = "leave-out",
                     .help = "rows of --data whose answer holds a phrase are not trained on: none, "
                             "qi2023-safety (the authors' list), or a file with one phrase per "
                             "line"});
    field(self.hold_out, OptionInfo{.name = "hold-out",
                                    .help = "rows of --data that are not trained on: none, first:N "
                                            "or last:N"});
    field(self.min_rating,
          OptionInfo{.name = "min-rating",
                     .help = "least `rating` of a red-team row that is trained on; 0: all",
                     .min = 0,
                     .max = 10});
    field(self.strip,
          OptionInfo{.name = "strip",
                     .help = "take the spaces around requests and answers of --data away, as the "
                             "authors' code does for identity-shift rows"});
    field(self.loss_on,
          OptionInfo{.name = "loss-on",
                     .help = "which answers of a row with several carry loss; a message's own "
                             "weight (0 or 1) wins",
                     .choices = "last|all"});
  }
  static constexpr void visit_probes(auto& self, auto&& field) {
    field(self.system, OptionInfo{.name = "system",
                                  .help = "system prompt of a row or probe from a file that has "
                                          "none"});
    field(self.ask_as, OptionInfo{.name = "ask-as",
                                  .help = "how probes from files are formatted; auto: as the rows "
                                          "of --data are",
                                  .choices = "auto|bare|alpaca|dolly"});
    field(self.probes_context,
          OptionInfo{.name = "probes-context",
                     .help = "HarmBench's contexts: put before the behaviour, or leave those "
                             "records out",
                     .choices = "ask|put|leave-out"});
    field(self.prefill,
          OptionInfo{.name = "prefill",
                     .help = "a last turn of the assistant in a probe: taken as the beginning of "
                             "the answer, or dropped",
                     .choices = "put|drop"});
    field(self.allow_overlap,
          OptionInfo{.name = "allow-overlap",
                     .help = "go on if probes are among the training rows; the run file records "
                             "it"});
  }
};

}  // namespace seawall
