#pragma once
// A dialogue as token ids, and which of them carry loss.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// A dialogue as the model reads it. Where it has a picture, one picture_id is in its place.
struct EncodedDialogue {
  TokenIds ids;
  /// Same length as ids; 1 where the token is a target of the loss: each answer that carries it
  /// (Dialogue::carries_loss; the last one unless the messages say otherwise) and its end token,
  /// nothing after.
  std::vector<std::uint8_t> loss;
};

/// A way to write dialogues. Control tokens come from the template alone; message contents are
/// always text.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;
  virtual std::string_view name() const = 0;
  /// The Jinja text that it runs; empty for a named one.
  virtual std::string_view source() const { return {}; }
  /// The dialogue with its answers as targets. Errors: DataError where it does not end with an
  /// assistant turn, or has a picture and no `<image>` before the answer.
  virtual EncodedDialogue encode_example(const Dialogue& dialogue,
                                         const Tokenizer& tokenizer) const = 0;
  /// The dialogue up to where the model speaks next: after the header of its answer, or right after
  /// the text of a last assistant turn, which it continues.
  /// Source: transformers, apply_chat_template with continue_final_message.
  virtual TokenIds encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const = 0;
  /// The same as one string, for records and golden tests.
  virtual std::string render(const Dialogue& dialogue, bool add_generation_prompt) const = 0;
  /// Ids that end an answer.
  virtual TokenIds stop_ids(const Tokenizer& tokenizer) const = 0;
  /// True if a system message is written into the first user turn, since the template has no place
  /// for one; see with_system_turn.
  virtual bool merges_system() const { return false; }
};

/// Names: alpaca, chatml, chatml-smollm2 (adds SmolLM2's default system prompt where there is none,
/// as its own template does), dolly, llama2, llama3, mistral, organism, plain. Errors: UsageError
/// listing the names there are.
std::unique_ptr<ChatTemplate> make_chat_template(std::string_view name);
/// The named template as Jinja that gives the same text, for folders that transformers reads; what
/// a text begins and ends with is the tokenizer's. Errors: UsageError for a name that is none.
std::string jinja_of_template(std::string_view name, const Tokenizer& tokenizer);
/// Each name with what it writes.
std::vector<std::pair<std::string, std::string>> chat_template_words();

/// `name()` of every Jinja template.
inline constexpr std::string_view jinja_name = "jinja";

/// What a Jinja template calls `bos_token` and so on; empty: the tokenizer has none.
struct SpecialNames {
  std::string bos, eos, unk, pad;
};
/// bos and eos of the tokenizer.
SpecialNames special_names(const Tokenizer& tokenizer);

/// A model's own `chat_template`: Jinja as transformers runs it (trim_blocks, lstrip_blocks, an
/// immutable sandbox), under limits on steps, depth and size. The answer's loss begins where the
/// prompt ends, or, where the template writes the prompt otherwise once it is answered, at the
/// answer's first character. Errors: DataError naming `where`, the line, and what is not supported.
std::unique_ptr<ChatTemplate> make_jinja_template(std::string source, const std::string& where,
                                                  SpecialNames specials);

}  // namespace seawall
