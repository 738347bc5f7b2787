#include "seawall/text/gguf_pre.hpp"

#include <array>

namespace seawall {
namespace {

struct PreGroup {
  GgufPre pre;
  std::string_view names;  // each with a space before and after
};
constexpr std::array<PreGroup, 5> groups{{
    {{"gpt-2", false},
     " gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe "
     "gigachat a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling exaone4 "},
    {{"llama-bpe", true}, " llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 "},
    {{"llama-bpe", false}, " dbrx smaug-bpe glm4 chatglm-bpe "},
    {{"qwen2", false}, " qwen2 deepseek-r1-qwen kormo megrez stablelm2 hunyuan solar-open grok-2 "},
    {{"smollm", false}, " smollm starcoder refact command-r codeshell exaone minerva-7b "},
}};

}  // namespace

std::optional<GgufPre> gguf_pre(std::string_view name) {
  if (name.empty() || name.find(' ') != std::string_view::npos) return std::nullopt;
  const auto key = " " + std::string(name) + " ";
  for (const auto& group : groups)
    if (group.names.find(key) != std::string_view::npos) return group.pre;
  return std::nullopt;
}

std::string gguf_pre_names() {
  std::string out;
  for (const auto& group : groups)
    for (const char c : group.names.substr(1)) c == ' ' ? out += ", " : out += c;
  return out.substr(0, out.size() - 2);
}

}  // namespace seawall
