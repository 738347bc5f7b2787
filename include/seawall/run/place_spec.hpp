#pragma once
// Where a run goes and how it gets there, as options: nothing here decides what it computes, so
// nothing of it is part of the run's key.
#include <cstdint>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

/// Where a command writes, and whether it speaks; `out_help` is the command's.
struct OutputSpec {
  std::string out;
  bool quiet = false;

  static constexpr void visit(auto& self, auto&& field, std::string_view out_help) {
    field(self.out, OptionInfo{.name = "out", .help = out_help});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no progress, no table"});
  }
};

/// And of one that replaces what is there only if it is told to.
struct NewOutputSpec : OutputSpec {
  bool overwrite = false;

  static constexpr void visit(auto& self, auto&& field, std::string_view out_help,
                              std::string_view overwrite_help) {
    OutputSpec::visit(self, field, out_help);
    field(self.overwrite, OptionInfo{.name = "overwrite", .help = overwrite_help});
  }
};

/// CPU threads of a command that computes.
struct ThreadsSpec {
  std::int64_t threads = 0;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.threads,
          OptionInfo{.name = "threads",
                     .help = "CPU threads; 0: all cores, one for a model under 5 M parameters",
                     .min = 0,
                     .max = 4096});
  }
};

struct PlaceSpec : NewOutputSpec, ThreadsSpec {
  bool resume = false, dry_run = false, no_checkpoint = false, activation_checkpointing = false;
  std::int64_t checkpoint_every = 0, keep_checkpoints = 2;
  std::string write_outputs, tensorboard, stages, optimizer_state = "device";
  /// How many answers are decoded together decides their rounding alone, and a run that ran out of
  /// memory goes on with fewer.
  std::int64_t max_batch = 0;
  /// No option: `seawall run --dry-run` may count a large model's memory without loading it.
  bool sizes_may_do = false;

  static constexpr void visit(auto& self, auto&& field) {
    NewOutputSpec::visit(self, field, "run file to write, e.g. run.h5",
                         "replace an earlier run at --out");
    ThreadsSpec::visit(self, field);
    field(self.resume,
          OptionInfo{.name = "resume", .help = "continue from the latest checkpoint of --out"});
    field(self.dry_run, OptionInfo{.name = "dry-run",
                                   .help = "read and check everything, try one batch, estimate "
                                           "memory, disk and time, write nothing"});
    field(self.checkpoint_every,
          OptionInfo{.name = "checkpoint-every",
                     .help = "steps between checkpoints; 0: at the end and on a signal",
                     .min = 0,
                     .max = 1e9});
    field(self.keep_checkpoints,
          OptionInfo{
              .name = "keep-checkpoints", .help = "the last so many stay", .min = 1, .max = 1e6});
    field(self.no_checkpoint, OptionInfo{.name = "no-checkpoint", .help = "write none at all"});
    field(self.write_outputs,
          OptionInfo{.name = "write-outputs",
                     .help = "the answers as JSONL as well, for a tool that grades elsewhere; its "
                             "verdicts come back with `seawall judge` and --judge file:FILE"});
    field(self.tensorboard,
          OptionInfo{.name = "tensorboard",
                     .help = "folder of logs for TensorBoard, in which the run's own is called as "
                             "--out; steps and evaluations are there as soon as they are made"});
    field(self.stages,
          OptionInfo{.name = "stages",
                     .help = "folder that keeps what earlier stages of runs leave (alignment "
                             "stages); default: the user's cache; none"});
    field(self.activation_checkpointing,
          OptionInfo{.name = "activation-checkpointing",
                     .help = "keep each block's input alone for the backward pass, which computes "
                             "the block again: less memory, more time, the same bits"});
    field(self.optimizer_state,
          OptionInfo{.name = "optimizer-state",
                     .help = "where AdamW's moments stay: on --device, or on the cpu, from which "
                             "they pass through the device at each step, with the same bits",
                     .choices = "device|cpu"});
    field(
        self.max_batch,
        OptionInfo{
            .name = "max-batch", .help = "answers decoded together; 0: all", .min = 0, .max = 1e6});
  }
};

}  // namespace seawall
