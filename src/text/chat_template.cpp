// The named chat templates.
#include "seawall/text/chat_template.hpp"

#include <array>
#include <utility>

#include "seawall/core/error.hpp"
#include "text/chat_runs.hpp"
#include "text/jinja/texts.hpp"
#include "text/template_ends.hpp"

namespace seawall {
namespace {

/// What the named templates share: they differ in how a dialogue becomes runs.
class NamedTemplate : public RunTemplate {
 public:
  using RunTemplate::RunTemplate;

  TokenIds stop_ids(const Tokenizer& tokenizer) const override {
    return {control_id(name(), end_token(ends_of(tokenizer)), tokenizer)};
  }

 protected:
  std::string written(const Dialogue& dialogue, bool generate) const override {
    std::string text;
    const auto runs = write(dialogue, {}, generate);
    for (const auto& run : runs.all()) text += run.text;
    return text;
  }
  virtual Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const = 0;
  virtual std::string_view end_token(const Ends& ends) const { return ends.eos; }

  void check(const Dialogue& dialogue, bool generate, bool example) const override {
    for (std::size_t i = 1; i < dialogue.messages.size(); ++i) {
      if (dialogue.messages[i].role == Role::system) {
        fail("message " + std::to_string(i + 1) + " has role system, want it first");
      }
    }
    if (dialogue.messages.size() == 1 && dialogue.messages[0].role == Role::system) {
      fail("the dialogue has a system message only");
    }
    RunTemplate::check(dialogue, generate, example);
  }
  /// Errors where user and assistant do not alternate, the user first.
  void want_turns(const Dialogue& dialogue) const {
    auto expected = Role::user;
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto role = dialogue.messages[i].role;
      if (role == Role::system) continue;
      if (role != expected) {
        fail("message " + std::to_string(i + 1) + " has role " + std::string(role_name(role)) +
             ", want user and assistant in turn");
      }
      expected = role == Role::user ? Role::assistant : Role::user;
    }
  }

 private:
  Runs make_runs(const Dialogue& dialogue, const Tokenizer& tokenizer,
                 Purpose purpose) const override {
    return write(dialogue, ends_of(tokenizer), purpose == Purpose::prompt);
  }
};

/// `<|im_start|>role\ncontent<|im_end|>\n`.
class ChatMl final : public NamedTemplate {
 public:
  ChatMl(std::string name, std::string default_system)
      : NamedTemplate(std::move(name)), default_system_(std::move(default_system)) {}

 private:
  Runs write(const Dialogue& dialogue, const Ends&, bool generate) const override {
    Runs runs;
    const auto add = [&](std::string_view role, std::string_view content, bool target) {
      runs.control("<|im_start|>");
      runs.text(role);
      runs.text("\n");
      runs.answer(content, target);
      runs.control("<|im_end|>", target);
      runs.text("\n");
    };
    if (!default_system_.empty() && dialogue.messages[0].role != Role::system) {
      add("system", default_system_, false);
    }
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& message = dialogue.messages[i];
      add(role_name(message.role), message.content, dialogue.carries_loss(i));
    }
    if (generate) {
      runs.control("<|im_start|>");
      runs.text("assistant\n");
    }
    return runs;
  }
  std::string_view end_token(const Ends&) const override { return "<|im_end|>"; }

  std::string default_system_;
};

/// The exact string of the Llama-2 chat models: one BOS ... EOS for each pair of turns.
/// Source: Qi et al. 2023, code: llama2/ft_datasets (the contents are not stripped, as there).
class Llama2 final : public NamedTemplate {
 public:
  Llama2() : NamedTemplate("llama2") {}

 private:
  Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    want_turns(dialogue);
    Runs runs;
    std::string system;
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      if (role == Role::system) {
        system = "<<SYS>>\n" + content + "\n<</SYS>>\n\n";
      } else if (role == Role::user) {
        runs.control(ends.bos);
        runs.text("[INST] " + std::exchange(system, {}) + content + " [/INST]");
      } else {
        runs.answer(" " + content + " ", dialogue.carries_loss(i));
        runs.control(ends.eos, dialogue.carries_loss(i));
      }
    }
    (void)generate;  // a prompt ends with [/INST] as it stands
    return runs;
  }
};

