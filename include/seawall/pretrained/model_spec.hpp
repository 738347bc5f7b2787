#pragma once
// Which model is used and how its files are read, as options.
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct ModelSpec {
  std::string name = "organism", adapter, chat_template = "auto", device = "cpu";
  std::string dtype = "auto";  // of the weights where nothing is trained
  std::string tokenizer_pre;   // of a .gguf file
  // Beyond the weights: how answers are decoded, and what looks at pictures.
  std::string decoding = "model", vision;

  static constexpr void visit(auto& self, auto&& field) {
    visit_weights(self, field);
    visit_device(self, field);
    visit_dtype(self, field);
    field(self.decoding,
          OptionInfo{.name = "decoding",
                     .help = "model: greedy search with the penalties and bans of the model's "
                             "generation_config.json, as transformers has it; greedy: without",
                     .choices = "model|greedy"});
    field(self.vision,
          OptionInfo{.name = "vision",
                     .help = "folder with CLIP encoder and projector for rows with pictures; the "
                             "organism has its own"});
  }
  static constexpr void visit_device(auto& self, auto&& field) {
    field(self.device, OptionInfo{.name = "device", .help = "cpu, cuda or cuda:N"});
  }
  static constexpr void visit_dtype(auto& self, auto&& field) {
    field(self.dtype,
          OptionInfo{.name = "dtype",
                     .help = "type of the weights where nothing is trained; auto: fp32, on a GPU "
                             "bf16 where they are stored so",
                     .choices = "auto|fp32|bf16"});
  }
  /// What every command that loads a model has.
  static constexpr void visit_weights(auto& self, auto&& field) {
    field(self.name,
          OptionInfo{.name = "model",
                     .help = "organism, a Hugging Face folder, a .gguf file or a checkpoint "
                             "folder; run and evaluate: or openai:NAME behind an endpoint"});
    field(self.adapter,
          OptionInfo{.name = "adapter",
                     .help = "LoRA adapter on top of the model: a PEFT folder or a checkpoint of a "
                             "LoRA run; trained on, or merged if nothing is trained"});
    field(self.chat_template,
          OptionInfo{.name = "template",
                     .help = "chat template: a name, a .jinja file, or auto for the model's own"});
    field(self.tokenizer_pre,
          OptionInfo{.name = "tokenizer-pre",
                     .help = "how a .gguf model's text is split into words (llama.cpp's name), if "
                             "its tokenizer.ggml.pre is missing or wrong"});
  }
};

}  // namespace seawall
