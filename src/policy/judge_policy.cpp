#include "seawall/policy/judge_policy.hpp"

#include "seawall/core/error.hpp"
#include "seawall/core/suggest.hpp"

namespace seawall {
namespace {

std::string joined(const JudgeWords& words) {
  std::string text;
  for (const auto& [word, summary] : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string_view argument_of(std::string_view word) {
  const auto colon = word.find(':');
  return colon == word.npos ? std::string_view() : word.substr(colon + 1);
}

[[noreturn]] void unknown_word(std::string_view word, const JudgeCatalogue& judges) {
  std::vector<std::string> known;
  for (const auto& [one, summary] : judges.words()) known.push_back(one);
  const auto near = nearest_name(word, known);
  throw UsageError("--judge " + std::string(word) + ": no such judge" +
                   (near ? "; did you mean `" + *near + "`? There are " : "; there are ") +
                   joined(judges.words()));
}

}  // namespace

std::string_view judge_name(std::string_view word) { return word.substr(0, word.find(':')); }

JudgeWords words_of(const JudgeEntry& judge) {
  if (judge.words != nullptr) return judge.words();
  std::string word(judge.name);
  if (!judge.argument.empty()) word += ":" + std::string(judge.argument);
  return {{word, std::string(judge.summary)}};
}

JudgeWords JudgeCatalogue::words() const {
  JudgeWords all;
  for (const auto& entry : entries())
    for (auto& word : words_of(entry)) all.push_back(std::move(word));
  return all;
}

const JudgeEntry& JudgeCatalogue::find_word(std::string_view word) const {
  const auto* entry = look_up(judge_name(word));
  if (entry == nullptr) unknown_word(word, *this);
  if (!entry->argument.empty() && argument_of(word).empty())
    throw UsageError("--judge " + std::string(word) + ": want " + joined(words_of(*entry)));
  if (entry->argument.empty() && word.size() > entry->name.size())
    throw UsageError("--judge " + std::string(word) + ": `" + std::string(entry->name) +
                     "` takes nothing after its name; want --judge " + std::string(entry->name));
  return *entry;
}

std::unique_ptr<Judge> JudgeCatalogue::make(std::string_view word, const OptionTexts& options,
                                            const JudgeSetting& setting) const {
  return find_word(word).make(options, {std::string(word), std::string(argument_of(word))},
                              setting);
}

}  // namespace seawall
