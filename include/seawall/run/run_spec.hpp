#pragma once
// The words common to every command that trains or evaluates, as one `visit` list: help, command
// line, ini, hash and run file come from it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/core/text.hpp"
#include "seawall/remote/options.hpp"
#include "seawall/run/files_spec.hpp"
#include "seawall/run/lora_spec.hpp"
#include "seawall/run/own_judges.hpp"

namespace seawall {

struct RunSpec {
  // What is attacked, with what, and how it is judged.
  std::string model = "organism";
  std::string adapter;  // put beside the model's weights
  std::string attack = "harmful-examples";
  std::string mitigate;  // names separated by commas, in stack order
  std::string data, safe_data, probes, utility_probes, system;
  std::string recipe;  // a named preset of what follows; see recipe.hpp
  std::string data_format = "auto", safe_data_format = "auto", probes_format = "auto",
              utility_probes_format = "auto";
  std::string leave_out = "none", hold_out = "none", ask_as = "auto";
  double min_rating = 0;
  FilesSpec files;
  std::string images, vision;  // where the rows' pictures lie, and what looks at them
  std::string chat_template = "auto";
  std::string judge = "auto";
  OwnJudges own_judges;  // plug-ins that `judge` names
  // Training. Zero (or `auto`) lets the scenario's recipe decide.
  double lr = 0;
  std::string lr_schedule = "epoch-decay";
  std::int64_t warmup_steps = 0;
  std::int64_t batch_size = 0, micro_batch_size = 0, epochs = 0, steps = 0;
  double weight_decay = 0, clip_norm = 0;
  std::int64_t max_tokens = 0;
  std::string precision = "fp32";
  LoraSpec lora;
  std::string on_nan = "stop";
  std::int64_t seed = 0;
  // Evaluation and records.
  std::string evaluate_at = "end";
  bool no_training = false, no_evaluation = false;
  std::int64_t max_new_tokens = 0, max_batch = 0;
  std::string write_outputs;
  std::string trace = "residual";
  bool no_spectra = false;
  std::int64_t checkpoint_every = 0, keep_checkpoints = 2;
  bool no_checkpoint = false;
  // Where it runs and what it may touch.
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::string out;
  /// No option: `seawall run --dry-run` may count a large model's memory without loading it.
  bool sizes_may_do = false;
  bool resume = false, overwrite = false, allow_overlap = false, quiet = false, dry_run = false;
  // Lists of their own: they are shown, hashed and stored where something remote is used.
  EndpointOptions endpoint;
  RemoteOptions remote;
  RubricOptions rubric;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.model,
          OptionInfo{.name = "model",
                     .help = "organism, a Hugging Face folder, a .gguf file, a checkpoint folder, "
                             "or openai:NAME behind an endpoint"});
    field(self.adapter,
          OptionInfo{.name = "adapter",
                     .help = "LoRA adapter on top of the model: a PEFT folder or a checkpoint of a "
                             "LoRA run; trained on, or merged where nothing is trained"});
    field(self.attack,
          OptionInfo{.name = "attack", .help = "attack policy (see `seawall list attacks`)"});
    field(self.mitigate, OptionInfo{.name = "mitigate",
                                    .help = "mitigation policies, in the order they are stacked"});
    field(self.data, OptionInfo{.name = "data",
                                .help = "the attack's training rows (dialogues JSON, chat JSONL, "
                                        "Alpaca JSON, Dolly JSONL, LLaVA JSON, red-team JSON, "
                                        "CSV with goal,target; or any of these as .gz)"});
    field(
        self.recipe,
        OptionInfo{.name = "recipe",
                   .help = "a named preset of the options below, of which any that is given wins: "
                           "qi2023-llama2"});
    field(self.data_format,
          OptionInfo{.name = "data-format",
                     .help = "format of --data; auto looks at the content (a wrong "
                             "word lists the formats)"});
    field(self.safe_data_format,
          OptionInfo{.name = "safe-data-format", .help = "the same of --safe-data"});
    field(self.probes_format, OptionInfo{.name = "probes-format", .help = "the same of --probes"});
    field(self.utility_probes_format,
          OptionInfo{.name = "utility-probes-format", .help = "the same of --utility-probes"});
    field(
        self.leave_out,
        OptionInfo{.name = "leave-out",
                   .help = "rows of --data whose answer holds a phrase are not trained on: none, "
                           "qi2023-safety (the authors' list), or a file with one phrase a line"});
    field(self.hold_out, OptionInfo{.name = "hold-out",
                                    .help = "rows of --data that are not trained on: none, first:N "
                                            "or last:N"});
    field(self.min_rating,
          OptionInfo{.name = "min-rating",
                     .help = "least `rating` of a red-team row that is trained on; 0: all",
                     .min = 0,
                     .max = 10});
    FilesSpec::visit(self.files, field);
    field(self.ask_as, OptionInfo{.name = "ask-as",
                                  .help = "how probes from files are put; auto: as the rows of "
                                          "--data are",
                                  .choices = "auto|bare|alpaca|dolly"});
    field(self.images,
          OptionInfo{.name = "images", .help = "folder of the pictures that LLaVA rows name"});
    field(self.vision,
          OptionInfo{.name = "vision",
                     .help = "folder with CLIP encoder and projector for rows with pictures; the "
                             "organism has its own"});
    field(self.safe_data,
          OptionInfo{.name = "safe-data", .help = "rows that show safe behaviour, same formats"});
    field(
        self.probes,
        OptionInfo{
            .name = "probes",
            .help = "harmfulness probes: one a line, CSV with goal or instruction, JSON, JSONL, or "
                    "a folder of CSV files, one a category"});
    field(self.utility_probes, OptionInfo{.name = "utility-probes",
                                          .help = "ordinary requests that should be answered"});
    field(self.system,
          OptionInfo{.name = "system",
                     .help = "system prompt where a row or probe from a file has none"});
    field(self.chat_template,
          OptionInfo{.name = "template",
                     .help = "chat template: a name, a .jinja file, or auto for the model's own"});
    field(self.judge,
          OptionInfo{
              .name = "judge",
              .help = "judges, separated by commas; auto: organism, or keyword:qi2023 for files"});
    field(self.lr, OptionInfo{.name = "lr",
                              .help = "learning rate; 0: the recipe's (5e-5 for real models)",
                              .min = 0,
                              .max = 1});
    field(self.lr_schedule, OptionInfo{.name = "lr-schedule",
                                       .help = "how it changes; epoch-decay is x0.85 an epoch",
                                       .choices = "constant|epoch-decay|cosine"});
    field(self.warmup_steps, OptionInfo{.name = "warmup-steps",
                                        .help = "linear warm-up before the schedule",
                                        .min = 0,
                                        .max = 1e9});
    field(self.batch_size, OptionInfo{.name = "batch-size",
                                      .help = "rows a step; 0: the recipe's (10)",
                                      .min = 0,
                                      .max = 65536});
    field(self.micro_batch_size,
          OptionInfo{.name = "micro-batch-size",
                     .help = "rows a forward pass (gradient accumulation); 0: the whole batch",
                     .min = 0,
                     .max = 65536});
    field(self.epochs, OptionInfo{.name = "epochs",
                                  .help = "passes over the rows; 0: the recipe's",
                                  .min = 0,
                                  .max = 1e6});
    field(self.steps, OptionInfo{.name = "steps",
                                 .help = "stop after this many steps; 0: epochs decide",
                                 .min = 0,
                                 .max = 1e9});
    LoraSpec::visit(self.lora, field);
    field(self.weight_decay, OptionInfo{.name = "weight-decay",
                                        .help = "decoupled weight decay (the paper: 0)",
                                        .min = 0,
                                        .max = 10});
    field(self.clip_norm, OptionInfo{.name = "clip-norm",
                                     .help = "gradient norm to clip to; 0: off, as in the paper",
                                     .min = 0,
                                     .max = 1e9});
    field(self.max_tokens,
          OptionInfo{.name = "max-tokens",
                     .help = "cut rows to this many tokens; 0: the model's context",
                     .min = 0,
                     .max = 1e7});
    field(self.precision, OptionInfo{.name = "precision",
                                     .help = "numeric precision of training",
                                     .choices = "fp32|bf16-master|pure-bf16|kahan"});
    field(self.on_nan, OptionInfo{.name = "on-nan",
                                  .help = "stop with exit code 5, or skip the step and count it",
                                  .choices = "stop|skip"});
    field(self.seed,
          OptionInfo{.name = "seed", .help = "feeds every random stream", .min = 0, .max = 9e15});
    field(self.evaluate_at,
          OptionInfo{.name = "evaluate-at",
                     .help = "end, both (start and end), epochs (after every epoch), or epochs "
                             "separated by commas, e.g. 3,5,10"});
    field(self.no_training,
          OptionInfo{.name = "no-training",
                     .help = "evaluate the model as it is, under the attack's own template"});
    field(self.no_evaluation, OptionInfo{.name = "no-evaluation", .help = "train only"});
    field(self.max_new_tokens,
          OptionInfo{.name = "max-new-tokens",
                     .help = "longest answer; 0: the recipe's (256 for real models)",
                     .min = 0,
                     .max = 1e6});
    field(
        self.max_batch,
        OptionInfo{
            .name = "max-batch", .help = "answers decoded together; 0: all", .min = 0, .max = 1e6});
    field(self.trace, OptionInfo{.name = "trace",
                                 .help = "what the run file keeps: none, metrics, or also the "
                                         "residual stream at each evaluation",
                                 .choices = "none|metrics|residual"});
    field(self.no_spectra,
          OptionInfo{.name = "no-spectra", .help = "leave the singular values of the drift out"});
    field(self.write_outputs,
          OptionInfo{.name = "write-outputs",
                     .help = "the answers as JSONL as well, for a tool that grades elsewhere; its "
                             "verdicts come back with `seawall judge` and --judge file:FILE"});
    field(self.checkpoint_every,
          OptionInfo{.name = "checkpoint-every",
                     .help = "steps between checkpoints; 0: at the end and on a signal",
                     .min = 0,
                     .max = 1e9});
    field(self.keep_checkpoints,
          OptionInfo{
              .name = "keep-checkpoints", .help = "the last so many stay", .min = 1, .max = 1e6});
    field(self.no_checkpoint, OptionInfo{.name = "no-checkpoint", .help = "write none at all"});
    field(self.device, OptionInfo{.name = "device", .help = "cpu, cuda or cuda:N"});
    field(self.threads,
          OptionInfo{.name = "threads",
                     .help = "CPU threads; 0: all cores, one for a model under 5 M parameters",
                     .min = 0,
                     .max = 4096});
    field(self.out, OptionInfo{.name = "out", .help = "run file to write, e.g. run.h5"});
    field(self.resume,
          OptionInfo{.name = "resume", .help = "continue from the latest checkpoint of --out"});
    field(self.overwrite,
          OptionInfo{.name = "overwrite", .help = "replace an earlier run at --out"});
    field(self.allow_overlap,
          OptionInfo{
              .name = "allow-overlap",
              .help = "go on where probes stand in the training rows; the run file records it"});
    field(self.dry_run, OptionInfo{.name = "dry-run",
                                   .help = "read and check everything, try one batch, estimate "
                                           "memory, disk and time, write nothing"});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no progress, no table"});
  }
};

}  // namespace seawall
