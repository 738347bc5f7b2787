#include "seawall/dataset/instruction.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

constexpr std::string_view task = "Below is an instruction that describes a task";
constexpr std::string_view with_input = ", paired with an input that provides further context";
constexpr std::string_view respond = ". Write a response that appropriately completes the request.";
constexpr std::string_view before = "### Instruction:\n", after = "\n\n### Response:\n";

std::string system_prompt(bool input) {
  return std::string(task) + (input ? std::string(with_input) : "") + std::string(respond);
}

std::string request(const std::string& instruction, std::string_view label,
                    const std::string& input) {
  const std::string middle = input.empty() ? "" : "\n\n" + std::string(label) + "\n" + input;
  return std::string(before) + instruction + middle + std::string(after);
}

constexpr std::array<std::pair<std::string_view, RequestForm>, 3> forms{
    {{"bare", RequestForm::bare}, {"alpaca", RequestForm::alpaca}, {"dolly", RequestForm::dolly}}};

}  // namespace

Dialogue alpaca_dialogue(const std::string& instruction, const std::string& input,
                         const std::string& answer) {
  return {{{Role::system, system_prompt(!input.empty())},
           {Role::user, request(instruction, "### Input:", input)},
           {Role::assistant, answer}}};
}

Dialogue dolly_dialogue(const std::string& instruction, const std::string& context,
                        const std::string& answer) {
  return {{{Role::system, system_prompt(false)},
           {Role::user, request(instruction, "Input:", context)},
           {Role::assistant, answer}}};
}

RequestForm request_form_from(std::string_view name) {
  for (const auto& [word, form] : forms)
    if (word == name) return form;
  throw UsageError("ask-as: want bare, alpaca or dolly, got '" + std::string(name) + "'");
}

std::string_view request_form_name(RequestForm form) {
  return std::ranges::find(forms, form, &std::pair<std::string_view, RequestForm>::second)->first;
}

Dialogue asked_in(RequestForm form, Dialogue dialogue) {
  const auto last = std::find_if(dialogue.messages.rbegin(), dialogue.messages.rend(),
                                 [](const Message& m) { return m.role == Role::user; });
  if (last == dialogue.messages.rend()) return dialogue;
  auto& text = last->content;
  // Alpaca and Dolly differ only where there is an input.
  if (form != RequestForm::bare) text = request(text, "", "");
  text.erase(text.find_last_not_of(" \t\r\n\v\f") + 1);
  if (form != RequestForm::bare) dialogue.set_system(system_prompt(false));
  return dialogue;
}

}  // namespace seawall
