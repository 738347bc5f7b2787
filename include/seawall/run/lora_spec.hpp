#pragma once
// `--lora.*`: the adapter that a run trains.
#include <cstdint>
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct LoraSpec {
  std::int64_t rank = 0;  // 0: full fine-tuning
  double alpha = 16, dropout = 0;
  std::string targets = "q_proj,v_proj";  // as PEFT chooses for Llama
  bool operator==(const LoraSpec&) const = default;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.rank, OptionInfo{.name = "lora.rank",
                                .help = "train low-rank factors A [r,in] and B [out,r] beside "
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

}  // namespace seawall
