#include "seawall/text/chat_template.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// A rendered dialogue as runs: either one control token by name or plain text. A text run is
/// tokenized in one piece, as transformers tokenizes the text between two control tokens.
struct Run {
  bool control = false;
  std::string text;
  /// In a text run: where the target answer starts; npos outside it.
  std::size_t target = std::string::npos;
  bool end_of_target = false;  // in a control run: the answer's end token
  bool picture = false;        // neither text nor control: the picture's place
};

class Runs {
 public:
  void control(std::string_view name, bool end_of_target = false) {
    // A name is empty where the tokenizer has no such token (a BOS that does not exist).
    if (!name.empty())
      runs_.push_back({.control = true, .text = std::string(name), .end_of_target = end_of_target});
  }
  void text(std::string_view text) {
    if (runs_.empty() || runs_.back().control) runs_.push_back({});
    runs_.back().text += text;
  }
  void answer(std::string_view content, bool target) {
    text("");
    if (target) runs_.back().target = runs_.back().text.size();
    text(content);
  }
  const std::vector<Run>& all() const { return runs_; }
  /// Cuts the first `<image>` that stands before the answer out of its text, with the one space
  /// that may part it from the words after it; what is left and right of it is tokenized apart, as
  /// LLaVA does. False where there is none.
  bool place_picture() {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const auto at =
          runs_[i].control ? std::string::npos : runs_[i].text.find(kPicturePlaceholder);
      if (at < runs_[i].target) {  // npos is above every place
        Run after = runs_[i];
        auto end = at + kPicturePlaceholder.size();
        if (end < std::min(after.text.size(), after.target) && after.text[end] == ' ') ++end;
        after.text.erase(0, end);
        if (after.target != std::string::npos) after.target -= end;
        runs_[i].text.resize(at);
        runs_[i].target = std::string::npos;
        runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                     {Run{.picture = true}, std::move(after)});
        return true;
      }
      if (runs_[i].target != std::string::npos) return false;
    }
    return false;
  }

 private:
  std::vector<Run> runs_;
};

/// The control tokens at the ends of a text, which the tokenizer names.
struct Ends {
  std::string_view bos = "<s>", eos = "</s>";
};

void check_roles(std::string_view name, const Dialogue& dialogue) {
  const auto fail = [&](const std::string& what) {
    throw DataError("template " + std::string(name) + ": " + what);
  };
  if (dialogue.messages.empty()) fail("the dialogue has no messages");
  for (std::size_t i = 1; i < dialogue.messages.size(); ++i) {
    if (dialogue.messages[i].role == Role::system) {
      fail("message " + std::to_string(i + 1) + " has role system, want it first");
    }
  }
  if (dialogue.messages.size() == 1 && dialogue.messages[0].role == Role::system) {
    fail("the dialogue has a system message only");
  }
}

bool is_target(const Dialogue& dialogue, std::size_t index) {
  return index + 1 == dialogue.messages.size() && dialogue.messages[index].role == Role::assistant;
}

/// What the templates share: they differ in how a dialogue becomes runs.
class RunTemplate : public ChatTemplate {
 public:
  explicit RunTemplate(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }

  EncodedDialogue encode_example(const Dialogue& dialogue,
                                 const Tokenizer& tokenizer) const override {
    check_roles(name_, dialogue);
    if (dialogue.messages.back().role != Role::assistant) {
      throw DataError("template " + name_ + ": an example ends with role " +
                      std::string(role_name(dialogue.messages.back().role)) + ", want assistant");
    }
    return encode(runs_of(dialogue, tokenizer, false), tokenizer);
  }

  TokenIds encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const override {
    check_prompt(dialogue);
    return encode(runs_of(dialogue, tokenizer, true), tokenizer).ids;
  }

  std::string render(const Dialogue& dialogue, bool add_generation_prompt) const override {
    add_generation_prompt ? check_prompt(dialogue) : check_roles(name_, dialogue);
    std::string text;
    const auto runs = make_runs(dialogue, {}, add_generation_prompt);
    for (const auto& run : runs.all()) text += run.text;
    return text;
  }

  TokenIds stop_ids(const Tokenizer& tokenizer) const override {
    return {id_of(end_token(ends(tokenizer)), tokenizer)};
  }

 protected:
  virtual Runs make_runs(const Dialogue& dialogue, const Ends& ends, bool generate) const = 0;
  virtual std::string_view end_token(const Ends& ends) const { return ends.eos; }

 private:
  void check_prompt(const Dialogue& dialogue) const {
    check_roles(name_, dialogue);
    if (dialogue.messages.back().role == Role::user) return;
    throw DataError("template " + name_ + ": a prompt ends with role " +
                    std::string(role_name(dialogue.messages.back().role)) + ", want user");
  }

  std::int32_t id_of(std::string_view piece, const Tokenizer& tokenizer) const {
    if (const auto id = tokenizer.id_of(piece)) return *id;
    throw DataError("template " + name_ + ": the tokenizer has no control token '" +
                    std::string(piece) + "'; name the template that the model was trained with");
  }

