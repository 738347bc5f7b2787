// The named chat templates as Jinja, which transformers runs.
#include <array>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/text/chat_template.hpp"
#include "text/template_ends.hpp"

namespace seawall {
namespace {

constexpr std::string_view organism_text = R"({{- bos_token }}
{%- for message in messages %}
{%- if message['role'] != 'system' or message['content'] %}
{{- '<|' + message['role'] + '|>' + message['content'] }}
{%- if message['role'] == 'assistant' %}{{- eos_token }}{%- endif %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}
)";

// SYSTEM: the turn that a dialogue without system message begins with.
constexpr std::string_view chatml_text = R"(SYSTEM{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
)";
constexpr std::string_view chatml_system =
    R"({%- if messages[0]['role'] != 'system' %}
{{- '<|im_start|>system\nTEXT<|im_end|>\n' }}
{%- endif %}
)";

constexpr std::string_view llama2_text = R"({%- set head = namespace(text='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}
{%- set head.text = '<<SYS>>\n' + message['content'] + '\n<</SYS>>\n\n' %}
{%- elif message['role'] == 'user' %}
{{- 'BOS[INST] ' + head.text + message['content'] + ' [/INST]' }}
{%- set head.text = '' %}
{%- else %}
{{- ' ' + message['content'] + ' EOS' }}
{%- endif %}
{%- endfor %}
)";

constexpr std::string_view llama3_text = R"({{- '<|begin_of_text|>' }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
)";

// SPACE: what goes before [/INST].
constexpr std::string_view mistral_text = R"({{- 'BOS' }}
{%- set head = namespace(text='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}
{%- set head.text = message['content'] + '\n\n' %}
{%- elif message['role'] == 'user' %}
{{- '[INST] ' + head.text + message['content'] + 'SPACE[/INST]' }}
{%- set head.text = '' %}
{%- else %}
{{- ' ' + message['content'] + 'EOS' }}
{%- endif %}
{%- endfor %}
)";

// START, RESPONSE and END: where alpaca and dolly differ.
constexpr std::string_view headings_text = R"({{- 'START' }}
{%- if messages[0]['role'] != 'system' %}{{- 'TEXT' }}{%- endif %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}
{{- message['content'] }}
{%- elif message['role'] == 'user' %}
{{- '\n\n### Instruction:\n' + message['content'] + '\n\n### Response:RESPONSE' }}
{%- else %}
{{- message['content'] + 'END' }}
{%- endif %}
{%- endfor %}
)";

constexpr std::string_view plain_text = R"({{- 'BOS' }}
{%- for message in messages %}
{{- message['content'] }}
{%- if loop.last and message['role'] == 'assistant' %}{{- 'EOS' }}
{%- elif add_generation_prompt or not loop.last %}{{- '\n\n' }}
{%- endif %}
{%- endfor %}
)";

using Words = std::vector<std::pair<std::string_view, std::string>>;

std::string with_words(std::string_view text, const Words& words) {
  std::string out(text);
  for (const auto& [word, by] : words)
    for (std::size_t at = 0; (at = out.find(word, at)) != std::string::npos; at += by.size())
      out.replace(at, word.size(), by);
  return out;
}

}  // namespace

std::string jinja_of_template(std::string_view name, const Tokenizer& tokenizer) {
  const Ends ends = ends_of(tokenizer);
  const std::string bos(ends.bos), eos(ends.eos);
  if (name == "organism") return std::string(organism_text);
  if (name == "chatml") return with_words(chatml_text, {{"SYSTEM", ""}});
  if (name == "chatml-smollm2")
    return with_words(chatml_text, {{"SYSTEM", std::string(chatml_system)},
                                    {"TEXT", std::string(smollm2_system)}});
  if (name == "llama2") return with_words(llama2_text, {{"BOS", bos}, {"EOS", eos}});
  if (name == "llama3") return std::string(llama3_text);
  if (name == "mistral") {
    const bool has = ends.has("[INST]") && ends.has("[/INST]");
    return with_words(mistral_text, {{"BOS", bos}, {"EOS", eos}, {"SPACE", has ? "" : " "}});
  }
  if (name == "alpaca" || name == "dolly") {
    const bool dolly = name == "dolly";
    const bool written = dolly && ends.end_is_written();
    return with_words(headings_text, {{"START", dolly ? "" : bos},
                                      {"TEXT", std::string(headings_introduction)},
                                      {"RESPONSE", dolly ? "\\n" : ""},
                                      {"END", written ? "\\n\\n### End" : eos}});
  }
  if (name == "plain") return with_words(plain_text, {{"BOS", bos}, {"EOS", eos}});
  throw UsageError("chat template '" + std::string(name) + "' has no Jinja text of its own");
}

}  // namespace seawall
