#include "dataset/columns.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "dataset/messages.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// HarmBench, Do-Not-Answer and XSTest have other names for it.
constexpr std::array<std::string_view, 5> category_names{"category", "semanticcategory",
                                                         "semantic_category", "risk_area", "type"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> pairs{
    {{"goal", "target"},
     {"prompt", "response"},
     {"prompt", "completion"},
     {"instruction", "output"},
     {"instruction", "response"},
     {"question", "answer"},
     {"question", "response"},
     {"query", "response"},
     {"query", "answer"},
     {"input", "output"}}};

/// The one text in a list as Python prints it: ['...'] or ["..."]; nullopt if it is another thing.
std::optional<std::string> python_list(std::string_view text) {
  if (text.size() < 4 || !text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  const auto inner = text.substr(1, text.size() - 2);
  const char quote = inner.front();
  if ((quote != '\'' && quote != '"') || inner.back() != quote) return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < inner.size(); ++i) {
    if (inner[i] == quote) return std::nullopt;  // a second text
    if (inner[i] != '\\') {
      out += inner[i];
      continue;
    }
    if (++i + 1 >= inner.size()) return std::nullopt;
    switch (inner[i]) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '\\':
      case '\'':
      case '"':
        out += inner[i];
        break;
      default:
        return std::nullopt;
    }
  }
  return out;
}

/// The prompt in a list of turns.
std::string only_turn(const json& turns, const Place& place) {
  if (turns.size() != 1)
    throw Rejected{std::to_string(turns.size()) +
                   " turns without the answers between them, want one"};
  return text_of({{"turns", turns[0]}}, "turns", place);
}

std::pair<std::string, std::string> chosen_pair(std::string_view chosen) {
  const auto comma = chosen.find(',');
  if (comma == std::string_view::npos || comma == 0 || comma + 1 == chosen.size())
    throw UsageError("--data-columns: want REQUEST,ANSWER, got '" + std::string(chosen) + "'");
  return {cell_name(chosen.substr(0, comma)), cell_name(chosen.substr(comma + 1))};
}

}  // namespace

std::string prompt_names() {
  std::string text;
  for (const auto name : prompt_columns) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

json lower_keys(const json& record) {
  if (!record.is_object()) return record;
  json out = json::object();
  for (const auto& [key, value] : record.items()) out.emplace(cell_name(key), value);
  return out;
}

json header_of(const CsvTable& table) {
  json out = json::object();
  for (const auto& name : table.names) out.emplace(name, "");
  return out;
}

json record_of(const CsvTable& table, std::size_t record) {
  json out = json::object();
  const auto& fields = table.records[record].fields;
  for (std::size_t i = 0; i < std::min(fields.size(), table.names.size()); ++i)
    out.emplace(table.names[i], fields[i]);
  return out;
}

std::optional<std::string> prompt_key(const json& record, std::string_view column) {
  if (!record.is_object()) return std::nullopt;
  if (!column.empty())
    return record.contains(cell_name(column)) ? std::optional(cell_name(column)) : std::nullopt;
  for (const auto name : prompt_columns)
    if (record.contains(name)) return std::string(name);
  return std::nullopt;
}

std::string prompt_of(const json& record, const std::string& key, const Place& place) {
  const auto& value = record.at(key);
  if (value.is_array()) return only_turn(value, place);
  const auto& text = text_of(record, key.c_str(), place);
  if (key != "turns" || !text.starts_with('[')) return text;
  const auto list = json::parse(text, nullptr, false);
  if (list.is_array()) return only_turn(list, place);
  if (auto only = python_list(text)) return *only;
  throw Rejected{"turns: want a list of one text"};
}

std::string category_of(const json& record) {
  if (!record.is_object()) return "";
  for (const auto name : category_names) {
    const auto found = record.find(name);
    if (found == record.end() || found->is_null()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number()) return found->dump();
    if (found->is_array() && !found->empty() && found->front().is_string())
      return found->front().get<std::string>();
    std::string text;
    for (const auto& [key, value] : found->items())
      if (value == true) text += (text.empty() ? "" : ", ") + key;
    return text;
  }
  return "";
}

std::string known_pairs() {
  std::string text;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    text += std::string(i == 0                  ? ""
                        : i + 1 == pairs.size() ? " or "
                                                : ", ") +
            std::string(pairs[i].first) + "," + std::string(pairs[i].second);
  return text;
}

std::vector<std::string> pair_names(std::string_view chosen) {
  std::vector<std::string> names;
  if (!chosen.empty()) return {chosen_pair(chosen).first};
  for (const auto& [request, answer] : pairs) names.emplace_back(answer);
  return names;
}

std::optional<PairColumns> pair_columns(std::span<const std::string> names,
                                        std::string_view chosen) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (!chosen.empty()) {
    auto [request, answer] = chosen_pair(chosen);
    if (!has(request) || !has(answer)) return std::nullopt;
    return PairColumns{std::move(request), std::move(answer)};
  }
  for (const auto& [request, answer] : pairs)
    if (has(request) && has(answer)) return PairColumns{std::string(request), std::string(answer)};
  return std::nullopt;
}

std::optional<PairColumns> pair_keys(const json& record, std::string_view chosen) {
  if (!record.is_object()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& [key, value] : record.items()) names.push_back(key);
  return pair_columns(names, chosen);
}

Dialogue pair_dialogue(const json& record, const PairColumns& columns, const Place& place,
                       ReadReport& report) {
  const std::array<std::string_view, 7> used{
      columns.request, columns.answer, "category", "input", "context", "system", "system_prompt"};
  check_keys(record, used, true, place, report);
  const auto found = [&](const std::string& key) -> const json& {
    if (!record.is_object() || !record.contains(key))
      place.fail("key '" + key + "' is missing, want a text");
    return record[key];
  };
  const auto& request = found(columns.request);
  const auto& answer = found(columns.answer);
  if (request.is_array() && answer.is_array()) {
    json messages = request;
    messages.insert(messages.end(), answer.begin(), answer.end());
    auto dialogue = dialogue_of(messages, place, report);
    for (std::size_t i = 0; i < request.size(); ++i)
      if (auto& message = dialogue.messages[i];
          message.role == Role::assistant && message.loss == Loss::by_place)
        message.loss = Loss::off;
    return dialogue;
  }
  auto text = text_of(record, columns.request.c_str(), place);
  if (blank(text)) throw Rejected{"an empty prompt"};
  for (const auto* more : {"input", "context"})
    if (columns.request != more && columns.answer != more)
      if (const auto context = optional_text(record, more, place); !context.empty())
        text += "\n\n" + context;
  Dialogue dialogue{{{Role::user, std::move(text)},
                     {Role::assistant, text_of(record, columns.answer.c_str(), place)}}};
  for (const auto* key : {"system_prompt", "system"})
    if (const auto system = optional_text(record, key, place); !system.empty())
      dialogue.set_system(system);
  return dialogue;
}

}  // namespace seawall
