#include "seawall/run/plug_ins.hpp"

#include "seawall/core/text.hpp"

namespace seawall {

const OptionTexts& PlugIns::options_of(std::string_view name) const {
  static const OptionTexts none;
  const auto found = options.find(name);
  return found == options.end() ? none : found->second;
}

std::unique_ptr<Judge> PlugIns::make_judge(std::string_view word,
                                           const JudgeSetting& setting) const {
  return judges.make(word, options_of(judge_name(word)), setting);
}

std::unique_ptr<Scenario> PlugIns::make_scenario(std::string_view name,
                                                 const ScenarioSetting& setting) const {
  return scenarios.find(name).make(options_of(name), setting);
}

std::vector<std::pair<std::string, std::string>> PlugIns::fields(const std::string& listed) const {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](std::string_view name, const std::vector<OptionValue>& values) {
    for (const auto& value : values)
      out.emplace_back(std::string(name) + "." + value.name, value.value);
  };
  if (!code.empty()) out.emplace_back("code", code);
  if (scenario != "auto") {
    out.emplace_back("scenario", scenario);
    add(scenario, scenarios.find(scenario).options(options_of(scenario)));
  }
  for (const auto& word : split_list(listed))
    if (const auto* judge = judges.look_up(judge_name(word)))
      add(judge->name, judge->options(options_of(judge->name)));
  return out;
}

}  // namespace seawall
