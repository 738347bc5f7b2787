#pragma once
// An arm of a study as values: an attack, mitigations and what else a run takes. Its words for
// `seawall run` are printed from it, and never the other way round.
#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include "seawall/policy/any.hpp"
#include "seawall/policy/catalogue.hpp"
#include "seawall/run/run_spec.hpp"
#include "seawall/study/table.hpp"

namespace seawall {
namespace detail {

/// An option with a value of its own. A switch has no value.
struct ChangedOption {
  std::string name, value;
  bool is_switch = false;
};

/// The options that differ from their defaults.
template <class Options>
std::vector<ChangedOption> changed_options(const Options& options) {
  const Options standard{};
  std::vector<std::string> defaults;
  Options::visit(standard,
                 [&](const auto& value, const OptionInfo&) { defaults.push_back(to_text(value)); });
  std::vector<ChangedOption> out;
  std::size_t i = 0;
  Options::visit(options, [&]<class T>(const T& value, const OptionInfo& info) {
    if (std::string text = to_text(value); text != defaults[i++])
      out.push_back({std::string(info.name), std::move(text), std::same_as<T, bool>});
  });
  return out;
}

}  // namespace detail

/// A policy of an arm: made from the policy itself, or from its entry in a catalogue.
template <class Any>
class ArmPolicy {
 public:
  /// Errors: UsageError for an option out of range.
  template <class P>
  requires requires(const P& p) { P::name, p.options; }
  ArmPolicy(P policy)  // NOLINT(google-explicit-constructor): an arm is written with its policies
      : options_(detail::changed_options(policy.options)), policy_(std::move(policy)) {}
  /// Made from a catalogue, with options as they are typed. Errors: UsageError.
  explicit ArmPolicy(const CatalogueEntry<Any>& entry, const OptionTexts& texts = {})
      : policy_(entry.make(texts)) {
    const auto standard = entry.options({}), now = entry.options(texts);
    for (std::size_t i = 0; i < now.size(); ++i)
      if (now[i].value != standard[i].value) options_.push_back({now[i].name, now[i].value});
  }
  const Any& policy() const { return policy_; }
  const std::vector<detail::ChangedOption>& options() const { return options_; }

 private:
  std::vector<detail::ChangedOption> options_;
  Any policy_;
};

/// `Arm{.name = "100-shot", .attack = HarmfulExamples{{.count = 100}}, .stack = {WeightDrift{}}}`.
struct Arm {
  std::string name = {};  // empty: that of the cell it is added with
  ArmPolicy<AnyAttack> attack;
  std::vector<ArmPolicy<AnyMitigation>> stack = {};
  RunSpec spec = {};    // all else; seed and place are set when the arm is run
  bool traced = false;  // the report draws how its weights moved

  /// Separated by commas. Errors: UsageError for a mitigation that is stacked twice.
  std::string mitigation_names() const;
  AnyStack mitigations() const;
  /// Its words for `seawall run`.
  std::vector<std::string> words() const;
  operator GridArm() const;  // NOLINT(google-explicit-constructor): for Table::add
};

/// Words as one line, quoted so that GridArm::words splits into them again.
std::string quoted(const std::vector<std::string>& words);

}  // namespace seawall
