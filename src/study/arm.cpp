#include "seawall/study/arm.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using Options = std::vector<detail::ChangedOption>;

void add(std::vector<std::string>& words, const std::string& prefix, const Options& options) {
  for (const auto& o : options) {
    words.push_back("--" + prefix + o.name);
    // A switch of a run takes no value, that of a policy does.
    if (!o.is_switch || !prefix.empty()) words.push_back(o.value);
  }
}

}  // namespace

AnyStack Arm::mitigations() const {
  AnyStack out;
  for (const auto& m : stack) out.push_back(m.policy());
  return out;
}

std::string Arm::mitigation_names() const {
  std::vector<std::string> names;
  for (const auto& m : stack) {
    names.emplace_back(m.policy().name());
    if (std::ranges::count(names, names.back()) > 1)
      throw UsageError("arm " + name + ": " + names.back() +
                       " is stacked twice, and words cannot say which options are whose");
  }
  std::string out;
  for (const auto& one : names) out += (out.empty() ? "" : ",") + one;
  return out;
}

std::vector<std::string> Arm::words() const {
  const auto of = [](const auto& policy) { return std::string(policy.policy().name()) + "."; };
  std::vector<std::string> out{"--attack", std::string(attack.policy().name())};
  add(out, of(attack), attack.options());
  if (!stack.empty()) out.insert(out.end(), {"--mitigate", mitigation_names()});
  for (const auto& m : stack) add(out, of(m), m.options());
  RunSpec::visit_groups(spec, [&](const auto& options, const char*) {
    add(out, "", detail::changed_options(options));
  });
  add(out, "", detail::changed_options(spec.task));
  add(out, "", detail::changed_options(spec.endpoint));
  add(out, "", detail::changed_options(spec.remote));
  add(out, "", detail::changed_options(spec.rubric));
  return out;
}

Arm::operator GridArm() const {
  return {.name = name,
          .words = quoted(words()),
          .traced = traced,
          .values = std::make_shared<const Arm>(*this)};
}

std::string quoted(const std::vector<std::string>& words) {
  std::ostringstream out;
  for (const std::string& word : words) {
    out << (out.tellp() == 0 ? "" : " ");
    if (word.empty() || word.front() == '"' || word.find_first_of(" \t\n") != std::string::npos)
      out << std::quoted(word);
    else
      out << word;
  }
  return out.str();
}

}  // namespace seawall