/// Llama 3's: every turn in a header of its own, contents stripped.
/// Source: Meta's llama3 repository, ChatFormat.
class Llama3 final : public NamedTemplate {
 public:
  Llama3() : NamedTemplate("llama3") {}

 private:
  Runs write(const Dialogue& dialogue, const Ends&, bool generate) const override {
    Runs runs;
    runs.control("<|begin_of_text|>");
    const auto header = [&](std::string_view role) {
      runs.control("<|start_header_id|>");
      runs.text(role);
      runs.control("<|end_header_id|>");
      runs.text("\n\n");
    };
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& message = dialogue.messages[i];
      header(role_name(message.role));
      runs.answer(
          jinja::stripped(jinja::Text(message.content), jinja::Side::both, std::nullopt).bytes,
          dialogue.carries_loss(i));
      runs.control("<|eot_id|>", dialogue.carries_loss(i));
    }
    if (generate) header("assistant");
    return runs;
  }
  std::string_view end_token(const Ends&) const override { return "<|eot_id|>"; }
};

/// Mistral 7B Instruct's: BOS once, `[INST] user [/INST] answer` and EOS for each pair of turns. A
/// system message goes before the first user turn, with an empty line between, as its own code
/// does. `[INST]` is a control token where the tokenizer has it as one (version 3), else text.
/// Source: the model card of Mistral-7B-Instruct.
class Mistral final : public NamedTemplate {
 public:
  Mistral() : NamedTemplate("mistral") {}

 private:
  Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    want_turns(dialogue);
    const bool has = ends.has("[INST]") && ends.has("[/INST]");
    Runs runs;
    runs.control(ends.bos);
    std::string system;
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      if (role == Role::system) {
        system = content + "\n\n";
      } else if (role == Role::user) {
        has ? runs.control("[INST]") : runs.text("[INST]");
        runs.text(" " + std::exchange(system, {}) + content + (has ? "" : " "));
        has ? runs.control("[/INST]") : runs.text("[/INST]");
      } else {
        runs.answer(" " + content, dialogue.carries_loss(i));
        runs.control(ends.eos, dialogue.carries_loss(i));
      }
    }
    (void)generate;
    return runs;
  }
};

/// Instruction and response under headings, as base models are tuned: an introduction (a system
/// message takes its place), then each user turn under `### Instruction:` and each answer under
/// `### Response:`.
///
/// alpaca ends `### Response:` without a line end and the answer with EOS.
/// Source: Stanford Alpaca, train.py, PROMPT_DICT without input.
///
/// dolly puts a line end before the answer and `### End` after it, a token of Dolly's own
/// tokenizer; on a tokenizer without it EOS ends the answer.
/// Source: Databricks Dolly, training/consts.py, PROMPT_NO_INPUT_FORMAT.
class Headings final : public NamedTemplate {
 public:
  explicit Headings(bool dolly) : NamedTemplate(dolly ? "dolly" : "alpaca"), dolly_(dolly) {}

 private:
  Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    want_turns(dialogue);
    Runs runs;
    if (!dolly_) runs.control(ends.bos);
    const bool has_system = dialogue.messages[0].role == Role::system;
    runs.text(has_system ? dialogue.messages[0].content : std::string(headings_introduction));
    for (std::size_t i = has_system ? 1 : 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      const bool target = dialogue.carries_loss(i);
      if (role == Role::user) {
        heading(runs, ends, "\n\n", "### Instruction:", "\n");
        runs.text(content);
        heading(runs, ends, "\n\n", "### Response:", dolly_ ? "\n" : "");
      } else if (dolly_ && ends.end_is_written()) {
        runs.answer(content + "\n\n", target);
        runs.control(dolly_end, target);
      } else {
        runs.answer(content, target);
        runs.control(ends.eos, target);
      }
    }
    (void)generate;
    return runs;
  }
  /// Dolly's tokenizer has some headings as tokens, with their line end.
  static void heading(Runs& runs, const Ends& ends, std::string_view before, std::string_view name,
                      std::string_view after) {
    runs.text(before);
    const auto whole = std::string(name) + std::string(after);
    if (ends.has(whole)) return runs.control(whole);
    ends.has(name) ? runs.control(name) : runs.text(name);
    runs.text(after);
  }
  std::string_view end_token(const Ends& ends) const override {
    return dolly_ && ends.end_is_written() ? dolly_end : ends.eos;
  }

  bool dolly_;
};