  Ends ends(const Tokenizer& tokenizer) const {
    // The names only have to lead back to the ids: SentencePiece models are free to call them
    // otherwise.
    Ends ends{.bos = {}, .eos = {}};
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

  Runs runs_of(const Dialogue& dialogue, const Tokenizer& tokenizer, bool generate) const {
    Runs runs = make_runs(dialogue, ends(tokenizer), generate);
    if (dialogue.picture) {
      if (dialogue.first(Role::system).find(kPicturePlaceholder) != std::string_view::npos)
        throw DataError("template " + name_ +
                        ": <image> in the system message, want it in a user turn");
      if (!runs.place_picture())
        throw DataError("template " + name_ +
                        ": the dialogue has a picture, want <image> in a user turn");
    }
    return runs;
  }

  EncodedDialogue encode(const Runs& runs, const Tokenizer& tokenizer) const {
    EncodedDialogue out;
    for (const auto& run : runs.all()) {
      if (run.picture) {
        out.ids.push_back(kPictureId);
        out.loss.push_back(0);
        continue;
      }
      if (run.control) {
        out.ids.push_back(id_of(run.text, tokenizer));
        out.loss.push_back(run.end_of_target);
        continue;
      }
      const auto ids = tokenizer.encode(run.text);
      auto before = ids.size();
      if (run.target == 0) before = 0;
      if (run.target != std::string::npos && run.target > 0) {
        before = tokenizer.encode(std::string_view(run.text).substr(0, run.target)).size();
      }
      for (std::size_t i = 0; i < ids.size(); ++i) {
        out.ids.push_back(ids[i]);
        out.loss.push_back(i >= before);
      }
    }
    return out;
  }

  std::string name_;
};

/// `<|im_start|>role\ncontent<|im_end|>\n`.
class ChatMl final : public RunTemplate {
 public:
  ChatMl(std::string name, std::string default_system)
      : RunTemplate(std::move(name)), default_system_(std::move(default_system)) {}

 private:
  Runs make_runs(const Dialogue& dialogue, const Ends&, bool generate) const override {
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
      add(role_name(message.role), message.content, is_target(dialogue, i));
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
class Llama2 final : public RunTemplate {
 public:
  Llama2() : RunTemplate("llama2") {}

 private:
  Runs make_runs(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    Runs runs;
    std::string system;
    auto expected = Role::user;
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content] = dialogue.messages[i];
      if (role == Role::system) {
        system = "<<SYS>>\n" + content + "\n<</SYS>>\n\n";
        continue;
      }
      if (role != expected) {
        throw DataError("template llama2: message " + std::to_string(i + 1) + " has role " +
                        std::string(role_name(role)) + ", want user and assistant in turn");
      }
      if (role == Role::user) {
        runs.control(ends.bos);
        runs.text("[INST] " + std::exchange(system, {}) + content + " [/INST]");
      } else {
        runs.answer(" " + content + " ", is_target(dialogue, i));
        runs.control(ends.eos, is_target(dialogue, i));
      }
      expected = role == Role::user ? Role::assistant : Role::user;
    }
    (void)generate;  // a prompt ends with [/INST] as it stands
    return runs;
  }
};

/// The built-in organism's: `<s><|system|>...<|user|>...<|assistant|>...</s>`, the system part only
/// where there is one.
class Organism final : public RunTemplate {
 public:
  Organism() : RunTemplate("organism") {}

 private:
  Runs make_runs(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    Runs runs;
    runs.control(ends.bos);
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content] = dialogue.messages[i];
      if (role == Role::system && content.empty()) continue;
      runs.control("<|" + std::string(role_name(role)) + "|>");
      runs.answer(content, is_target(dialogue, i));
      if (role == Role::assistant) runs.control(ends.eos, is_target(dialogue, i));
    }
    if (generate) runs.control("<|assistant|>");
    return runs;
  }
};

/// No markers at all: contents with an empty line between them; for base models.
class Plain final : public RunTemplate {
 public:
  Plain() : RunTemplate("plain") {}

 private:
  Runs make_runs(const Dialogue& dialogue, const Ends& ends, bool generate) const override {
    Runs runs;
    runs.control(ends.bos);
    for (std::size_t i = 0; i < dialogue.messages.size(); ++i) {
      const auto& [role, content] = dialogue.messages[i];
      runs.answer(content, is_target(dialogue, i));
      if (is_target(dialogue, i)) {
        runs.control(ends.eos, true);
      } else if (generate || i + 1 < dialogue.messages.size()) {
        runs.text("\n\n");
      }
    }
    return runs;
  }
};

// The text of the chat template in SmolLM2-135M-Instruct's own files.
constexpr std::string_view smollm2_system =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

constexpr std::array<std::string_view, 5> names{"chatml", "chatml-smollm2", "llama2", "organism",
                                                "plain"};

}  // namespace

std::unique_ptr<ChatTemplate> make_chat_template(std::string_view name) {
  if (name == "chatml") return std::make_unique<ChatMl>("chatml", "");
  if (name == "chatml-smollm2") {
    return std::make_unique<ChatMl>("chatml-smollm2", std::string(smollm2_system));
  }
  if (name == "llama2") return std::make_unique<Llama2>();
  if (name == "organism") return std::make_unique<Organism>();
  if (name == "plain") return std::make_unique<Plain>();
  std::string known;
  for (const auto each : names) known += (known.empty() ? "" : ", ") + std::string(each);
  throw UsageError("chat template '" + std::string(name) + "' is not known, want one of: " + known);
}

std::vector<std::string> chat_template_names() { return {names.begin(), names.end()}; }

}  // namespace seawall
