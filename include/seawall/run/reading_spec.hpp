#pragma once
// How a model's own files are read: its generation settings, and a splitting that a .gguf lacks.
#include <string>

#include "seawall/core/options.hpp"

namespace seawall {

struct ReadingSpec {
  std::string decoding = "model", tokenizer_pre;

  static constexpr void visit(auto& self, auto&& field) {
    field(self.decoding,
          OptionInfo{.name = "decoding",
                     .help = "model: greedy search with the penalties and bans of the model's "
                             "generation_config.json, as transformers has it; greedy: without",
                     .choices = "model|greedy"});
    visit_pre(self, field);
  }
  static constexpr void visit_pre(auto& self, auto&& field) {
    field(self.tokenizer_pre,
          OptionInfo{.name = "tokenizer-pre",
                     .help = "how a .gguf model's text is split into words (llama.cpp's name), "
                             "where its tokenizer.ggml.pre is missing or wrong"});
  }
};

}  // namespace seawall
