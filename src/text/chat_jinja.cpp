// A model's own chat template, run by the Jinja interpreter.
#include <algorithm>

#include "seawall/core/error.hpp"
#include "text/chat_runs.hpp"
#include "text/jinja/interpreter.hpp"

namespace seawall {
namespace {

constexpr std::size_t max_source = std::size_t{1} << 20;

class JinjaTemplate final : public RunTemplate {
 public:
  JinjaTemplate(std::string source, const std::string& where, SpecialNames specials)
      : RunTemplate(std::string(jinja_name)),
        source_(std::move(source)),
        where_(where),
        specials_(std::move(specials)) {
    if (source_.size() > max_source) throw DataError(where_ + ": the chat template is over 1 MiB");
    body_ = jinja::parse(source_, where_);
  }

  std::string_view source() const override { return source_; }

  TokenIds stop_ids(const Tokenizer& tokenizer) const override {
    TokenIds ids;
    try {
      // The token that the template puts after an answer.
      const Dialogue probe{{{Role::user, "a"}, {Role::assistant, "b"}}};
      const auto runs = make_runs(probe, tokenizer, Purpose::example).all();
      const auto end = std::ranges::find_if(runs, [](const ChatRun& r) { return r.end_of_target; });
      if (end != runs.end() && end->id) ids.push_back(*end->id);
    } catch (const DataError&) {
      // A template that refuses this dialogue: its tokenizer knows what ends a text.
    }
    const auto eos = tokenizer.eos_id();
    if (eos && std::ranges::count(ids, *eos) == 0) ids.push_back(*eos);
    if (ids.empty()) throw DataError(where_ + ": nothing says which token ends an answer");
    return ids;
  }

 protected:
  std::string written(const Dialogue& dialogue, bool generate) const override {
    return write(dialogue, generate, dialogue.messages.size() - 1).bytes;
  }
  Runs make_runs(const Dialogue& dialogue, const Tokenizer& tokenizer,
                 Purpose purpose) const override {
    const auto last = dialogue.messages.size() - 1;
    const auto text = write(dialogue, purpose == Purpose::prompt, last);
    const auto pieces = tokenizer.cut(text.bytes, text.marks);
    // The targets: from where an answer starts to the end of the token that ends it.
    std::vector<ChatRun::Span> targets;
    for (std::size_t i = 0; purpose == Purpose::example && i <= last; ++i)
      if (dialogue.carries_loss(i))
        targets.push_back(
            answer_span(i == last ? text : write(dialogue, false, i), dialogue, i, pieces));
    Runs runs;
    for (const auto& piece : pieces) {
      ChatRun run{.control = piece.control.has_value(),
                  .text = text.bytes.substr(piece.begin, piece.end - piece.begin),
                  .id = piece.control};
      for (const auto& [begin, end] : targets) {
        if (piece.control) {
          run.end_of_target |= piece.begin >= begin && piece.end <= end;
        } else if (piece.end > begin && piece.begin < end) {
          run.targets.push_back(
              {std::max(begin, piece.begin) - piece.begin, std::min(end, piece.end) - piece.begin});
        }
      }
      runs.add(std::move(run));
    }
    return runs;
  }

 private:
  /// The text, in which the letters of message `marked` are told apart if it is an answer.
  jinja::Text write(const Dialogue& dialogue, bool generate, std::size_t marked) const {
    using jinja::Text;
    using jinja::Value;
    std::vector<Value> messages;
    const auto count = dialogue.messages.size();
    for (std::size_t i = 0; i < count; ++i) {
      const auto& [role, content, loss] = dialogue.messages[i];
      const bool target = i == marked && role == Role::assistant;
      const Text text(content, target ? jinja::from_answer : jinja::from_message);
      messages.push_back(jinja::make_dict(
          {{Text("role"), Value::of(Text(role_name(role)))}, {Text("content"), Value::of(text)}}));
    }
    std::vector<std::pair<std::string, Value>> values{{"messages", jinja::make_list(messages)},
                                                      {"tools", jinja::None{}},
                                                      {"documents", jinja::None{}},
                                                      {"add_generation_prompt", generate}};
    const auto special = [&](const char* name, const std::string& token) {
      if (!token.empty()) values.emplace_back(name, Value::of(Text(token)));
    };
    special("bos_token", specials_.bos);
    special("eos_token", specials_.eos);
    special("unk_token", specials_.unk);
    special("pad_token", specials_.pad);
    auto text = jinja::Interpreter(where_, {}).run(body_, std::move(values));
    if (text.marks.empty()) text.marks.assign(text.bytes.size(), jinja::from_template);
    return text;
  }

  /// Where answer `index`, whose letters are marked in `text`, starts and ends with its token.
  ChatRun::Span answer_span(const jinja::Text& text, const Dialogue& dialogue, std::size_t index,
                            const std::vector<TextPiece>& pieces) const {
    const auto begin = answer_start(text, dialogue, index);
    return {begin, answer_end(text, begin, pieces, index + 1 == dialogue.messages.size())};
  }

  std::size_t answer_start(const jinja::Text& text, const Dialogue& dialogue,
                           std::size_t index) const {
    const auto first = text.marks.find(jinja::from_answer);
    if (index > 0) {
      Dialogue asked{{dialogue.messages.begin(),
                      dialogue.messages.begin() + static_cast<std::ptrdiff_t>(index)}};
      const auto prompt = write(asked, true, index);
      if (text.bytes.starts_with(prompt.bytes) && prompt.bytes.size() <= first &&
          prompt.bytes.size() < text.bytes.size())
        return prompt.bytes.size();
    }
    if (first == std::string::npos)
      throw DataError(where_ + ": the template leaves the answer out of the text");
    return first;
  }

  std::size_t answer_end(const jinja::Text& text, std::size_t begin,
                         const std::vector<TextPiece>& pieces, bool last_turn) const {
    const auto last = text.marks.rfind(jinja::from_answer);
    const auto from = last == std::string::npos ? begin : std::max(begin, last + 1);
    // No token that comes after the next message ends this one.
    const auto next = last_turn ? std::string::npos : text.marks.find(jinja::from_message, from);
    for (const auto& piece : pieces) {
      if (piece.control && piece.begin >= from && piece.begin < next) return piece.end;
    }
    if (!last_turn) return from;
    throw DataError(where_ +
                    ": the template puts no control token of this tokenizer after the answer, so "
                    "that nothing would teach where it ends; add {{ eos_token }}");
  }

  std::string source_, where_;
  SpecialNames specials_;
  jinja::Body body_;
};

}  // namespace

SpecialNames special_names(const Tokenizer& tokenizer) {
  const auto name = [&](std::optional<std::int32_t> id) {
    return id ? tokenizer.decode(TokenIds{*id}, false) : std::string();
  };
  return {.bos = name(tokenizer.bos_id()), .eos = name(tokenizer.eos_id())};
}

std::unique_ptr<ChatTemplate> make_jinja_template(std::string source, const std::string& where,
                                                  SpecialNames specials) {
  return std::make_unique<JinjaTemplate>(std::move(source), where, std::move(specials));
}

}  // namespace seawall
