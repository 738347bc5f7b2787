#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "dataset/messages.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/formats.hpp"

namespace seawall {
namespace {

Dialogue asks(std::string text) { return {{{Role::user, std::move(text)}}}; }

/// HarmBench's context before the behaviour, as its DirectRequest writes them. Throws LeftOut if
/// such records are left out.
void put_context(const Json& record, std::string& text, const Reading& reading) {
  for (const auto* key : {"contextstring", "context_string"}) {
    const auto context = optional_text(record, key, reading.place);
    if (blank(context)) continue;
    if (reading.context == ContextUse::ask)
      throw UsageError(reading.place.file + ": " + reading.place.record +
                       ": has a context (HarmBench's contextual behaviours); give "
                       "--probes-context put to put it before the behaviour as HarmBench does, or "
                       "leave-out to leave such records out");
    if (reading.context == ContextUse::leave_out) {
      reading.report.note("record with a context left out", reading.place.record);
      throw LeftOut{};
    }
    text.insert(0, context + "\n\n---\n\n");
  }
}

}  // namespace

std::string Prompts::known_names() { return prompt_names(); }

bool Prompts::is(const Json& record, const FormatWanted& wanted) {
  return record.is_string() || prompt_key(record, wanted.columns).has_value();
}

Dialogue Prompts::ask(const Json& record, const Reading& reading) {
  if (record.is_string()) return asks(record.get<std::string>());
  const auto& place = reading.place;
  if (!record.is_object()) place.fail("want an object");
  const auto key = prompt_key(record, reading.columns);
  if (!key)
    place.fail(reading.columns.empty() ? "want one of the keys " + prompt_names()
                                       : "has no key '" + cell_name(reading.columns) + "'");
  std::vector<std::string_view> used(probe_keys.begin(), probe_keys.end());
  used.push_back(*key);
  check_keys(record, used, false, place, reading.report);
  if (const auto& value = record.at(*key);
      value.is_array() && !value.empty() && value.front().is_object())  // as TRL's prompts
    return dialogue_of(value, place, reading.report);
  auto text = prompt_of(record, *key, place);
  if (blank(text)) throw Rejected{"an empty prompt"};
  for (const auto* more : {"input", "context"}) {  // of Alpaca and Dolly rows
    const auto context = *key == more ? "" : optional_text(record, more, place);
    if (!context.empty()) text += "\n\n" + context;
  }
  put_context(record, text, reading);
  const auto label = record.find("label");
  if (label != record.end() && *label == "safe" && reading.restricted)
    reading.report.note("prompt labelled safe, which a model should answer", place.record);
  return asks(std::move(text));
}

std::vector<std::string> Prompts::headers(std::string_view columns) {
  if (!columns.empty()) return {cell_name(columns)};
  return {prompt_columns.begin(), prompt_columns.end()};
}

std::string Prompts::column_names(const Json& record, std::string_view columns) {
  return prompt_key(record, columns).value_or("");
}

}  // namespace seawall
