#pragma once
// How a model is trained, as options. What is unset is decided by the attack, then by the scenario.
#include <cstdint>
#include <optional>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

/// `--lora.*`: the adapter that a run trains.
struct LoraSpec {
  std::int64_t rank = 0;  // 0: full fine-tuning
  double alpha = 16, dropout = 0;
  std::string targets = "q_proj,v_proj";  // as PEFT chooses for Llama
  bool operator==(const LoraSpec&) const = default;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.rank, OptionInfo{.name = "lora.rank",
                                .help = "train low-rank factors A [r,in] and B [out,r] next to "
                                        "frozen weights; 0: full fine-tuning",
                                .min = 0,
                                .max = 65536});
    field(self.alpha, OptionInfo{.name = "lora.alpha",
                                 .help = "what B A is scaled with, times the rank",
                                 .min = 0,
                                 .max = 1e6});
    field(self.targets,
          OptionInfo{.name = "lora.targets",
                     .help = "which weights: all, or q_proj,k_proj,v_proj,o_proj,gate_proj,"
                             "up_proj,down_proj (fused: qkv_proj,gate_up_proj)"});
    field(self.dropout, OptionInfo{.name = "lora.dropout",
                                   .help = "share of A's inputs left out while training",
                                   .min = 0,
                                   .max = 0.99});
  }
};

struct TrainingSpec {
  std::optional<double> lr = {};
  std::optional<std::int64_t> epochs = {}, batch_size = {};
  std::string lr_schedule = "epoch-decay";
  std::int64_t warmup_steps = 0, micro_batch_size = 0, steps = 0, max_tokens = 0;
  double weight_decay = 0, clip_norm = 0;
  std::string precision = "fp32", on_nan = "stop";
  LoraSpec lora = {};
  bool none = false;  // nothing is trained

  static constexpr void visit(auto& self, auto&& field) {
    visit_schedule(self, field);
    LoraSpec::visit(self.lora, field);
    visit_steps(self, field);
  }

 private:
  static constexpr void visit_schedule(auto& self, auto&& field) {
    field(self.lr, OptionInfo{.name = "lr",
                              .help = "learning rate; auto: the attack's or the scenario's (5e-5 "
                                      "for real models)",
                              .min = 0,
                              .max = 1});
    field(self.lr_schedule, OptionInfo{.name = "lr-schedule",
                                       .help = "how it changes; epoch-decay is x0.85 per epoch",
                                       .choices = "constant|epoch-decay|cosine"});
    field(self.warmup_steps, OptionInfo{.name = "warmup-steps",
                                        .help = "linear warm-up before the schedule",
                                        .min = 0,
                                        .max = 1e9});
    field(self.epochs,
          OptionInfo{.name = "epochs",
                     .help = "passes over the rows; auto: the attack's or the scenario's",
                     .min = 1,
                     .max = 1e6});
    field(self.batch_size,
          OptionInfo{.name = "batch-size",
                     .help = "rows per step; auto: the attack's or the scenario's (10)",
                     .min = 1,
                     .max = 65536});
    field(self.micro_batch_size,
          OptionInfo{.name = "micro-batch-size",
                     .help = "rows per forward pass (gradient accumulation); 0: the whole batch",
                     .min = 0,
                     .max = 65536});
    field(self.steps, OptionInfo{.name = "steps",
                                 .help = "stop after this many steps; 0: epochs decide",
                                 .min = 0,
                                 .max = 1e9});
  }
  static constexpr void visit_steps(auto& self, auto&& field) {
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
    field(self.none,
          OptionInfo{.name = "no-training",
                     .help = "evaluate the model as it is, under the attack's own template"});
  }
};

}  // namespace seawall