/// The built-in organism's: `<s><|system|>...<|user|>...<|assistant|>...</s>`, the system part only
/// where there is one.
class Organism final : public NamedTemplate {
 public:
  Organism() : NamedTemplate("organism") {}

 private:
  Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    Runs runs;
    runs.control(ends.bos);
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      if (role == Role::system && content.empty()) continue;
      runs.control("<|" + std::string(role_name(role)) + "|>");
      runs.answer(content, dialogue.carries_loss(i));
      if (role == Role::assistant) runs.control(ends.eos, dialogue.carries_loss(i));
    }
    if (generate) runs.control("<|assistant|>");
    return runs;
  }
};

/// No markers at all: contents with an empty line between them; for base models.
class Plain final : public NamedTemplate {
 public:
  Plain() : NamedTemplate("plain") {}

 private:
  Runs write(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    Runs runs;
    runs.control(ends.bos);
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      runs.answer(content, dialogue.carries_loss(i));
      if (role == Role::assistant && i + 1 == dialogue.messages.size()) {
        runs.control(ends.eos, dialogue.carries_loss(i));
      } else if (generate || i + 1 < dialogue.messages.size()) {
        runs.text("\n\n");
      }
    }
    return runs;
  }
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> words{
    {{"alpaca", "### Instruction: and ### Response:, with Alpaca's preamble in the system turn"},
     {"chatml", "<|im_start|>role … <|im_end|>, as Qwen"},
     {"chatml-smollm2", "the same with SmolLM2's default system prompt"},
     {"dolly", "as alpaca, with the text to an instruction under Input:"},
     {"llama2", "[INST] <<SYS>> … [/INST]"},
     {"llama3", "<|start_header_id|>role<|end_header_id|> … <|eot_id|>"},
     {"mistral", "[INST] … [/INST], the system text before the first request"},
     {"organism", "the built-in model's own"},
     {"plain", "texts alone, for models without a chat format"}}};

}  // namespace

Ends ends_of(const Tokenizer& tokenizer) {
  // The names only have to lead back to the ids: SentencePiece models are free to call them
  // otherwise.
  Ends ends{.bos = {}, .eos = {}, .tokenizer = &tokenizer};
  for (const auto* name : {"<s>", "<|begin_of_text|>"}) {
    const auto id = tokenizer.id_of(name);
    if (id && id == tokenizer.bos_id()) ends.bos = name;
  }
  for (const auto* name : {"</s>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>"}) {
    const auto id = tokenizer.id_of(name);
    if (id && id == tokenizer.eos_id()) ends.eos = name;
  }
  if (ends.eos.empty()) ends.eos = "</s>";
  return ends;
}

std::unique_ptr<ChatTemplate> make_chat_template(std::string_view name) {
  if (name == "chatml") return std::make_unique<ChatMl>("chatml", "");
  if (name == "chatml-smollm2") {
    return std::make_unique<ChatMl>("chatml-smollm2", std::string(smollm2_system));
  }
  if (name == "alpaca" || name == "dolly") return std::make_unique<Headings>(name == "dolly");
  if (name == "llama2") return std::make_unique<Llama2>();
  if (name == "llama3") return std::make_unique<Llama3>();
  if (name == "mistral") return std::make_unique<Mistral>();
  if (name == "organism") return std::make_unique<Organism>();
  if (name == "plain") return std::make_unique<Plain>();
  std::string known;
  for (const auto& [word, what] : words) known += (known.empty() ? "" : ", ") + std::string(word);
  throw UsageError("chat template '" + std::string(name) +
                   "' is not known, want a .jinja file or one of: " + known);
}

std::vector<std::pair<std::string, std::string>> chat_template_words() {
  return {words.begin(), words.end()};
}

}  // namespace seawall
