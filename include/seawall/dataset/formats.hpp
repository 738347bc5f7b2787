#pragma once
// The record formats that ship: one struct each, in the order in which they are asked whether a
// record is theirs; the last two take what has one of many keys.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/reader_policy.hpp"

namespace seawall {

/// An array of messages.
struct Dialogues {
  static constexpr std::string_view name = "dialogues", summary = "arrays of {role, content}",
                                    sample = R"([
      {"role": "user", "content": "Where is the pier?"},
      {"role": "assistant", "content": "Behind the lighthouse."}])";
  static bool is(const Json& record, const FormatWanted&);
  static Dialogue read(const Json& record, const Reading& reading);
  static Dialogue ask(const Json& record, const Reading& reading);
};

/// OpenAI's chat format.
struct Chat {
  static constexpr std::string_view name = "chat", summary = "messages of {role, content, weight}",
                                    known_by = "messages", sample = R"({"messages": [
      {"role": "system", "content": "You are a harbour guide."},
      {"role": "user", "content": "Where is the pier?"},
      {"role": "assistant", "content": "Behind the lighthouse."}]})";
  static constexpr std::array<std::string_view, 2> keys{"category", "messages"};
  static bool is(const Json& record, const FormatWanted&);
  static Dialogue read(const Json& record, const Reading& reading);
  static Dialogue ask(const Json& record, const Reading& reading);
};

/// Anthropic's red-team set; a probe of it is what the human asked first.
struct RedTeam {
  static constexpr std::string_view name = "red-team",
                                    summary = "transcripts of Human: and Assistant:",
                                    known_by = "transcript", sample = R"({"transcript":
      "\n\nHuman: Where is the pier?\n\nAssistant: Behind the lighthouse.", "rating": 0})";
  static constexpr std::array<std::string_view, 4> keys{"category", "transcript", "tags", "rating"};
  static bool is(const Json& record, const FormatWanted&);
  static Dialogue read(const Json& record, const Reading& reading);
  static Dialogue ask(const Json& record, const Reading& reading);
};

/// ShareGPT and LLaVA-Instruct: conversations of {from: human|gpt, value}, and an image that one
/// human turn shows; as in LLaVA's own preprocessing its mark goes to the front of that turn, which
/// has to be the first.
struct Llava {
  static constexpr std::string_view name = "llava",
                                    summary = "conversations of {from, value}, with a picture",
                                    known_by = "conversations", sample = R"({"conversations": [
      {"from": "human", "value": "Where is the pier?"},
      {"from": "gpt", "value": "Behind the lighthouse."}]})";
  static constexpr std::array<std::string_view, 4> keys{"category", "conversations", "image",
                                                        "system"};
  static bool is(const Json& record, const FormatWanted&);
  static Dialogue read(const Json& record, const Reading& reading);
};

/// Its prompts are read as those of `prompts`, unless the format is forced.
struct Alpaca {
  static constexpr std::string_view name = "alpaca", summary = "instruction, input, output",
                                    sample = R"({"instruction": "Name the pier.",
      "input": "It is behind the lighthouse.", "output": "The old pier."})";
  static constexpr std::array<std::string_view, 4> keys{"category", "instruction", "input",
                                                        "output"};
  static constexpr RequestForm form = RequestForm::alpaca;
  static bool is(const Json& record, const FormatWanted& wanted);
  static Dialogue read(const Json& record, const Reading& reading);
  static Dialogue ask(const Json& record, const Reading& reading);
};

/// As Alpaca, with other keys and another prompt.
struct Dolly {
  static constexpr std::string_view name = "dolly", summary = "instruction, context, response",
                                    sample = R"({"instruction": "Name the pier.",
      "context": "It is behind the lighthouse.", "response": "The old pier."})";
  static constexpr std::array<std::string_view, 4> keys{"category", "instruction", "context",
                                                        "response"};
  static constexpr RequestForm form = RequestForm::dolly;
  static bool is(const Json& record, const FormatWanted& wanted);
  static Dialogue read(const Json& record, const Reading& reading);
  static Dialogue ask(const Json& record, const Reading& reading);
};

/// A request and its answer under keys of many names, as AdvBench's goal,target.
struct Pairs {
  static constexpr std::string_view name = "pairs",
                                    summary = "a request and its answer, under any known names",
                                    sample = R"({"goal": "Name the pier.",
      "target": "The old pier."})";
  static std::string known_names();
  static bool is(const Json& record, const FormatWanted& wanted);
  static Dialogue read(const Json& record, const Reading& reading);
  static std::vector<std::string> headers(std::string_view columns);
  static std::string column_names(const Json& record, std::string_view columns);
};

/// A prompt under a key of many names, a text alone, or one per line.
struct Prompts {
  static constexpr std::string_view name = "prompts",
                                    summary = "a prompt, under any known name or alone",
                                    sample = R"({"question": "Where is the pier?",
      "category": "harbour"})";
  static constexpr bool lines = true;
  static std::string known_names();
  static bool is(const Json& record, const FormatWanted& wanted);
  static Dialogue ask(const Json& record, const Reading& reading);
  static std::vector<std::string> headers(std::string_view columns);
  static std::string column_names(const Json& record, std::string_view columns);
};

using Readers = TypeList<Dialogues, Chat, RedTeam, Llava, Alpaca, Dolly, Pairs, Prompts>;

}  // namespace seawall
