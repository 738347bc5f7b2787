#pragma once
// The names of tokenizer.ggml.pre whose splitting is known here.
#include <optional>
#include <string>
#include <string_view>

namespace seawall {

/// The splitting that a name means. Source: llama.cpp, src/llama-vocab.cpp.
struct GgufPre {
  std::string_view pattern;    // as PreTokenizer::named has it
  bool ignore_merges = false;  // a word that is a token is taken whole
};
/// nullopt for a name whose splitting is not known here, `default` among them.
std::optional<GgufPre> gguf_pre(std::string_view name);
/// All names, with commas between.
std::string gguf_pre_names();

}  // namespace seawall
