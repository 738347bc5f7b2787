#include "cli/plug_in_text.hpp"

#include "seawall/core/reasons.hpp"

namespace seawall {
namespace {

std::string join(const auto& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w);
  return out.empty() ? "none" : out;
}

std::string head(std::string_view name, std::string_view kind, std::string_view summary) {
  return std::string(name) + " (" + std::string(kind) + "): " + std::string(summary) + "\n";
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string options_text(std::string_view policy, const std::vector<OptionValue>& options) {
  std::string out = "options:\n";
  for (const auto& o : options) {
    out += "  --" + std::string(policy) + "." + padded(o.name, 18) + " default " +
           padded(o.value.empty() ? "(empty)" : o.value, 10) + " " + o.help +
           (o.range.empty() ? "" : " " + o.range) + "\n";
  }
  return out;
}

template <class Any>
std::optional<std::string> policy_text(const PolicyCatalogue<Any>& policies,
                                       const std::string& name) {
  const auto* entry = policies.look_up(name);
  if (entry == nullptr) return std::nullopt;
  std::string text = head(entry->name, policies.kind(), entry->summary) +
                     "needs: " + join(need_names(entry->needs)) + "\n";
  if (entry->hooks != Hook::none) text += "hooks: " + join(hook_names(entry->hooks)) + "\n";
  std::vector<std::string> conditions;
  for (const Condition& condition : policies.make(name).conditions()) {
    const std::string decoding = decoding_text(condition.decoding);
    conditions.push_back(condition.name + (decoding.empty() ? "" : " (" + decoding + ")"));
  }
  if (!conditions.empty()) text += "conditions: " + join(conditions) + "\n";
  return text + options_text(entry->name, entry->options({}));
}

}  // namespace

std::optional<std::string> text_of(const AttackCatalogue& attacks, const std::string& name) {
  return policy_text(attacks, name);
}

std::optional<std::string> text_of(const MitigationCatalogue& mitigations,
                                   const std::string& name) {
  return policy_text(mitigations, name);
}

std::optional<std::string> text_of(const JudgeCatalogue& judges, const std::string& name) {
  const auto* entry = judges.look_up(judge_name(name));
  if (entry == nullptr) return std::nullopt;
  std::string text, words;
  for (const auto& [word, summary] : words_of(*entry)) {
    if (word == name) text = head(word, "judge", summary);
    words += "  " + word + "\n";
  }
  if (text.empty() && name != entry->name) return std::nullopt;
  if (text.empty()) text = head(name, "judge", entry->summary) + "words:\n" + words;
  const auto options = entry->options({});
  if (!options.empty()) text += options_text(entry->name, options);
  const auto argument = name.size() > entry->name.size() ? name.substr(entry->name.size() + 1) : "";
  if (entry->text != nullptr)
    if (const auto more = entry->text(argument); !more.empty()) text += more;
  return text;
}

std::optional<std::string> text_of(const ReaderCatalogue& readers, const std::string& name) {
  const auto* reader = readers.look_up(name);
  if (reader == nullptr) return std::nullopt;
  return head(reader->name, "reader", reader->summary) + "formats: " + join(formats_of(*reader)) +
         "\nholds: " + (reader->read != nullptr ? "rows" : "") +
         (reader->read != nullptr && reader->ask != nullptr ? ", " : "") +
         (reader->ask != nullptr ? "probes" : "") + "\na record:\n  " +
         std::string(reader->sample) + "\n";
}

std::optional<std::string> text_of(const ScenarioCatalogue& scenarios, const std::string& name) {
  const auto* entry = scenarios.look_up(name);
  if (entry == nullptr) return std::nullopt;
  const auto options = entry->options({});
  return head(entry->name, "scenario", entry->summary) +
         (options.empty() ? "" : options_text(entry->name, options));
}

std::optional<std::string> text_of(const FamilyCatalogue& families, const std::string& name) {
  const auto* found = families.look_up(name);
  if (found == nullptr) return std::nullopt;
  std::string text = head((*found)->type, "model family", (*found)->architecture);
  text += "GGUF: " + ((*found)->gguf.empty() ? "not read" : std::string((*found)->gguf)) + "\n";
  text += "tensors of a block:\n";
  for (const auto& tensor : (*found)->block) text += "  " + std::string(tensor.name) + "\n";
  return text;
}

}  // namespace seawall
