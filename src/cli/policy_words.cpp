#include "cli/policy_words.hpp"

#include "seawall/run/set_up.hpp"

namespace seawall {

void PolicyWords::take_plug_ins(const Program& program, RunSpec& spec) const {
  PlugIns& to = spec.plug_ins;
  to.judges = program.judges;
  to.readers = program.readers;
  to.scenarios = program.scenarios;
  to.code = code_of(program);
  const auto take = [&](const auto& entry) {
    const std::string name(entry.name);
    const auto found = by_policy.find(name);
    if (found != by_policy.end()) to.options[name] = found->second;
    entry.options(to.options_of(name));  // says now what is wrong with one
  };
  if (to.scenario != "auto") take(program.scenarios.find(to.scenario));
  for (const auto& word : split_list(spec.evaluation.judges))
    if (word != "auto") take(program.judges.find_word(word));
}

Judging::Judging(CommandLine& line, const Program& program, const char* help, std::string& judge)
    : program_(program), judge_(judge) {
  line.add(asked_.endpoint, "Options of everything behind HTTP");
  line.add(asked_.rubric, "Options of --judge rubric:MODEL");
  words_.declare(line, program.judges);
  line.add_list("judge", help, judge);
}

Judges Judging::judges(const Scenario& scenario, const std::string& device) {
  asked_.evaluation.judges = judge_;
  asked_.model.device = device;
  words_.take_plug_ins(program_, asked_);
  return make_judges(asked_, scenario);
}

}  // namespace seawall
