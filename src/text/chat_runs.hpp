#pragma once
// What all chat templates share once a dialogue is written: control tokens, text, the answer's
// place.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "seawall/text/chat_template.hpp"

namespace seawall {

/// A rendered dialogue as runs: either one control token or plain text. A text run is tokenized in
/// one piece, as transformers tokenizes the text between two control tokens.
struct ChatRun {
  bool control = false;
  std::string text;                  // of a control run: its name
  std::optional<std::int32_t> id{};  // of a control run, where it is known already
  struct Span {
    std::size_t begin = 0, end = 0;
  };
  std::vector<Span> targets{};  // in a text run: the parts of answers that carry loss, in order
  bool end_of_target = false;   // in a control run: belongs to a target
  bool picture = false;         // neither text nor control: the picture's place
};

/// What a dialogue is written for.
enum class Purpose {
  example,       // its answers are trained on
  prompt,        // the model answers its last user turn
  continuation,  // the model goes on with its last answer
};

class Runs {
 public:
  /// A name is empty where the tokenizer has no such token (a BOS that does not exist).
  void control(std::string_view name, bool end_of_target = false);
  void text(std::string_view text);
  /// Text that is an answer; it carries loss if `target`.
  void answer(std::string_view content, bool target);
  void add(ChatRun run) { runs_.push_back(std::move(run)); }
  const std::vector<ChatRun>& all() const { return runs_; }
  /// Drops everything from the last place of `mark` on, and the space before it if the template
  /// has stripped the mark's own last space. False if no text has it.
  bool cut_at(std::string_view mark);
  /// Cuts the first `<image>` that stands before the answer out of its text, with the one space
  /// that may part it from the words after it; what is left and right of it is tokenized apart, as
  /// LLaVA does. False where there is none.
  bool place_picture();

 private:
  std::vector<ChatRun> runs_;
};

/// Encodes what make_runs writes.
class RunTemplate : public ChatTemplate {
 public:
  explicit RunTemplate(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  EncodedDialogue encode_example(const Dialogue& dialogue,
                                 const Tokenizer& tokenizer) const override;
  TokenIds encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const override;
  std::string render(const Dialogue& dialogue, bool add_generation_prompt) const override;

 protected:
  /// The dialogue as one string.
  virtual std::string written(const Dialogue& dialogue, bool generate) const = 0;
  virtual Runs make_runs(const Dialogue& dialogue, const Tokenizer& tokenizer,
                         Purpose purpose) const = 0;
  /// The dialogue with a mark after its last answer, which is to be continued; see cut_at.
  static Dialogue marked(Dialogue dialogue);
  /// Errors where the dialogue does not end as it must: with user where `generate`; with assistant
  /// where `example`.
  virtual void check(const Dialogue& dialogue, bool generate, bool example) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  EncodedDialogue encode(const Dialogue& dialogue, const Tokenizer& tokenizer,
                         Purpose purpose) const;

  std::string name_;
};

/// Id of a control token. Errors: DataError naming template and token.
std::int32_t control_id(std::string_view chat_template, std::string_view piece,
                        const Tokenizer& tokenizer);

}  // namespace seawall
